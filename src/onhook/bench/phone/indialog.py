"""Requests within a call: BYE, re-INVITE, REFER, NOTIFY (RFC 3261, section 12.2.2)."""

from __future__ import annotations

import contextlib
import logging

from onhook.bench.phone.call_report import Ending
from onhook.bench.phone.leg import Leg
from onhook.bench.phone.message import ALLOW, contact_uri
from onhook.bench.phone.phone_errors import CallTimeoutError, SdpError
from onhook.bench.phone.refer_requests import take_notify, take_refer
from onhook.bench.phone.transactions import ServerTransaction

__all__ = ["take_request"]

logger = logging.getLogger("onhook.bench.phone")

_SETTLE = 0.5
"""Seconds that a request may be ahead of the answer to our INVITE."""


def take_request(leg: Leg, transaction: ServerTransaction) -> None:
    """Do what the other side asks of a call, once our INVITE has been settled."""
    if leg.outgoing and leg.story.answered_at is None and leg.story.ending is None:
        leg.own(_settle_first(leg, transaction), "phone-early-request")
    else:
        _take(leg, transaction)


async def _settle_first(leg: Leg, transaction: ServerTransaction) -> None:
    """Let the answer be taken in before a BYE that came on its heels."""
    story = leg.story
    with contextlib.suppress(CallTimeoutError):
        await story.until(lambda: story.answered_at or story.ended_at, _SETTLE, "not settled")
    _take(leg, transaction)


def _take(leg: Leg, transaction: ServerTransaction) -> None:
    request = transaction.request
    if request.cseq.sequence < leg.dialog.remote_sequence:
        transaction.respond(500, reason="CSeq Out Of Order")
        return
    leg.dialog.remote_sequence = request.cseq.sequence
    if request.method == "BYE":
        transaction.respond(200)
        leg.story.ended(Ending.BYE_RECEIVED, transaction.at)
        if not leg.outgoing:
            leg.give_up.set()  # an INVITE that still rings gets its final response (15.1.2)
    elif leg.story.ending is not None:
        transaction.respond(481)
    elif request.method == "INVITE":
        transaction.respond(100)
        leg.own(_renegotiate(leg, transaction), "phone-reinvite")
    elif request.method == "REFER":
        take_refer(leg, transaction)
    elif request.method == "NOTIFY":
        take_notify(leg, transaction)
    elif request.method in ("OPTIONS", "INFO"):
        transaction.respond(200)
    else:
        transaction.respond(405, headers={"Allow": ALLOW})


async def _renegotiate(leg: Leg, transaction: ServerTransaction) -> None:
    """Answer a re-INVITE (section 14.2); without an offer it gets our description as it stands."""
    try:
        if transaction.request.body:
            await leg.media.agree(leg.answer_to(transaction.request.body))
    except SdpError as error:
        logger.warning("call to %s: refused a re-INVITE: %s", leg.story.name, error)
        transaction.respond(488)
        return
    leg.dialog.target = contact_uri(transaction.request) or leg.dialog.target
    transaction.respond(200, body=bytes(leg.ours), contact=leg.dialog.contact)
