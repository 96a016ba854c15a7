"""What became of a call: how it went, and what was heard, all on one monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from onhook.bench.phone.dtmf import Digit
from onhook.bench.phone.media import Packets
from onhook.bench.phone.refer import Refer
from onhook.bench.phone.sound_segments import Hearing

__all__ = ["Ending", "Report"]


class Ending(StrEnum):
    """How a call ended."""

    BYE_RECEIVED = "bye received"
    BYE_SENT = "bye sent"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Report:
    """A frozen picture of a call, taken while it lasts or after its end. Times are monotonic.

    Args:
        call_id: The SIP Call-ID.
        number: The other side.
        outgoing: Whether we dialled.
        invited_at: When the INVITE was first sent, or came.
        ringing_at: When the first 180 or 183 came, or was sent.
        answered_at: When the 200 came, or was sent.
        ended_at: When the BYE, the final response or the CANCEL came or was sent.
        ending: How it ended; None while it lasts.
        status: The newest SIP status of the INVITE, 0 before any.
        reason: Its phrase, or what went wrong.
        hearing: What was heard, from the answer (or earlier media) to the end.
        digits: The digits that came.
        refers: The REFERs that came.
        packets: The RTP packets.
    """

    call_id: str
    number: str
    outgoing: bool
    invited_at: float
    ringing_at: float | None
    answered_at: float | None
    ended_at: float | None
    ending: Ending | None
    status: int
    reason: str
    hearing: Hearing
    digits: tuple[Digit, ...]
    refers: tuple[Refer, ...]
    packets: Packets

    @property
    def how(self) -> str:
        """How it ended in a few words, such as `bye received` or `rejected 486`."""
        if self.ending is None:
            return "still up"
        return f"rejected {self.status}" if self.ending is Ending.REJECTED else str(self.ending)

    @property
    def answered(self) -> bool:
        """Whether anybody answered."""
        return self.answered_at is not None

    def since_invite(self, moment: float | None) -> float | None:
        """Return a moment in seconds since the INVITE."""
        return None if moment is None else round(moment - self.invited_at, 3)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON; every time in seconds since the INVITE."""
        return {
            "call_id": self.call_id,
            "number": self.number,
            "outgoing": self.outgoing,
            "ringing": self.since_invite(self.ringing_at),
            "answered": self.since_invite(self.answered_at),
            "ended": self.since_invite(self.ended_at),
            "ending": self.how,
            "status": self.status,
            "reason": self.reason,
            "heard": self.hearing.as_dict(self.invited_at),
            "digits": "".join(digit.digit for digit in self.digits),
            "refers": [
                {"to": refer.to, "at": self.since_invite(refer.at), "status": refer.status}
                for refer in self.refers
            ],
            "packets": {
                "sent": self.packets.sent,
                "received": self.packets.received,
                "lost": self.packets.lost,
            },
        }
