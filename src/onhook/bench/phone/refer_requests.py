"""REFER and NOTIFY within a call, both ways (RFC 3515)."""

from __future__ import annotations

import asyncio

from onhook.bench.phone.leg import Leg
from onhook.bench.phone.phone_errors import NumberError
from onhook.bench.phone.refer import Refer, ReferAnswer, fill_notify, sipfrag_status
from onhook.bench.phone.transactions import ServerTransaction

__all__ = ["send_refer", "take_notify", "take_refer"]


async def send_refer(leg: Leg, to: str, timeout: float) -> int:
    """Ask the other side to call somebody else; see `Call.refer`."""
    if not to.startswith(("sip:", "sips:", "tel:")):
        raise NumberError(f"cannot refer to {to!r}: give a 'sip:', 'sips:' or 'tel:' address")
    request = leg.dialog.request("REFER")
    request.headers.set("Refer-To", f"<{to}>")
    request.headers.set("Referred-By", leg.dialog.contact)
    told = leg.story.notified
    told.clear()
    transaction = await leg.endpoint.send(request, leg.dialog.destination())
    response = await transaction.final()
    if response.code >= 300:
        return response.code
    return await leg.story.until(
        lambda: told[-1] if told and told[-1] >= 200 else None, timeout, "no final NOTIFY"
    )


def take_refer(leg: Leg, transaction: ServerTransaction) -> None:
    """Answer a REFER as the call was told to."""
    answer = leg.on_refer
    to = transaction.request.headers.get("Refer-To")
    if to is None:
        transaction.respond(400, reason="No Refer-To")
        return
    whom = to.partition("<")[2].partition(">")[0] or to
    leg.own(_answer(leg, transaction, answer), "phone-refer")
    leg.story.referred(Refer(whom, transaction.at, answer.status))


def take_notify(leg: Leg, transaction: ServerTransaction) -> None:
    """Take what is reported about our own REFER."""
    transaction.respond(200)
    event = transaction.request.headers.get("Event") or ""
    if event.partition(";")[0].strip() == "refer":
        leg.story.told(sipfrag_status(transaction.request.body))


async def _answer(leg: Leg, transaction: ServerTransaction, answer: ReferAnswer) -> None:
    await asyncio.sleep(answer.delay)
    transaction.respond(answer.status, contact=leg.dialog.contact)
    await _notify(leg, answer, transaction.request.cseq.sequence)


async def _notify(leg: Leg, answer: ReferAnswer, sequence: int) -> None:
    for status in answer.notify:
        await asyncio.sleep(answer.pause)
        if leg.story.ending is not None:
            return
        request = leg.dialog.request("NOTIFY")
        fill_notify(request, status, sequence)
        transaction = await leg.endpoint.send(request, leg.dialog.destination())
        await transaction.final()
