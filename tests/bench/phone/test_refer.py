from __future__ import annotations

import asyncio

import pytest

from onhook.bench.phone import CallTimeoutError, NumberError, PhoneError, ReferAnswer
from onhook.bench.phone.refer import sipfrag_status
from tests.bench.phone.conftest import Pair


@pytest.mark.parametrize(
    ("answer", "status"),
    [(ReferAnswer.accept(), 200), (ReferAnswer.refuse(), 603), (ReferAnswer.fail(486), 486)],
    ids=["accept", "refuse", "fail"],
)
async def test_refer(pair: Pair, answer: ReferAnswer, status: int) -> None:
    dialled, received = await pair.call()
    received.on_refer = answer
    assert await dialled.refer("tel:+15550123") == status
    assert await received.referred(1) == "tel:+15550123"
    (refer,) = received.report().refers
    assert refer.status == answer.status
    assert dialled.is_up
    assert received.is_up


async def test_accepted_and_then_nothing(udp: Pair) -> None:
    dialled, received = await udp.call()
    received.on_refer = ReferAnswer.silent()
    with pytest.raises(CallTimeoutError, match="no final NOTIFY"):
        await dialled.refer("sip:sales@example.org", timeout=0.3)
    assert received.on_refer == ReferAnswer(202, ())


async def test_the_call_ends_before_the_notify(udp: Pair) -> None:
    dialled, received = await udp.call()
    received.on_refer = ReferAnswer(202, (200,), pause=0.2)
    asking = asyncio.create_task(dialled.refer("tel:+1", timeout=0.5))
    await received.referred(1)
    await received.hang_up()
    with pytest.raises(CallTimeoutError):
        await asking


async def test_bad_input(udp: Pair) -> None:
    dialled, _ = await udp.call()
    with pytest.raises(NumberError, match="cannot refer to"):
        await dialled.refer("+15550123")
    for wrong in ((99, ()), (180, ()), (603, (200,)), (202, (1000,))):
        with pytest.raises(PhoneError):
            ReferAnswer(*wrong)


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"SIP/2.0 200 OK\r\n", 200), (b"SIP/2.0 486", 486), (b"", 0), (b"SIP/2.0 x", 0)],
)
def test_sipfrag(body: bytes, status: int) -> None:
    assert sipfrag_status(body) == status
