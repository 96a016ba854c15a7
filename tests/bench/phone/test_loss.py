"""Datagrams get lost; the call does not (RFC 3261, section 17)."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from sipmessage import Request, Response

from onhook.bench.phone import Answer, Ending, Phone, ReferAnswer, Reject, Ring, Timers
from onhook.bench.phone.message import Host
from onhook.bench.phone.sip_transport import UdpWire
from tests.bench.phone.conftest import FAST, Pair


def kind(message: Request | Response) -> str:
    if isinstance(message, Request):
        return message.method
    return f"{message.code} {message.cseq.method}"


class Loss:
    """Drops the first of some kinds of message."""

    def __init__(self, **drop: int) -> None:
        self.left = Counter({name.replace("_", " ").strip(): times for name, times in drop.items()})
        self.sent: Counter[str] = Counter()


@pytest.fixture
def loss(monkeypatch: pytest.MonkeyPatch) -> Loss:
    state = Loss()
    really = UdpWire.send

    def send(self: UdpWire, message: Request | Response, to: Host) -> None:
        name = kind(message)
        state.sent[name] += 1
        if state.left[name] > 0:
            state.left[name] -= 1
        else:
            really(self, message, to)

    monkeypatch.setattr(UdpWire, "send", send)
    return state


@pytest.mark.parametrize(
    "drop",
    ["INVITE", "100 INVITE", "180 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE"],
)
async def test_a_call_survives_the_loss_of_anything(udp: Pair, loss: Loss, drop: str) -> None:
    udp.callee.answering = Answer(after=0.1)
    loss.left[drop] = 2
    dialled, received = await udp.call()
    await asyncio.sleep(0.3)  # until the ACK has come, too
    await dialled.hang_up()
    assert (await received.ended(2)).how == "bye received"
    assert dialled.report().how == "bye sent"
    assert dialled.is_up is received.is_up is False


@pytest.mark.parametrize("drop", ["CANCEL", "200 CANCEL", "487 INVITE", "ACK"])
async def test_a_cancel_survives_too(udp: Pair, loss: Loss, drop: str) -> None:
    udp.callee.answering = Ring()
    loss.left[drop] = 2
    dialled = await udp.caller.dial(udp.callee.uri)
    await dialled.ringing(2)
    await dialled.hang_up()
    assert dialled.report().how == "cancelled"
    assert (await udp.callee.calls[0].ended(2)).how == "cancelled"


@pytest.mark.parametrize("drop", ["486 INVITE", "ACK"])
async def test_a_refusal_survives(udp: Pair, loss: Loss, drop: str) -> None:
    udp.callee.answering = Reject()
    loss.left[drop] = 2
    dialled = await udp.caller.dial(udp.callee.uri)
    assert (await dialled.ended(2)).how == "rejected 486"
    await asyncio.sleep(0.5)
    sent = loss.sent["486 INVITE"]
    await asyncio.sleep(0.3)
    assert loss.sent["486 INVITE"] == sent  # the ACK has ended it


@pytest.mark.parametrize("drop", ["REFER", "202 REFER", "NOTIFY", "200 NOTIFY"])
async def test_a_refer_survives_and_is_taken_once(udp: Pair, loss: Loss, drop: str) -> None:
    loss.left[drop] = 2
    dialled, received = await udp.call()
    received.on_refer = ReferAnswer.accept()
    assert await dialled.refer("tel:+1", timeout=3) == 200
    assert len(received.report().refers) == 1


async def test_an_invite_is_sent_again_at_doubling_intervals(loss: Loss) -> None:
    loss.left["INVITE"] = 1000
    async with Phone(timers=Timers(t1=0.01)) as phone:
        call = await phone.dial("sip:100@127.0.0.1:9")
        assert (await call.ended(2)).ending is Ending.TIMEOUT
    assert loss.sent["INVITE"] == 7  # at 0, 1, 3, 7, 15, 31, 63 times T1; given up at 64


async def test_a_callee_whose_answer_is_never_acknowledged_hangs_up(loss: Loss) -> None:
    loss.left["ACK"] = 1000
    async with Phone(timers=FAST) as caller, Phone(timers=Timers(t1=0.01)) as callee:
        call = await caller.dial(callee.uri)
        received = await callee.next_call(2)
        report = await received.ended(3)
        assert report.ending is Ending.TIMEOUT
        assert "never acknowledged" in report.reason
        assert (await call.ended(2)).how == "bye received"


async def test_nobody_answers_the_bye(loss: Loss) -> None:
    async with Phone(timers=Timers(t1=0.01)) as callee:
        async with Phone(timers=Timers(t1=0.01)) as caller:
            call = await caller.dial(callee.uri)
            await call.answered(2)
            loss.left["BYE"] = 1000
            await call.hang_up()
            assert call.report().how == "bye sent"
        loss.left.clear()
