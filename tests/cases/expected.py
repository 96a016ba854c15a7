"""What a caller may notice of onhook, and whether that is what they had."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.cases.incidents import Incident

__all__ = ["NOISE", "NOTHING", "WORDS_AT_MOST", "Expected", "Result", "released", "words"]

NOISE = 1.5
"""Seconds that a shared machine of two cores may add to a bound."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What may happen; seconds count from the moment that the case calls `struck`.

    Args:
        soft: Whether onhook may say one soft phrase.
        words: Seconds within which it must be heard.
        release: Seconds within which the line must be released; the call goes on without.
        by_agent: The agent ends the call itself; onhook may release the line with it, unheard.
    """

    soft: bool = False
    words: float | None = None
    release: float | None = None
    by_agent: bool = False

    def __str__(self) -> str:
        if self.words is not None:
            then = "the call goes on" if self.release is None else f"released in {self.release:g}"
            return f"words in {self.words:g}, {then}"
        if self.release is not None:
            return f"released in {self.release:g}"
        return "words at most" if self.soft else "nothing"

    @property
    def healthy(self) -> bool:
        """Whether the call is a good one, with onhook and without."""
        return self.words is None and self.release is None

    def check(self, result: Result) -> Iterator[str]:
        """Tell what was not as expected."""
        acts = [incident for incident in result.incidents if incident.acts]
        if self.by_agent:
            acts = [incident for incident in acts if incident.speaks]
        if self.healthy and not self.soft and acts:
            yield "onhook acted: " + ", ".join(f"{i.fault} ({i.severity})" for i in acts)
        if self.release is None and (lost := [i for i in acts if i.severity != "impaired"]):
            yield "judged lost: " + ", ".join(i.fault for i in lost)
        if self.release is None and not self.by_agent and result.released is not None:
            yield f"the call was ended after {result.released:.1f} s"
        for what, bound, at in (
            ("words", self.words, result.words),
            ("released", self.release, result.released),
        ):
            if bound is not None and (at is None or at > bound + NOISE):
                yield f"{what} " + ("never" if at is None else f"after {at:.1f} s")


NOTHING = Expected()
WORDS_AT_MOST = Expected(soft=True)


def released(within: float) -> Expected:
    """Expect the end of the call, with words before it or without."""
    return Expected(soft=True, release=within)


def words(within: float, *, released: float | None = None) -> Expected:
    """Expect words, and then the end of the call or, without `released`, that it goes on."""
    return Expected(soft=True, words=within, release=released)


@dataclass(slots=True)
class Result:
    """What one case's phone had; seconds since the fault struck.

    Args:
        words: When onhook was first heard.
        released: When the other side ended the call.
        silence: The longest silence since then.
        how: How the call ended.
        incidents: What the journal has of the call.
        wrong: What was not as it should be.
        trouble: What went wrong in the case itself.
    """

    words: float | None = None
    released: float | None = None
    silence: float = 0.0
    how: str = ""
    incidents: Sequence[Incident] = ()
    wrong: list[str] = field(default_factory=list)
    trouble: str = ""

    @property
    def well(self) -> bool:
        """Whether all was as expected."""
        return not self.wrong and not self.trouble

    @property
    def heard(self) -> str:
        """What the caller had, in a few words."""
        parts = []
        if self.words is not None:
            parts.append(f"words {self.words:.1f}")
        if self.released is not None:
            parts.append(f"released {self.released:.1f}")
        return ", ".join([*parts, f"silence {self.silence:.1f}"])
