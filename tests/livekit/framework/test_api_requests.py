"""Contracts with undocumented details of livekit-api: what breaks when one changes."""

from __future__ import annotations

import asyncio
import contextlib
from types import FrameType

import aiohttp
import pytest
from aiohttp import web
from livekit import api
from livekit.protocol.room import PerformRpcRequest, PerformRpcResponse

from onhook.jobguard.coroutines import frames_of
from onhook.livekit.framework import api_requests, versions
from onhook.livekit.framework.api_requests import is_answered, perform_rpc, transfer_asked
from tests.livekit.twirp import SECRET, Answer, error, hang, ok, says, twirp

ASKED = api.TransferSIPParticipantRequest(
    room_name="r", participant_identity="sip_1", transfer_to="tel:+15550123"
)


async def sent(answer: Answer, *, limit: float, wrapped: bool = False) -> FrameType:
    """Send a request as agents do; return its frame after it has ended."""

    async def transfer() -> None:
        async with api.LiveKitAPI(f"http://127.0.0.1:{server.port}", "key", SECRET) as client:
            request = client.sip.transfer_sip_participant(ASKED)
            if wrapped:
                await asyncio.wait_for(request, limit)
            else:
                async with asyncio.timeout(limit):
                    await request

    async with twirp(TransferSIPParticipant=[arrived := Arrived(answer)]) as server:
        task = asyncio.create_task(transfer())
        await arrived.event.wait()
        frames = [f for each in asyncio.all_tasks() for f in frames_of(each)]
        found = [f for f in frames if transfer_asked(f) is not None]
        assert len(found) == 1
        assert not is_answered(found[0])
        arrived.go.set()
        with contextlib.suppress(TimeoutError, api.ServerError):
            await task
        return found[0]


class Arrived:
    """An answer that waits until the test has looked at the request."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.event, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> web.Response:
        self.event.set()
        await self.go.wait()
        return await self.answer()


@pytest.mark.parametrize(
    ("answer", "answered"),
    [
        (ok, True),
        (error(412, "failed_precondition"), True),
        (error(503, "unavailable", sip_status_code="486"), True),
        (hang, False),
    ],
)
async def test_a_request_to_transfer_is_seen_and_whether_it_was_answered(
    answer: Answer, answered: bool
) -> None:
    frame = await sent(answer, limit=5.0 if answered else 0.3)
    assert is_answered(frame) is answered
    asked = transfer_asked(frame)
    assert asked is not None
    assert (asked.participant_identity, asked.transfer_to) == ("sip_1", "tel:+15550123")


async def test_a_request_in_a_task_of_its_own_is_seen() -> None:
    assert not is_answered(await sent(hang, limit=0.3, wrapped=True))


async def test_other_coroutines_ask_for_nothing() -> None:
    frames = [frame for task in asyncio.all_tasks() for frame in frames_of(task)]
    assert frames
    assert not any(transfer_asked(frame) for frame in frames)


async def test_without_the_client_it_is_said_once_what_does_not_work(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    versions.tell_once.cache_clear()
    monkeypatch.setattr(api_requests, "_CLIENT", None)
    monkeypatch.setattr(api_requests, "_REQUEST", None)
    frames = [frame for task in asyncio.all_tasks() for frame in frames_of(task)]
    assert not any(transfer_asked(frame) for frame in (*frames, *frames))
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            with pytest.raises(NotImplementedError):
                await perform_rpc(session, "http://127.0.0.1:1", "token", PerformRpcRequest())
    assert len(caplog.messages) == 2


async def test_a_participants_method_is_called_by_the_librarys_own_client() -> None:
    """Without it nobody proves that it lives: what a silent job is, nobody can tell."""
    wanted = PerformRpcRequest(room="r", destination_identity="agent-1", method="onhook.alive")
    async with (
        twirp(PerformRpc=[says(PerformRpcResponse(payload="alive"))]) as server,
        aiohttp.ClientSession() as session,
    ):
        url = f"http://127.0.0.1:{server.port}"
        assert (await perform_rpc(session, url, "token", wanted)).payload == "alive"
        assert PerformRpcRequest.FromString(server.bodies[0]) == wanted
