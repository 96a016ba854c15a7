"""How long providers may take, so that a caller never waits longer than `dead_air`: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from onhook.errors import PolicyError
from onhook.validation import require_seconds

__all__ = ["Deadlines", "Turn", "chosen"]

_SHARE = 0.8
"""Of `dead_air`: the rest is for noticing that the caller has finished, and for healthy work."""
_USUAL = {"stt": 1.5, "llm": 2.5, "tts": 1.5}
"""Seconds after which a provider that has not begun is not worth waiting for."""
_BETWEEN = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """What one attempt of one provider may take, in seconds.

    Args:
        stt: From the end of the caller's words to their transcript.
        llm: From the request to the first word or tool call.
        tts: From the request to the first audible sound.
        between: From one word to the next, and from the end of the audio that was sent until the
            next audio.

    Raises:
        PolicyError: Names the setting, what was got and what is allowed.
    """

    stt: float = _USUAL["stt"]
    llm: float = _USUAL["llm"]
    tts: float = _USUAL["tts"]
    between: float = _BETWEEN

    def __post_init__(self) -> None:
        for name in ("stt", "llm", "tts", "between"):
            require_seconds("Deadlines", name, getattr(self, name))


def chosen(
    members: Mapping[str, int],
    dead_air: float,
    budget: float | None = None,
    deadlines: Deadlines | None = None,
) -> tuple[Deadlines, float]:
    """Return deadlines and the budget of a turn that keep a caller's silence below `dead_air`.

    Args:
        members: How many providers there are of each kind.
        dead_air: As in the policy.
        budget: Seconds that may be lost to providers in one turn; four fifths of `dead_air` when
            omitted.
        deadlines: Chosen to fit when omitted.

    Raises:
        PolicyError: They do not fit; it names the sum and what would.
    """
    require_seconds("providers", "dead_air", dead_air)
    if budget is None:
        budget = _SHARE * dead_air
    require_seconds("providers", "budget", budget)
    if budget >= dead_air:
        raise PolicyError(
            f"providers(budget={budget:g}) is not below dead_air={dead_air:g}: the caller would "
            f"hear nothing for too long before a failure is known. Give {_SHARE * dead_air:g}"
        )
    if deadlines is None:
        fits = {kind: min(_USUAL[kind], budget / count) for kind, count in members.items() if count}
        return Deadlines(**fits, between=min(_BETWEEN, budget / 2)), budget
    for kind, count in members.items():
        first = getattr(deadlines, kind)
        if count * first > budget:
            raise PolicyError(
                f"{count} x Deadlines({kind}={first:g}) is {count * first:g} s, and a turn has "
                f"{budget:g} s (dead_air={dead_air:g}): give {budget / count:g} or less, fewer "
                "providers, or a longer dead_air here and in the policy"
            )
    if deadlines.between > budget:
        raise PolicyError(
            f"Deadlines(between={deadlines.between:g}) is more than the {budget:g} s of a turn"
        )
    return deadlines, budget


class Turn:
    """What providers have cost the caller since they last heard or said something.

    Only failed attempts count, so that a turn in which nothing fails has all the time that its
    deadlines allow. All times are seconds of one monotonic clock.

    Args:
        budget: Seconds that may be lost in one turn.
        memory: Seconds after which a loss belongs to an earlier turn: by then the caller was
            answered or rescued.
    """

    def __init__(self, budget: float, memory: float) -> None:
        self._budget = budget
        self._memory = memory
        self._lost: list[tuple[float, float]] = []

    def lose(self, began: float, ended: float) -> None:
        """An attempt has failed."""
        self._lost.append((began, ended))

    def begins(self) -> None:
        """The caller has spoken, or hears the agent: whatever is lost now is another silence."""
        self._lost.clear()

    def left(self, now: float) -> float:
        """Return the seconds that may still be lost; time is counted once, however many failed."""
        self._lost = [(a, b) for a, b in self._lost if b > now - self._memory]
        lost, until = 0.0, float("-inf")
        for began, ended in sorted(self._lost):
            lost += max(0.0, ended - max(began, until))
            until = max(until, ended)
        return max(0.0, self._budget - lost)
