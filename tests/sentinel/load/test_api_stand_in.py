"""The stand-in answers a real client as livekit-server does, and refuses what it refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from onhook.errors import ApiError
from onhook.livekit import ServerApi
from onhook.sentinel.call_view import ProbeResult
from onhook.sentinel.probes import Prober
from onhook.sentinel.signals.signed_bodies import SignedBodies
from onhook.sentinel.signals.webhooks import Webhooks
from tests.sentinel.load import api_stand_in
from tests.sentinel.load.api_stand_in import KEY, SECRET, ApiStandIn, RefusalError
from tests.sentinel.load.server_rooms import COUNT_LAG, ServerRooms
from tests.sentinel.load.webhook_post import WebhookPost


class Clock:
    now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def server() -> AsyncIterator[ApiStandIn]:
    rooms = ServerRooms(clock=Clock())
    rooms.caller("call-1", answered=True)
    rooms.agent("call-1")
    async with ApiStandIn(rooms) as serving:
        yield serving


async def test_rooms_and_participants_are_listed_with_counts_that_lag_behind(
    server: ApiStandIn,
) -> None:
    async with ServerApi(server.credentials, timeout=2.0) as client:
        (new,) = await client.rooms()
        assert (new.name, new.num_participants, new.num_publishers) == ("call-1", 0, 0)
        Clock.now += COUNT_LAG
        (room,) = await client.rooms()
        assert (room.num_participants, room.num_publishers) == (1, 2)  # agents are no participants
        caller, agent = await client.participants("call-1")
        assert caller.attributes["sip.callStatus"] == "active"
        assert agent.attributes["lk.agent_name"] == "front-desk"
        assert await client.participants("nowhere") == ()
        assert server.asked == {"ListRooms": 2, "ListParticipants": 2}


async def test_who_lacks_a_grant_or_has_another_key_is_refused(server: ApiStandIn) -> None:
    wrong = replace(server.credentials, secret="another-secret-of-the-same-length-or-so")
    async with ServerApi(wrong, timeout=2.0) as client:
        with pytest.raises(ApiError, match="401") as caught:
            await client.rooms()
        assert caught.value.code == "unauthenticated"
    with pytest.raises(RefusalError):
        server._granted("Bearer nonsense")
    assert server.refused == {"ListRooms": 1}


async def test_agents_answer_that_they_know_no_such_method_unless_they_are_dead(
    server: ApiStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_stand_in, "ACKNOWLEDGED", 0.05)
    monkeypatch.setattr(api_stand_in, "NOBODY", 0.05)
    agent = server.rooms.people("call-1")[1].identity
    async with Prober(server.credentials) as prober:
        assert await prober.ask("call-1", agent) is ProbeResult.ANSWERED
        assert await prober.ask("call-1", "nobody") is ProbeResult.ABSENT
        server.dead.add(agent)
        assert await prober.ask("call-1", agent) is ProbeResult.GONE


async def test_a_dispatch_is_listed_and_a_room_that_is_not_there_has_nobody_to_ask(
    server: ApiStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_stand_in, "NOBODY", 0.05)
    async with ServerApi(server.credentials, timeout=2.0) as client:
        await client.create_dispatch("call-1", "front-desk", "")
        (sent,) = await client.dispatches("call-1")
        assert (sent.agent_name, sent.jobs) == ("front-desk", ())
        with pytest.raises(ApiError, match="503"):
            await client.dispatches("nowhere")
        await client.delete_room("call-1")
        assert await client.rooms() == ()


def test_each_change_is_told_by_a_webhook_that_the_real_receiver_believes() -> None:
    clock = Clock()
    rooms, post = ServerRooms(clock=clock), WebhookPost(KEY, SECRET, clock=clock)
    rooms.told = post.take
    rooms.caller("call-1", answered=False)
    rooms.agent("call-1")
    rooms.close("call-1")
    receiving = Webhooks(SignedBodies({KEY: SECRET}), clock=clock)
    told = [receiving.receive(receiving.token(each.token), each.body) for each in post.due()]
    assert [webhook.event for webhook in told] == [
        *("room_started", "participant_joined", "track_published"),
        *("participant_joined", "track_published"),
        *("participant_left", "participant_left", "room_finished"),
    ]
