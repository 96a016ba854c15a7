"""The facts of one call as they come in; the report is made from them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from onhook.bench.phone.call_report import Ending
from onhook.bench.phone.change_waiter import Change
from onhook.bench.phone.dtmf import Digit
from onhook.bench.phone.phone_errors import CallTimeoutError, NotAnsweredError
from onhook.bench.phone.refer import Refer

__all__ = ["CallState"]

T = TypeVar("T")


class CallState:
    """Records what happened to a call, and when. The first ending stands.

    Args:
        name: What to call it in messages: the number and the Call-ID.
        invited_at: When the INVITE was sent or came.
        on_end: Called once, at the end.
    """

    def __init__(self, name: str, invited_at: float, on_end: Callable[[], None]) -> None:
        self.name = name
        self.invited_at = invited_at
        self.ringing_at: float | None = None
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self.ending: Ending | None = None
        self.status = 0
        self.reason = ""
        self.digits: list[Digit] = []
        self.refers: list[Refer] = []
        self.notified: list[int] = []
        self._change = Change()
        self._on_end = on_end

    def responded(self, status: int, reason: str, at: float) -> None:
        """Record a response to the INVITE, ours or theirs."""
        self.status, self.reason = status, reason
        if 100 < status < 200 and self.ringing_at is None:
            self.ringing_at = at
        elif 200 <= status < 300 and self.answered_at is None:
            self.answered_at = at
        self._change.notify()

    def ended(self, ending: Ending, at: float, reason: str = "") -> None:
        """Record the end."""
        if self.ending is not None:
            return
        self.ending, self.ended_at = ending, at
        self.reason = reason or self.reason
        self._on_end()
        self._change.notify()

    def pressed(self, digit: Digit) -> None:
        """Record a digit that came."""
        self.digits.append(digit)
        self._change.notify()

    def referred(self, refer: Refer) -> None:
        """Record a REFER that came."""
        self.refers.append(refer)
        self._change.notify()

    def told(self, status: int) -> None:
        """Record what a NOTIFY told about our own REFER."""
        self.notified.append(status)
        self._change.notify()

    async def until(self, look: Callable[[], T | None], timeout: float, what: str) -> T:
        """Return what `look` sees; see `Change.until`.

        Raises:
            CallTimeoutError: It saw nothing in time.
        """
        try:
            return await self._change.until(look, timeout, what)
        except CallTimeoutError:
            raise CallTimeoutError(
                f"call to {self.name}: {what} within {timeout:g} s; {self.now()}"
            ) from None

    async def until_answered(self, timeout: float) -> float:
        """Return when it was answered.

        Raises:
            NotAnsweredError: It ended before.
            CallTimeoutError: It still rings.
        """

        def settled() -> bool | None:
            return True if self.answered_at is not None or self.ending is not None else None

        await self.until(settled, timeout, "not answered")
        if self.answered_at is None:
            raise NotAnsweredError(
                f"call to {self.name} was not answered; {self.now()}",
                status=self.status if self.status >= 300 else None,
            )
        return self.answered_at

    def now(self) -> str:
        """Return the state in words, for messages."""
        last = f"{self.status} {self.reason}".strip() if self.status else "no response came"
        if self.ending is not None:
            return f"it ended: {self.ending} ({last or self.reason})"
        seconds = time.monotonic() - self.invited_at
        return f"{seconds:.1f} s after the INVITE the last response is: {last}"
