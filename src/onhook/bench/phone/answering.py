"""Being called: ring, then answer, refuse, or never do anything (RFC 3261, section 13.3)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TypeAlias

from onhook.bench.phone.call_report import Ending
from onhook.bench.phone.leg import Leg
from onhook.bench.phone.message import REASONS
from onhook.bench.phone.phone_errors import PhoneError, SdpError
from onhook.bench.phone.transactions import ServerTransaction

__all__ = ["Answer", "Answering", "Reject", "Ring", "take_cancel", "take_invite"]


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the call.

    Args:
        after: Seconds to ring before.
    """

    after: float = 0.0

    def __post_init__(self) -> None:
        _check_seconds(self.after)


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse the call.

    Args:
        status: With this: 486 busy, 603 declined, 480 unavailable, ...
        after: Seconds to ring before.
    """

    status: int = 486
    after: float = 0.0

    def __post_init__(self) -> None:
        _check_seconds(self.after)
        if not 300 <= self.status < 700:
            raise PhoneError(f"cannot reject with {self.status!r}: give a status of 300 to 699")


@dataclass(frozen=True, slots=True)
class Ring:
    """Ring for ever: never answered, never refused."""


Answering: TypeAlias = Answer | Reject | Ring
"""What a phone does with a call that comes in."""


async def take_invite(leg: Leg, transaction: ServerTransaction, answering: Answering) -> None:
    """Do with the call what we were told to.

    Raises:
        PhoneError: The caller can no longer be reached.
    """
    if transaction.status >= 200:
        leg.story.ended(Ending.CANCELLED, transaction.at)  # before it could even ring
        return
    after = None if isinstance(answering, Ring) else answering.after
    if after != 0 or isinstance(answering, Answer):
        _respond(leg, transaction, 180)
    told = await _ring(leg, after)
    if leg.story.ending is not None:
        if transaction.status < 200:
            transaction.respond(487)  # the caller sent BYE instead of CANCEL
        return
    if told or not isinstance(answering, Answer):
        _reject(leg, transaction, answering.status if isinstance(answering, Reject) else 603)
        return
    try:
        agreement = leg.answer_to(transaction.request.body)
    except SdpError as error:
        _reject(leg, transaction, 488, str(error))
        return
    _respond(leg, transaction, 200, bytes(leg.ours))
    await leg.media.agree(agreement)
    if transaction.acknowledged is not None and not await transaction.acknowledged:
        await leg.bye(Ending.TIMEOUT, "the caller never acknowledged our answer")


def take_cancel(leg: Leg, transaction: ServerTransaction, invite: ServerTransaction) -> None:
    """Let the caller give up while it rings (section 9.2); once answered, it has no effect."""
    transaction.respond(200)
    if invite.status >= 200:
        return
    invite.respond(487)
    leg.story.responded(487, REASONS[487], transaction.at)
    leg.story.ended(Ending.CANCELLED, transaction.at)
    leg.give_up.set()


async def _ring(leg: Leg, seconds: float | None) -> bool:
    """Ring for that long; return whether we were told to stop before."""
    try:
        async with asyncio.timeout(seconds):
            await leg.give_up.wait()
    except TimeoutError:
        return False
    return True


def _respond(leg: Leg, transaction: ServerTransaction, status: int, body: bytes = b"") -> None:
    transaction.respond(status, body=body, contact=leg.dialog.contact)
    leg.story.responded(status, REASONS.get(status, ""), time.monotonic())


def _reject(leg: Leg, transaction: ServerTransaction, status: int, reason: str = "") -> None:
    _respond(leg, transaction, status)
    leg.story.ended(Ending.REJECTED, time.monotonic(), reason)


def _check_seconds(seconds: float) -> None:
    if not 0 <= seconds < 3600:
        raise PhoneError(f"cannot ring for {seconds!r} seconds: give 0 to 3600")
