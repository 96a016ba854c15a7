"""A REFER that still rings: the caller is on their way, and nothing may end their leg."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from livekit import api

from onhook.call import LineState
from onhook.faults import Fault, Severity
from onhook.incident import Failure
from onhook.jobguard.detectors.transfers import Transfers
from onhook.line import Referral
from onhook.livekit import ServerApi
from onhook.livekit.sip_transfer import refer
from tests.fakes import FakeLine, call_of, caller, fails, human, refused, takes
from tests.jobguard.fakes import ROOM
from tests.jobguard.guarded import Guarded, returns
from tests.livekit.twirp import SECRET, Twirp, error, hang, twirp

TO = "tel:+15550188"


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.fixture
async def far_end() -> AsyncIterator[Twirp]:
    """A server at which a transfer rings for ever."""
    async with twirp(TransferSIPParticipant=[hang]) as server:
        yield server


async def asks(server: Twirp, *, gives_up: float = 0.6, room: str = ROOM) -> None:
    """Ask for a transfer as agents do, and give up waiting for it."""
    asked = api.TransferSIPParticipantRequest(
        room_name=room, participant_identity="sip_1", transfer_to=TO, headers={"X-Why": "sales"}
    )
    async with api.LiveKitAPI(f"http://127.0.0.1:{server.port}", "key", SECRET) as client:
        try:
            async with asyncio.timeout(gives_up):
                await client.sip.transfer_sip_participant(asked)
        except (TimeoutError, api.ServerError):
            return


async def ending_after_a_transfer(server: Twirp, line: FakeLine) -> Guarded:
    """A guarded job that asks for a transfer, does not wait for it, and ends."""
    guarded = Guarded(line)

    async def entrypoint(_: object) -> None:
        await asks(server)

    await guarded.start(entrypoint)
    await guarded.job.end("user requested")
    return guarded


async def test_a_transfer_that_succeeds_after_its_request_has_timed_out_is_left_alone(
    far_end: Twirp,
) -> None:
    line = FakeLine(call_of(caller()), transfers=[takes(1.0)])
    guarded = await ending_after_a_transfer(far_end, line)
    assert guarded.watch.faults == []
    assert line.asked == ["transfer sip_1"], "asked again for the same, and nothing else"
    again = line.referrals[0]
    assert (again.to, dict(again.headers)) == (TO, {"X-Why": "sales"})
    assert 25 < again.window <= 30, "what is left of the window"


async def test_a_transfer_that_fails_gives_its_caller_words_and_the_release(far_end: Twirp) -> None:
    line = FakeLine(call_of(caller()), transfers=[fails(refused("busy"))])
    guarded = await ending_after_a_transfer(far_end, line)
    assert guarded.watch.faults == ["agent.shutdown"]
    assert line.asked == ["transfer sip_1", "say", "delete"]


async def test_a_colleague_still_keeps_the_caller_when_the_transfer_fails(far_end: Twirp) -> None:
    line = FakeLine(call_of(caller(), human()), transfers=[fails(refused("busy"))])
    await ending_after_a_transfer(far_end, line)
    assert line.asked == ["transfer sip_1"]


async def test_a_transfer_that_was_refused_is_over() -> None:
    line = FakeLine(call_of(caller()))
    answer = error(486, "unavailable", sip_status_code="486")
    async with twirp(TransferSIPParticipant=[answer]) as server:
        await ending_after_a_transfer(server, line)
    assert line.asked == ["delete"], "and nobody is asked again"


async def test_a_request_that_still_runs_is_seen_when_the_job_ends(far_end: Twirp) -> None:
    line = FakeLine(call_of(caller()))
    guarded = Guarded(line)
    await guarded.start(returns)
    asking = asyncio.create_task(asks(far_end, gives_up=10))
    while not far_end.calls:  # noqa: ASYNC110 - the server has no event
        await asyncio.sleep(0.01)
    await guarded.job.end("user requested")
    assert line.asked == ["transfer sip_1"]
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def test_a_rescue_that_is_cancelled_while_it_waits_has_done_nothing_and_may_come_again(
    far_end: Twirp,
) -> None:
    line = FakeLine(call_of(caller()), transfers=[takes(60.0)])
    guarded = Guarded(line)
    await guarded.start(lambda _: asks(far_end))
    rescuer = guarded.guard.rescuer
    rescue = asyncio.create_task(rescuer.rescue(Failure(Fault.SESSION_CLOSED, "x", now())))
    while not line.asked:  # noqa: ASYNC110 - a fake line has no event
        await asyncio.sleep(0.01)
    rescue.cancel()
    await asyncio.gather(rescue, return_exceptions=True)
    assert not rescuer.state.lost
    assert line.asked == ["transfer sip_1"]
    line.transfers = [takes(0.1)]
    await guarded.job.end("user requested")
    assert guarded.watch.faults == []


async def test_soft_words_do_not_speak_into_a_transfer(far_end: Twirp) -> None:
    line = FakeLine(call_of(caller()))
    guarded = Guarded(line)
    await guarded.start(lambda _: asks(far_end))
    settled = asyncio.create_task(asyncio.sleep(0.5, False))
    failure = Failure(Fault.LLM_STALLED, "x", now(), severity=Severity.IMPAIRED)
    await guarded.guard.rescuer.soften(failure, settled)
    assert line.asked == []
    guarded.guard.release("the test is over")
    await guarded.job.end()


async def test_where_nobody_can_be_asked_the_window_and_the_leg_tell(far_end: Twirp) -> None:
    clock = Clock()
    transfers = Transfers(ROOM, clock)
    line = FakeLine(call_of(caller()), transfers=[fails(refused("invalid_argument"))])
    await seen(transfers, far_end)
    clock.time += 29.8
    transfer = transfers.under_way(line.call)
    assert transfer is not None
    assert "invalid_argument" in await transfers.ends(line, transfer)
    assert clock.time == 29.8


async def test_who_only_observes_asks_for_no_transfer(far_end: Twirp) -> None:
    line = FakeLine(call_of(caller()))
    transfers = Transfers(ROOM, now)
    await seen(transfers, far_end)
    transfer = transfers.under_way(line.call)
    assert transfer is not None
    waiting = asyncio.create_task(transfers.ends(line, transfer, ask=False))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    line.call = call_of()
    async with asyncio.timeout(5):
        assert await waiting == ""
    assert line.asked == []


async def test_a_window_that_has_passed_and_another_room_hold_nothing(far_end: Twirp) -> None:
    clock = Clock()
    transfers = Transfers(ROOM, clock)
    await seen(transfers, far_end)
    assert transfers.under_way(call_of(caller(LineState.ACTIVE, "sip_2"))) is None
    assert transfers.until == 30.0
    clock.time += 30.1
    assert transfers.under_way(call_of(caller())) is None
    assert transfers.until == 0.0
    await seen(elsewhere := Transfers("call-2", clock), far_end)
    assert elsewhere.under_way(call_of(caller())) is None


async def test_a_transfer_of_our_own_ladder_is_no_evidence(far_end: Twirp) -> None:
    transfers = Transfers(ROOM, now)
    async with ServerApi(far_end.credentials, timeout=5.0) as server:
        own = asyncio.create_task(refer(server, ROOM, "sip_1", Referral(TO, 10)))
        while not far_end.calls:  # noqa: ASYNC110 - the server has no event
            await asyncio.sleep(0.01)
        assert transfers.under_way(call_of(caller())) is None
        own.cancel()
        await asyncio.gather(own, return_exceptions=True)


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


async def seen(transfers: Transfers, server: Twirp) -> None:
    """Let a transfer be asked for and given up, in sight of its detector."""
    watching = asyncio.create_task(transfers.watch())
    await asks(server)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
