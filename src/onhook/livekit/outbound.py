"""Dialling a callee through the server's API, and reading how it went."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from google.protobuf.duration_pb2 import Duration
from livekit import api

from onhook.errors import ApiError
from onhook.livekit.api import ServerApi

__all__ = ["DialEnding", "Invitation", "Reply", "invite", "reply_of"]

DialEnding: TypeAlias = Literal["answered", "busy", "declined", "no_answer", "failed"]

_MEANINGS: Mapping[int, DialEnding] = {
    408: "no_answer",
    480: "no_answer",
    487: "no_answer",
    486: "busy",
    600: "busy",
    403: "declined",
    603: "declined",
    607: "declined",
    608: "declined",
}
"""What final responses mean to who dials (RFC 3261 section 21, RFC 8197, RFC 8688)."""
_WAITED = ("canceled", "deadline_exceeded", "timeout")
"""Codes when the ringing time-out ends the dialling (livekit-sip `sipResponse`)."""
_MARGIN = 5.0
"""Seconds beyond the ringing time-out in which the server must have answered the request."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """Whom to call, and how.

    Args:
        room: Room that the callee joins.
        identity: The callee's participant identity.
        number: The number, or the user of a SIP address.
        trunk: Id of the outbound trunk.
        ringing: Seconds after which the server stops dialling by itself.
        caller: The number shown to the callee; one of the trunk's when empty.
        name: The callee's participant name.
        headers: Further header fields of the INVITE.
    """

    room: str
    identity: str
    number: str
    trunk: str
    ringing: float
    caller: str = ""
    name: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """How the dialling ended.

    Args:
        ending: What it means.
        detail: One sentence.
        status: The SIP status, where the far end gave one.
        reason: Its phrase.
    """

    ending: DialEnding
    detail: str
    status: int | None = None
    reason: str = ""


async def invite(server: ServerApi, invitation: Invitation) -> None:
    """Dial, and return when the callee has answered.

    That nobody waits for it any more does not stop the dialling (livekit-server): remove the
    participant then.

    Raises:
        ApiError: They did not answer; `reply_of` reads it.
    """
    ringing = Duration()
    ringing.FromSeconds(math.ceil(invitation.ringing))
    request = api.CreateSIPParticipantRequest(
        sip_trunk_id=invitation.trunk,
        sip_call_to=invitation.number,
        sip_number=invitation.caller,
        room_name=invitation.room,
        participant_identity=invitation.identity,
        participant_name=invitation.name,
        headers=dict(invitation.headers),
        ringing_timeout=ringing,
        wait_until_answered=True,
    )
    made = await server.request(
        f"dial {invitation.number!r} into",
        invitation.room,
        "sip.call",
        lambda client: client.sip.create_sip_participant(request),
        timeout=ringing.seconds + _MARGIN,
    )
    if made is None:
        raise ApiError(
            f"could not dial {invitation.number!r}: there is no trunk {invitation.trunk!r}. Give "
            "the id (ST_...) of an outbound trunk",
            code="not_found",
            passing=False,
        )


def reply_of(error: ApiError) -> Reply:
    """Read from the failure of a request how the dialling ended."""
    cause = error.__cause__
    if isinstance(cause, api.SipCallError) and cause.sip_status_code is not None:
        status, reason = cause.sip_status_code, cause.sip_status or ""
        ending = _MEANINGS.get(status, "failed")
        return Reply(ending, f"the far end answered {status} {reason}", status, reason)
    ending = "no_answer" if error.code in _WAITED else "failed"
    return Reply(ending, str(error))
