from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from google.protobuf.message import Message
from livekit.protocol.room import PerformRpcRequest, PerformRpcResponse

from onhook.livekit import Credentials
from onhook.sentinel import probes
from onhook.sentinel.call_view import ProbeResult
from onhook.sentinel.probes import Prober
from tests.livekit.twirp import Answer, says, twirp

ANSWERED, BLOCKED, GONE = ProbeResult.ANSWERED, ProbeResult.BLOCKED, ProbeResult.GONE
UNKNOWN = ProbeResult.UNKNOWN
RESPONSE: Message = PerformRpcResponse(payload="alive")


def refuses(status: int, said: str) -> Answer:
    async def answer() -> web.Response:
        body = {"code": "canceled", "msg": f"twirp error unknown: {said}"}
        return web.json_response(body, status=status)

    return answer


async def page() -> web.Response:
    return web.Response(body=b"<html>", content_type="text/html")


async def asked(answer: Answer) -> ProbeResult:
    async with twirp(PerformRpc=[answer]) as server, Prober(server.credentials) as prober:
        return await prober.ask("r", "agent-1")


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (says(RESPONSE), ANSWERED),
        (refuses(400, "RpcError 1400: Method not supported at destination"), ANSWERED),
        (refuses(408, "RpcError 1502: Response timeout"), BLOCKED),
        (refuses(408, "RpcError 1501: Connection timeout"), GONE),
        (refuses(503, "no response from servers"), ProbeResult.ABSENT),
        (refuses(503, "service unavailable"), UNKNOWN),
        (refuses(401, "permissions denied"), UNKNOWN),
        (page, UNKNOWN),
    ],
)
async def test_an_answer_is_one_of_three_states_or_proves_nothing(
    answer: Answer, result: ProbeResult
) -> None:
    assert await asked(answer) is result


async def test_the_server_is_asked_so_that_it_can_tell_the_states_apart() -> None:
    async with twirp(PerformRpc=[says(RESPONSE)]) as server, Prober(server.credentials) as prober:
        await prober.ask("r", "agent-1")
    request = PerformRpcRequest.FromString(server.bodies[0])
    assert (request.room, request.destination_identity) == ("r", "agent-1")
    assert 2000 < request.response_timeout_ms < 3000


async def test_a_server_that_says_nothing_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang() -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    monkeypatch.setattr(probes, "_MARGIN", -2.4)
    assert await asked(hang) is UNKNOWN


async def test_a_server_that_is_not_there_proves_nothing() -> None:
    async with Prober(Credentials("ws://127.0.0.1:1", "key", "secret" * 6)) as prober:
        assert await prober.ask("r", "agent-1") is UNKNOWN


async def test_without_a_budget_nobody_is_asked() -> None:
    async with (
        twirp(PerformRpc=[says(RESPONSE)]) as server,
        Prober(server.credentials, spend=lambda: False) as prober,
    ):
        assert await prober.ask("r", "agent-1") is UNKNOWN
    assert not server.calls
