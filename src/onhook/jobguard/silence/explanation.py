"""A judgement in plain sentences: what was seen when, which limit runs, what comes next. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from onhook.faults import Severity
from onhook.jobguard.silence.standing import FOR_EVER, SPOKE_AGAIN, Judgement, Limits, Warned

__all__ = ["Standings", "evidence", "now_and_next"]

Standings = Iterable[tuple[float, Judgement]]
"""How the two stood, and since when; oldest first."""

_KEPT = 8
"""Standings that are kept as evidence."""


def evidence(
    judgement: Judgement, limits: Limits, warned: Warned | None, before: Standings
) -> dict[str, str]:
    """Return what a person will ask for who wants to know whether a judgement was right.

    Args:
        judgement: The judgement; its limit is over.
        limits: How long things may last.
        warned: The words that the caller had heard, if they had.
        before: How the two stood before.
    """
    now = judgement.facts.now
    history = [(at, str(past.standing)) for at, past in before][-_KEPT:]
    told = {
        "rule": f"{judgement.standing}: {judgement.row.why}",
        "limit": _limit(judgement, limits),
        "seen": _list(_seen(judgement, warned), now, "before"),
        "states": _list(history, now, "before"),
        "line": judgement.evidence,
    }
    return {name: text for name, text in told.items() if text}


def now_and_next(
    judgement: Judgement, limits: Limits, warned: Warned | None, before: Standings
) -> str:
    """Tell how agent and caller stand now, what is owed since when, and what comes next and when.

    Args:
        judgement: The judgement of this moment.
        limits: How long things may last.
        warned: The words that the caller has heard, if they have.
        before: How the two stood before.
    """
    now = judgement.facts.now
    lines = [f"Now: {judgement.standing}: {judgement.row.why}."]
    lines += _indented(_list(_seen(judgement, warned), now, "ago"))
    lines.append(f"Next: {_next(judgement, limits, warned, now)}")
    if history := _list([(at, str(past.standing)) for at, past in before], now, "ago"):
        lines += ["How the two stood, since when:", *_indented(history)]
    return "\n".join(lines)


def _seen(judgement: Judgement, warned: Warned | None) -> list[tuple[float, str]]:
    """Return what the facts tell, by its time."""
    facts = judgement.facts
    told = [
        (facts.answered_at, "the line was answered, or the session began"),
        (facts.heard_until or None, "the agent's last sound ended"),
        (facts.broken_off_at, "a speech of the agent's stopped in the middle"),
        (facts.tools_since, "a tool of this turn began"),
        (facts.model_asked_at, "the model was asked, before the turn was taken"),
        (facts.answer_due_since, "an answer became due, of which nothing was heard"),
        (facts.nothing_since, "a turn began that the model answered with nothing"),
        (facts.callback_since, "an agent entered or a turn was transcribed, and nothing followed"),
        (facts.unanswered_since, "the caller ended a sentence that nothing answered"),
        (facts.quiet_since, "the line became quiet"),
    ]
    if warned is not None:
        told.append((warned.at, "the caller was told to wait (observed: would have been)"))
        told.append((warned.spoke_again_at, "the caller ended another sentence"))
    return sorted((at, what) for at, what in told if at is not None and -FOR_EVER < at <= facts.now)


def _next(judgement: Judgement, limits: Limits, warned: Warned | None, now: float) -> str:
    if judgement.due == FOR_EVER:
        if limits.dead_air is None:
            return "nothing, whatever happens: Policy(dead_air=None) judges no silence."
        if judgement.since is None:
            return "nothing: no sound is owed to the caller, so no limit runs."
        return "nothing: after the words this state alone never ends a call."
    left = max(0.0, judgement.due - now)
    what = "the call is judged lost"
    if judgement.severity is Severity.IMPAIRED:
        what = "the turn is judged impaired"
    text = f"{what} in {left:.1f} s if nothing is heard of the agent ({_limit(judgement, limits)})"
    again = judgement.row.again
    if (
        warned is not None
        and judgement.evidence != SPOKE_AGAIN
        and again
        and again(judgement.facts)
    ):
        text += f", or {limits.dead_air:g} s after the caller has spoken again"
    return f"{text}."


def _limit(judgement: Judgement, limits: Limits) -> str:
    if judgement.severity is Severity.IMPAIRED:
        name = judgement.row.patience
        return f"{name} = {getattr(limits, name):g} s" if name else ""
    if judgement.evidence == SPOKE_AGAIN:
        return f"dead_air = {limits.dead_air:g} s, after the caller spoke again"
    return f"give_up = {limits.give_up:g} s after the words"


def _list(told: Iterable[tuple[float, str]], now: float, when: str) -> str:
    return "\n".join(f"{now - at:5.1f} s {when}: {what}" for at, what in told)


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]
