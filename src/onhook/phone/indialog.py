"""Requests within a call: BYE, re-INVITE, REFER, NOTIFY (RFC 3261, section 12.2.2)."""

from __future__ import annotations

import logging

from onhook.phone.errors import SdpError
from onhook.phone.leg import Leg
from onhook.phone.message import contact_uri
from onhook.phone.report import Ending
from onhook.phone.transactions import ServerTransaction
from onhook.phone.transfer import take_notify, take_refer

__all__ = ["take_request"]

logger = logging.getLogger("onhook.phone")


def take_request(leg: Leg, transaction: ServerTransaction) -> None:
    """Do what the other side asks of a call."""
    request = transaction.request
    if request.cseq.sequence < leg.dialog.remote_sequence:
        transaction.respond(500, reason="CSeq Out Of Order")
        return
    leg.dialog.remote_sequence = request.cseq.sequence
    if request.method == "BYE":
        transaction.respond(200)
        leg.story.ended(Ending.BYE_RECEIVED, transaction.at)
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
        transaction.respond(405)


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
