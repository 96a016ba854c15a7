"""Dialling: an INVITE and everything that can come back (RFC 3261, sections 9.1 and 13.2)."""

from __future__ import annotations

import asyncio
import contextlib

from sipmessage import Request, Response

from onhook.bench.phone.auth import Credentials, authorize
from onhook.bench.phone.call_report import Ending
from onhook.bench.phone.leg import Leg
from onhook.bench.phone.message import Received, branch_of
from onhook.bench.phone.phone_errors import CallTimeoutError, PhoneError, SdpError
from onhook.bench.phone.transactions import ClientTransaction

__all__ = ["invite"]

_AUTHORIZATION = ("Authorization", "Proxy-Authorization")


async def invite(
    leg: Leg, request: Request, credentials: Credentials | None, ring_timeout: float
) -> None:
    """Send the INVITE, and follow it to its end.

    Args:
        leg: The call.
        request: Its INVITE.
        credentials: For a server that wants them.
        ring_timeout: Seconds until it is cancelled unanswered.

    Raises:
        PhoneError: Nobody is there, or the server wants what we cannot do.
    """
    received, response = await _attempt(leg, request, ring_timeout)
    if response.code in (401, 407) and credentials is not None:
        request = authorize(request, response, credentials)
        leg.dialog.sequence = request.cseq.sequence
        received, response = await _attempt(leg, request, ring_timeout)
    if response.code < 300:
        await _confirm(leg, request, received, response)
        return
    leg.story.responded(response.code, response.phrase, received.at)
    gave_up = leg.gave_up if response.code == 487 else None
    leg.story.ended(gave_up or Ending.REJECTED, received.at)


async def _attempt(leg: Leg, request: Request, ring_timeout: float) -> tuple[Received, Response]:
    """Return the final response."""
    transaction = await leg.endpoint.send(request, leg.dialog.destination())
    giving_up = asyncio.create_task(_give_up(leg, transaction, ring_timeout), name="phone-cancel")
    try:
        while True:
            received, response = await transaction.next()
            if response.code >= 200:
                return received, response
            leg.story.responded(response.code, response.phrase, received.at)
    except CallTimeoutError as error:
        if leg.gave_up is None:
            raise
        raise CallTimeoutError(f"no final response to our CANCEL: {error}") from error
    finally:
        giving_up.cancel()
        await asyncio.gather(giving_up, return_exceptions=True)


async def _give_up(leg: Leg, transaction: ClientTransaction, ring_timeout: float) -> None:
    """Send CANCEL when told to, or when it rings for too long, but not before any response came."""
    try:
        async with asyncio.timeout(ring_timeout):
            await leg.give_up.wait()
        leg.gave_up = Ending.CANCELLED
    except TimeoutError:
        leg.gave_up = Ending.TIMEOUT
    await transaction.provisional.wait()
    invite = transaction.request
    cancel = leg.dialog.request("CANCEL", sequence=invite.cseq.sequence, branch=branch_of(invite))
    with contextlib.suppress(PhoneError):  # how the INVITE ends is what counts
        await (await leg.endpoint.send(cancel, transaction.to)).final()
    await asyncio.sleep(leg.endpoint.timers.give_up)
    transaction.abandon()


async def _confirm(leg: Leg, request: Request, received: Received, response: Response) -> None:
    """Acknowledge the answer (section 13.2.2.4) and begin to talk."""
    leg.dialog.confirm(response)
    ack = leg.dialog.request("ACK", sequence=request.cseq.sequence)
    for name in _AUTHORIZATION:
        if (value := request.headers.get(name)) is not None:
            ack.headers.set(name, value)
    to = await leg.endpoint.wire.reach(leg.dialog.destination())
    leg.ack = (ack, to)
    leg.endpoint.wire.send(ack, to)
    if leg.gave_up is Ending.TIMEOUT or leg.story.ending is not None:
        await leg.bye(Ending.TIMEOUT, "answered while it was being cancelled")
        return
    try:
        await leg.agree(response.body)
    except SdpError as error:
        await leg.bye(Ending.FAILED, str(error))
        return
    leg.story.responded(response.code, response.phrase, received.at)
