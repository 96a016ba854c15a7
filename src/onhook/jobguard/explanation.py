"""`onhook.explain`: how a call stands, in plain sentences for a developer."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from onhook.call import Call
from onhook.incident import Mode
from onhook.ladder import Ladder
from onhook.policy import Policy
from onhook.rescue.events import Closed, Opened, RescueEvent

__all__ = ["LastJudgements", "call_in_words", "policy_in_words"]

_KEPT = 8


@dataclass(slots=True)
class _Judged:
    opened: Opened
    closed: Closed | None = None


class LastJudgements:
    """A `Sink` that remembers what was judged in one call, and what became of it."""

    def __init__(self) -> None:
        self._judged: deque[_Judged] = deque(maxlen=_KEPT)

    def handle(self, event: RescueEvent) -> None:
        """See `Sink.handle`."""
        if isinstance(event, Opened):
            self._judged.append(_Judged(event))
        elif isinstance(event, Closed):
            for judged in self._judged:
                if judged.opened.incident == event.incident:
                    judged.closed = event

    def in_words(self, now: float) -> str:
        """Tell what was judged, oldest first.

        Args:
            now: Seconds of the clock of the failures.
        """
        if not self._judged:
            return "Judged before in this call: nothing."
        return "\n".join(
            ["Judged before in this call:", *(_line(judged, now) for judged in self._judged)]
        )


def _line(judged: _Judged, now: float) -> str:
    failure, closed = judged.opened.failure, judged.closed
    became = "under way" if closed is None else f"{closed.ending}, {closed.detail}"
    return (
        f"  {now - failure.at:5.1f} s ago: {failure.fault} ({failure.severity}), "
        f"{failure.detail} -> {became} ({judged.opened.incident})"
    )


def call_in_words(call: Call | None) -> str:
    """Tell who is on the call.

    Args:
        call: The call as its room shows it; `None` before the job is there.
    """
    if call is None:
        return "The job is not connected to its room yet."
    callers = ", ".join(f"{leg.identity!r} ({leg.line})" for leg in call.callers)
    company = ", ".join(repr(leg.identity) for leg in call.company)
    return f"Callers: {callers or 'none'}. Company: {company or 'none'}. {call.direction} call."


def policy_in_words(policy: Policy, mode: Mode) -> str:
    """Tell what is done about what is judged, or would be.

    Args:
        policy: What the developer wants.
        mode: Whether it is done.
    """
    soft, lost = (
        ", ".join(rung.name for rung in Ladder.of(ladder).rungs)
        for ladder in (policy.impaired, policy.lost)
    )
    would = "would be answered" if mode == "observe" else "is answered"
    return f"Mode {mode}: a turn judged impaired {would} with {soft}; a lost call with {lost}."
