from __future__ import annotations

import gc
import socket

import aiohttp
import pytest
from aiohttp import web
from livekit.protocol.models import ParticipantInfo, Room
from livekit.protocol.room import ListParticipantsResponse, ListRoomsResponse
from livekit.protocol.sip import (
    ListSIPInboundTrunkResponse,
    ListSIPOutboundTrunkResponse,
    SIPInboundTrunkInfo,
    SIPOutboundTrunkInfo,
)

from onhook.errors import ApiError, ConfigurationError
from onhook.livekit import Credentials, ServerApi
from onhook.livekit.proof import Proof
from onhook.livekit.proof_of_life import ProofOfLife
from tests.livekit.twirp import SECRET, Twirp, error, hang, ok, says, twirp


async def test_lists_removes_and_deletes() -> None:
    async def listing() -> web.Response:
        body = ListParticipantsResponse(participants=[ParticipantInfo(identity="sip_1")])
        return web.Response(body=body.SerializeToString(), content_type="application/protobuf")

    async with twirp(ListParticipants=[listing]) as server, api_of(server) as api:
        assert [p.identity for p in await api.participants("r")] == ["sip_1"]
        await api.remove("r", "sip_1")
        await api.delete_room("r")
    assert server.calls == ["ListParticipants", "RemoveParticipant", "DeleteRoom"]


async def test_what_is_gone_already_is_success() -> None:
    gone = [error(404, "not_found")]
    async with (
        twirp(ListParticipants=gone, RemoveParticipant=gone, DeleteRoom=gone) as server,
        api_of(server) as api,
    ):
        assert await api.participants("r") == ()
        await api.remove("r", "sip_1")
        await api.delete_room("r")


async def test_lists_all_rooms() -> None:
    listing = ListRoomsResponse(rooms=[Room(name="a", sid="RM_1"), Room(name="b")])
    async with twirp(ListRooms=[says(listing), ok]) as server, api_of(server) as api:
        assert [room.name for room in await api.rooms()] == ["a", "b"]
        assert await api.rooms() == ()


async def test_lists_the_numbers_of_all_trunks() -> None:
    inbound = ListSIPInboundTrunkResponse(
        items=[SIPInboundTrunkInfo(numbers=["+1", "+2"]), SIPInboundTrunkInfo()]
    )
    outbound = ListSIPOutboundTrunkResponse(items=[SIPOutboundTrunkInfo(numbers=["+2", "+3"])])
    scripts = {"ListSIPInboundTrunk": [says(inbound)], "ListSIPOutboundTrunk": [says(outbound)]}
    async with twirp(**scripts) as server, api_of(server) as api:
        assert await api.trunk_numbers() == {"+1", "+2", "+3"}


async def test_a_server_without_sip_has_no_trunks() -> None:
    gone = [error(404, "not_found")]
    async with (
        twirp(ListSIPInboundTrunk=gone, ListSIPOutboundTrunk=gone) as server,
        api_of(server) as api,
    ):
        assert await api.trunk_numbers() == set()


async def test_a_server_that_knows_no_list_of_rooms_has_not_said_that_there_are_none() -> None:
    async def bare() -> web.Response:
        return web.Response(status=404)

    answers = [
        error(404, "not_found"),
        error(404, "bad_route"),
        bare,
        error(401, "unauthenticated"),
    ]
    async with twirp(ListRooms=list(answers)) as server, api_of(server) as api:
        for _ in answers:
            with pytest.raises(ApiError, match="could not list the rooms") as caught:
                await api.rooms()
    assert not caught.value.passing
    assert "roomList" in str(caught.value)


async def test_a_bare_429_says_too_many_requests() -> None:
    async def bare() -> web.Response:
        return web.Response(status=429)

    async with twirp(ListRooms=[bare]) as server, api_of(server) as api:
        with pytest.raises(ApiError) as caught:
            await api.rooms()
    assert (caught.value.code, caught.value.passing) == ("resource_exhausted", True)


@pytest.mark.parametrize(
    ("status", "code", "passing"),
    [
        (401, "unauthenticated", False),
        (403, "permission_denied", False),
        (400, "invalid_argument", False),
        (429, "resource_exhausted", True),
        (500, "internal", True),
        (503, "unavailable", True),
    ],
)
async def test_a_refusal_tells_whether_it_may_pass(status: int, code: str, passing: bool) -> None:
    async with twirp(DeleteRoom=[error(status, code)]) as server, api_of(server) as api:
        with pytest.raises(ApiError) as caught:
            await api.delete_room("r")
    assert (caught.value.code, caught.value.passing) == (code, passing)
    assert "delete room 'r'" in str(caught.value)


@pytest.mark.parametrize(("status", "code"), [(401, "unauthenticated"), (403, "permission_denied")])
async def test_a_bare_status_tells_of_a_wrong_key_too(status: int, code: str) -> None:
    async def bare() -> web.Response:
        return web.Response(status=status)

    async with twirp(DeleteRoom=[bare]) as server, api_of(server) as api:
        with pytest.raises(ApiError, match="check LIVEKIT_API_KEY") as caught:
            await api.delete_room("r")
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html><body>It works!</body></html>", "text/html"),
        (b'{"participants": []}', "application/json"),
        (
            ListParticipantsResponse(
                participants=[ParticipantInfo(identity="sip_1")]
            ).SerializeToString()[:-2],
            "application/protobuf",
        ),
    ],
)
async def test_nonsense_with_200_is_a_failure_that_may_pass(body: bytes, kind: str) -> None:
    async def nonsense() -> web.Response:
        return web.Response(body=body, content_type=kind)

    async with (
        twirp(ListParticipants=[nonsense], PerformRpc=[nonsense]) as server,
        api_of(server) as api,
    ):
        with pytest.raises(ApiError, match="is no answer") as caught:
            await api.participants("r")
        async with ProofOfLife(server.credentials) as proof:
            assert await proof.of("r", "agent-1", deadline=0.5) is Proof.UNKNOWN
    assert (caught.value.code, caught.value.passing) == ("malformed", True)


async def test_a_missing_grant_is_named() -> None:
    refused = [error(401, "unauthenticated")]
    async with (
        twirp(DeleteRoom=refused, RemoveParticipant=refused) as server,
        api_of(server) as api,
    ):
        with pytest.raises(ApiError, match="roomCreate"):
            await api.delete_room("r")
        with pytest.raises(ApiError, match="roomAdmin"):
            await api.remove("r", "sip_1")


async def test_a_server_that_hangs_is_left_at_the_deadline() -> None:
    async with twirp(DeleteRoom=[hang]) as server, api_of(server, timeout=0.05) as api:
        with pytest.raises(ApiError, match=r"no answer within 0\.05 s") as caught:
            await api.delete_room("r")
    assert caught.value.passing


async def test_a_server_that_is_not_there_is_passing() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        credentials = Credentials(f"ws://127.0.0.1:{closed.getsockname()[1]}", "key", SECRET)
        async with ServerApi(credentials, timeout=1.0) as api:
            with pytest.raises(ApiError, match="not reachable") as caught:
                await api.delete_room("r")
    assert (caught.value.code, caught.value.passing) == ("transport", True)


async def test_leaves_no_session_open_and_opens_none_unasked() -> None:
    async with twirp(DeleteRoom=[ok]) as server:
        async with api_of(server):
            assert open_sessions() == 0
        async with api_of(server) as api:
            await api.delete_room("r")
            assert open_sessions() == 1
        assert open_sessions() == 0


@pytest.mark.parametrize("missing", ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"])
def test_a_missing_variable_is_named(missing: str) -> None:
    env = {"LIVEKIT_URL": "wss://x", "LIVEKIT_API_KEY": "k", "LIVEKIT_API_SECRET": SECRET}
    env[missing] = ""
    with pytest.raises(ConfigurationError, match=f"{missing} not set"):
        Credentials.from_env(env)


def test_a_wrong_url_is_refused_and_the_secret_is_never_shown() -> None:
    with pytest.raises(ConfigurationError, match="LIVEKIT_URL is 'localhost:7880'"):
        Credentials("localhost:7880", "key", SECRET)
    assert SECRET not in repr(Credentials("ws://localhost:7880", "key", SECRET))


def test_a_token_alone_opens_the_api_but_no_room() -> None:
    credentials = Credentials.from_env({"LIVEKIT_URL": "wss://x", "LIVEKIT_TOKEN": "t"})
    with pytest.raises(ConfigurationError, match="LIVEKIT_API_KEY"):
        credentials.join_token("r", "me")


def api_of(server: Twirp, timeout: float = 5.0) -> ServerApi:
    return ServerApi(server.credentials, timeout=timeout)


def open_sessions() -> int:
    gc.collect()
    return sum(type(o) is aiohttp.ClientSession and not o.closed for o in gc.get_objects())
