"""Sending another agent over the server's API: no room is brought back, nobody is left behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
from livekit import api
from livekit.protocol.agent import Job, JobState
from livekit.protocol.agent_dispatch import (
    AgentDispatch,
    AgentDispatchState,
    ListAgentDispatchResponse,
)
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.room import ListParticipantsResponse

from onhook.errors import OnhookError
from onhook.livekit import Credentials, LiveKitLine, livekit_line
from onhook.livekit.framework.room_internals import joins_unsubscribed
from tests.jobguard.fakes import FakeTrack, answered_room
from tests.livekit.twirp import SECRET, Answer, Twirp, error, ok, says, twirp

Kind = ParticipantInfo.Kind


def present(*people: tuple[str, int]) -> Answer:
    listing = [ParticipantInfo(identity=name, kind=kind) for name, kind in people]  # type: ignore[arg-type]
    return says(ListParticipantsResponse(participants=listing))


def sent(id: str, metadata: str = "", job: str = "", agent: str = "") -> AgentDispatch:  # noqa: A002
    jobs = [Job(id=job, state=JobState(participant_identity=agent))] if job else []
    return AgentDispatch(id=id, metadata=metadata, state=AgentDispatchState(jobs=jobs))


def listed(*dispatches: AgentDispatch) -> Answer:
    return says(ListAgentDispatchResponse(agent_dispatches=dispatches))


CALLER, FAILED, NEW = ("sip_1", Kind.SIP), ("agent-1", Kind.AGENT), ("agent-2", Kind.AGENT)
MADE = says(AgentDispatch(id="AD_1"))


def line_to(server: Twirp, *, job: str = "", metadata: str | None = None) -> LiveKitLine:
    return LiveKitLine(
        server.credentials, "r", agent="agent-1", job=job, metadata=metadata, api_timeout=1.0
    )


async def test_an_agent_is_sent_to_a_caller_who_is_there() -> None:
    async with (
        twirp(ListParticipants=[present(CALLER, FAILED)], CreateDispatch=[MADE]) as server,
        line_to(server) as line,
    ):
        assert await line.dispatch("second", "{}") == "AD_1"
        assert server.calls == ["ListParticipants", "CreateDispatch", "ListParticipants"]


@pytest.mark.parametrize("there", [(), (FAILED,)])
async def test_nobody_is_sent_to_a_caller_who_has_gone(there: tuple[tuple[str, int], ...]) -> None:
    async with twirp(ListParticipants=[present(*there)]) as server, line_to(server) as line:
        with pytest.raises(OnhookError, match="the caller has left"):
            await line.dispatch("second", "{}")
        assert server.calls == ["ListParticipants"]


@pytest.mark.parametrize(
    ("after", "deletes"), [((), True), ((NEW,), True), ((FAILED,), False), ((CALLER,), None)]
)
async def test_a_room_that_the_dispatch_has_brought_back_is_deleted(
    after: tuple[tuple[str, int], ...], deletes: bool | None
) -> None:
    async with (
        twirp(
            ListParticipants=[present(CALLER, FAILED), present(*after)], CreateDispatch=[MADE]
        ) as server,
        line_to(server) as line,
    ):
        if deletes is None:
            await line.dispatch("second", "{}")
            return
        with pytest.raises(OnhookError, match="the caller has left"):
            await line.dispatch("second", "{}")
        assert "DeleteDispatch" in server.calls
        assert ("DeleteRoom" in server.calls) is deletes


async def test_who_is_withdrawn_is_who_came_by_that_dispatch() -> None:
    async with (
        twirp(
            ListDispatch=[listed(sent("AD_0", job="AJ_1", agent="agent-1"), sent("AD_1"))],
            ListParticipants=[
                present(CALLER, FAILED),
                present(CALLER, FAILED),
                present(CALLER, FAILED, NEW),
                present(CALLER, FAILED),
            ],
            CreateDispatch=[MADE],
            DeleteDispatch=[error(404, "not_found")],
        ) as server,
        line_to(server) as line,
    ):
        await line.dispatch("second", "{}")
        await line.withdraw("AD_1")
        removed = server.bodies[server.calls.index("RemoveParticipant")]
        assert api.RoomParticipantIdentity.FromString(removed).identity == "agent-2"
        assert server.calls.count("RemoveParticipant") == 1
        told = server.calls.index("UpdateParticipant")
        assert told < server.calls.index("DeleteDispatch"), "it knows before it is ended"
        mark = api.UpdateParticipantRequest.FromString(server.bodies[told])
        assert (mark.identity, dict(mark.attributes)) == ("agent-2", {"onhook.withdrawn": "AD_1"})


@pytest.mark.parametrize(
    ("answer", "job", "metadata"),
    [
        (listed(sent("AD_0", "a", "AJ_1"), sent("AD_1", "b", "AJ_2")), "AJ_2", "b"),
        (listed(sent("AD_0", "a")), "AJ_1", "a"),
        (listed(sent("AD_0", "a"), sent("AD_1", "b")), "AJ_1", None),
        (listed(), "AJ_1", None),
    ],
)
async def test_the_failed_jobs_metadata_is_had_from_the_server(
    answer: Answer, job: str, metadata: str | None
) -> None:
    async with twirp(ListDispatch=[answer]) as server, line_to(server, job=job) as line:
        assert await line.origin() == metadata


async def test_where_the_job_gives_its_metadata_nobody_is_asked() -> None:
    async with twirp(ListDispatch=[ok]) as server, line_to(server, metadata="mine") as line:
        assert await line.origin() == "mine"
        assert server.calls == []


async def test_outside_the_job_the_entrypoint_cannot_be_run_again() -> None:
    async with twirp() as server, line_to(server) as line:
        with pytest.raises(OnhookError, match="in its own job only"):
            await line.retry()


async def test_in_the_job_its_guard_runs_the_entrypoint_again() -> None:
    async def again() -> str:
        return "it is up"

    credentials = Credentials("http://127.0.0.1:1", "key", SECRET)
    async with LiveKitLine(credentials, "r", again=again) as line:
        assert await line.retry() == "it is up"


@pytest.mark.parametrize("listens", [False, True])
def test_a_listener_is_hidden_and_mute_and_an_announcer_is_deaf(listens: bool) -> None:
    token = Credentials("http://127.0.0.1:1", "key", SECRET).join_token("r", "i", listens=listens)
    grants = api.TokenVerifier("key", SECRET).verify(token).video
    assert grants is not None
    assert (grants.hidden, grants.can_subscribe, grants.can_publish) == (
        listens,
        listens or not joins_unsubscribed(),
        not listens,
    )


class Voice(FakeTrack):
    """A track that says whether it is muted."""

    muted_now = False

    def mute(self) -> None:
        self.muted_now = True

    def unmute(self) -> None:
        self.muted_now = False


@pytest.mark.parametrize("fails_at", ["CreateDispatch", "heard", "no"])
async def test_an_agent_is_muted_only_for_another_one_that_comes(
    fails_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, voice = answered_room(), Voice()
    room.local_participant.track_publications["mic"].track = voice

    async def first_heard(_: object, agents: Sequence[str]) -> str:
        assert voice.muted_now, "one voice at a time"
        if fails_at == "heard":
            raise OnhookError("not heard")
        return agents[0]

    monkeypatch.setattr(livekit_line, "first_heard", first_heard)
    made = error(500, "internal") if fails_at == "CreateDispatch" else MADE
    async with (
        twirp(
            ListParticipants=[present(CALLER, FAILED)],
            CreateDispatch=[made],
            ListDispatch=[listed(sent("AD_1", job="AJ_2", agent="agent-2"))],
        ) as server,
        LiveKitLine(server.credentials, "r", own=cast(Any, room), api_timeout=1.0) as line,
    ):
        if fails_at == "no":
            assert await line.heard(await line.dispatch("second", "{}")) == "agent-2"
        else:
            with pytest.raises(OnhookError):
                await line.heard(await line.dispatch("second", "{}"))
    assert voice.muted_now is (fails_at == "no")
