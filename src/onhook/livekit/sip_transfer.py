"""SIP REFER through the server's API, with every way in which it can go wrong."""

from __future__ import annotations

import asyncio

from google.protobuf.duration_pb2 import Duration
from livekit import api
from livekit.protocol.sip import (
    SIPTransferReason,
    SIPTransferStatus,
    TransferSIPParticipantResponse,
)

from onhook.errors import ApiError
from onhook.line import Referral
from onhook.livekit.api import ServerApi

__all__ = ["refer"]

_MARGIN = 1.0
"""Seconds beyond the window that the server gets to say how it ended."""
_BUSY = (486, 600)
_NEVER_REPORTED = ("canceled", "deadline_exceeded", "timeout")
"""Codes when the window ends without a final NOTIFY (livekit-sip `TransferCall`)."""


async def refer(server: ServerApi, room: str, identity: str, referral: Referral) -> None:
    """Refer a leg; return when the far end has reported success by NOTIFY.

    Args:
        server: The server's API.
        room: Room name.
        identity: The leg.
        referral: Where to.

    Raises:
        ApiError: It was refused, failed, or its outcome never came; `code` is `"busy"`,
            `"refused"`, `"no_notify"`, `"not_found"` or that of the request.
    """
    window = Duration()
    window.FromMilliseconds(round(1000 * referral.window))
    request = api.TransferSIPParticipantRequest(
        room_name=room,
        participant_identity=identity,
        transfer_to=referral.to,
        play_dialtone=referral.play_dialtone,
        headers=dict(referral.headers),
        ringing_timeout=window,
    )
    what = f"could not transfer {identity!r} in room {room!r} to {referral.to}"
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        answer = await server.request(
            f"transfer {identity!r} to {referral.to} from",
            room,
            "sip.call and roomAdmin",
            lambda client: client.sip.transfer_sip_participant(request),
            timeout=referral.window + _MARGIN,
        )
    except ApiError as error:
        if error.code in _NEVER_REPORTED and clock() - began >= 0.9 * referral.window:
            raise ApiError(
                f"{what}: the far end did not report success or failure (NOTIFY) within "
                f"{referral.window:g} s. Its trunk must take REFER and send NOTIFY",
                code="no_notify",
                passing=False,
            ) from error
        if isinstance(error.__cause__, api.SipCallError):
            raise _refused(what, error.__cause__) from error
        raise
    if answer is None:
        raise ApiError(f"{what}: that leg is not there any more", code="not_found", passing=False)
    _check(what, answer)


def _refused(what: str, error: api.SipCallError) -> ApiError:
    status = error.sip_status_code
    phrase = error.sip_status or error.sip_transfer_reason or error.message
    return _failure(what, status or 0, phrase)


def _check(what: str, answer: TransferSIPParticipantResponse) -> None:
    """Read the response: empty up to server 1.13.5; later a failure comes without an error."""
    if not answer.ByteSize() or answer.status == SIPTransferStatus.STS_TRANSFER_SUCCESSFUL:
        return
    reason = SIPTransferReason.Name(answer.reason)
    if answer.reason == SIPTransferReason.STR_RINGING_TIMEOUT:
        raise ApiError(f"{what}: {reason}: nobody answered", code="no_notify", passing=False)
    raise _failure(what, int(answer.sip_status.code), answer.sip_status.status or reason)


def _failure(what: str, status: int, phrase: str) -> ApiError:
    if status in _BUSY:
        return ApiError(
            f"{what}: the target is busy ({status} {phrase})", code="busy", passing=False
        )
    answered = f"SIP {status} {phrase}" if status else phrase
    return ApiError(f"{what}: refused with {answered}", code="refused", passing=False)
