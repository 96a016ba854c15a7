"""`Transfer`: send the caller to a human or a queue, by SIP REFER."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar

from onhook.call import Leg, LineState
from onhook.errors import OnhookError, PolicyError
from onhook.faults import Fault
from onhook.incident import Ending
from onhook.line import Line, Referral
from onhook.rungs.base import Climb
from onhook.validation import require_seconds, require_text

__all__ = ["Transfer"]

_LEAVING = 4.0
"""Seconds for the leg to leave. livekit-sip ends it 1 s after the NOTIFY (`referByeTimeout`)."""
_SCHEMES = ("sip:", "sips:", "tel:")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Transfer:
    """Refer every answered caller to another address (RFC 3515), a cold transfer.

    The trunk's far end must accept REFER and report by NOTIFY. It has succeeded when the far end
    said so and the callers have left; a refusal leads to the next rung at once. Needs the grants
    `sip.call` and `roomAdmin`.

    Args:
        to: A `sip:`, `sips:` or `tel:` address.
        headers: Further header fields of the REFER.
        play_dialtone: Whether the caller hears a ringing tone meanwhile.
        deadline: Seconds for everything. The target has all of it but the last 4 to answer, or
            half of it where that is less.

    Raises:
        PolicyError: A value is of the wrong type or out of range.
    """

    name: ClassVar[str] = "transfer"
    terminal: ClassVar[bool] = False
    settles: ClassVar[Ending | None] = "transferred"

    to: str
    _: KW_ONLY
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    play_dialtone: bool = False
    deadline: float = 35.0

    def __post_init__(self) -> None:
        require_text("Transfer", "to", self.to, "an address, 'tel:+15550123' or 'sip:desk@HOST'")
        scheme = next((s for s in _SCHEMES if self.to.startswith(s)), "")
        if not scheme or self.to == scheme or re.search(r"[\s<>]", self.to):
            raise PolicyError(
                f"Transfer(to={self.to!r}): give an address that begins with 'sip:', 'sips:' or "
                "'tel:' and has no blank in it, for example 'tel:+15550123'"
            )
        if not _are_headers(self.headers):
            raise PolicyError(
                f"Transfer(headers={self.headers!r}): give a dict of header names to texts of one "
                "line each"
            )
        object.__setattr__(self, "headers", dict(self.headers))
        if not isinstance(self.play_dialtone, bool):
            raise PolicyError(f"Transfer(play_dialtone={self.play_dialtone!r}): give True or False")
        require_seconds("Transfer", "deadline", self.deadline)

    async def climb(self, climb: Climb) -> str:
        """See `Rung.climb`. A resumed one asks nobody again and only waits for the leg to leave."""
        callers = (await climb.whole()).callers
        answered = [leg for leg in callers if leg.line in (LineState.ACTIVE, LineState.UNKNOWN)]
        if not answered:
            raise _failed(
                f"cannot refer to {self.to}: no caller's line has been answered, and only an "
                "answered one can be transferred"
            )
        send = self._await_leaving if climb.resumed else self._refer
        results = await asyncio.gather(
            *(send(climb.line, leg) for leg in answered), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
        if len(answered) < len(callers):
            rest = ", ".join(leg.identity for leg in callers if leg not in answered)
            raise _failed(f"{rest} cannot be referred: the line has not been answered")
        return f"transferred {', '.join(leg.identity for leg in answered)} to {self.to}"

    async def _refer(self, line: Line, leg: Leg) -> None:
        window = max(self.deadline - _LEAVING, self.deadline / 2)
        referral = Referral(self.to, window, self.headers, self.play_dialtone)
        try:
            await line.transfer(leg.identity, referral)
        except OnhookError as error:
            raise _failed(str(error)) from error
        try:
            async with asyncio.timeout(_LEAVING):
                await line.left(leg.identity)
        except TimeoutError:
            raise _failed(
                f"{leg.identity} was said to be transferred to {self.to}, and is still here "
                f"{_LEAVING:g} s later"
            ) from None

    async def _await_leaving(self, line: Line, leg: Leg) -> None:
        await line.left(leg.identity)


def _failed(why: str) -> OnhookError:
    return OnhookError(f"{Fault.TRANSFER_FAILED}: {why}")


def _are_headers(headers: object) -> bool:
    return isinstance(headers, Mapping) and all(
        isinstance(name, str)
        and _HEADER.fullmatch(name) is not None
        and isinstance(value, str)
        and value.isprintable()
        for name, value in headers.items()
    )
