"""How the phone takes a REFER, the request to call somebody else (RFC 3515)."""

from __future__ import annotations

from dataclasses import dataclass

from sipmessage import Request

from onhook.bench.phone.message import REASONS
from onhook.bench.phone.phone_errors import PhoneError

__all__ = ["Refer", "ReferAnswer", "fill_notify", "sipfrag_status"]


@dataclass(frozen=True, slots=True)
class ReferAnswer:
    """What the phone says to a REFER. It never really calls the other number.

    Args:
        status: The response: 202 accepts, anything from 300 refuses.
        notify: The statuses that are then reported by NOTIFY, in their order.
        pause: Seconds before each NOTIFY.
        delay: Seconds before the response. An answer within microseconds, as loopback makes
            possible, can be missed by livekit-sip (sipgo `ClientTx.Init` sets its timer late).

    Raises:
        PhoneError: A status that is none, or a NOTIFY after a refusal.
    """

    status: int = 202
    notify: tuple[int, ...] = (100, 200)
    pause: float = 0.1
    delay: float = 0.01

    def __post_init__(self) -> None:
        if any(not 100 <= status < 700 for status in (self.status, *self.notify)):
            raise PhoneError(f"{self!r}: SIP statuses are 100 to 699")
        if self.status < 200 or (self.status >= 300 and self.notify):
            raise PhoneError(f"{self!r}: give a final status, and NOTIFYs only after a 2xx")

    @classmethod
    def accept(cls) -> ReferAnswer:
        """202, then NOTIFY 100 and 200: the transfer succeeds."""
        return cls()

    @classmethod
    def refuse(cls, status: int = 603) -> ReferAnswer:
        """Refuse outright."""
        return cls(status, ())

    @classmethod
    def silent(cls) -> ReferAnswer:
        """202, and then nothing: the transfer's outcome never comes."""
        return cls(202, ())

    @classmethod
    def fail(cls, status: int = 486) -> ReferAnswer:
        """202, then NOTIFY 100 and a failure: the other number did not take the call."""
        return cls(202, (100, status))


@dataclass(frozen=True, slots=True)
class Refer:
    """A REFER that came.

    Args:
        to: Whom to call, as it stands in Refer-To.
        at: When it came, on the monotonic clock.
        status: What we answered.
    """

    to: str
    at: float
    status: int


def fill_notify(request: Request, status: int, refer_sequence: int) -> None:
    """Make a NOTIFY report how the call to the other number goes (RFC 3515, section 2.4.5).

    Args:
        request: A NOTIFY within the dialog.
        status: The status to report; a final one ends the subscription.
        refer_sequence: The CSeq of the REFER, which is the subscription's id (section 2.4.6).
    """
    final = status >= 200
    state = "terminated;reason=noresource" if final else "active;expires=60"
    request.headers.set("Event", f"refer;id={refer_sequence}")
    request.headers.set("Subscription-State", state)
    request.headers.set("Content-Type", "message/sipfrag;version=2.0")
    request.body = f"SIP/2.0 {status} {REASONS.get(status, 'Unknown')}\r\n".encode()
    request.headers.set("Content-Length", str(len(request.body)))


def sipfrag_status(body: bytes) -> int:
    """Return the status that a NOTIFY reports; 0 when its body has none."""
    words = body.split()
    valid = len(words) >= 2 and words[0] == b"SIP/2.0" and words[1].isdigit()
    return int(words[1]) if valid else 0
