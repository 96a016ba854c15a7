"""The plans in force, as the page lists them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from onhook.rungs import Redispatch, Rung, Say, Transfer
from onhook.sentinel.plans import Plan, Plans
from onhook.sentinel.web.wording import Words

__all__ = ["PlanRow", "plan_rows"]

MOST = 500
"""Plans that are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """A plan.

    Args:
        calls: The calls that it is for.
        ladder: Its rungs in words, in order.
        absent: Seconds without an agent until the ladder; `None` for never.
        second: Seconds until a second dispatch; `None` for none.
        longest: Seconds that a call may last; `None` for ever.
        observed: Whether nothing is done.
    """

    calls: str
    ladder: tuple[str, ...]
    absent: float | None
    second: float | None
    longest: float | None
    observed: bool


def plan_rows(plans: Plans, words: Words) -> tuple[PlanRow, ...]:
    """Return the plans in force, the one for all other calls last.

    Args:
        plans: They.
        words: Writes numbers and names.
    """
    every = dict.fromkeys(rule.plan for rule in plans.rules)
    rows = [_row(words.name(plan.name), plan, words) for plan in list(every)[:MOST]]
    return (*rows, _row("all other calls" if rows else "all calls", plans.default, words))


def _row(calls: str, plan: Plan, words: Words) -> PlanRow:
    return PlanRow(
        calls=calls,
        ladder=tuple(_rung(rung, words) for rung in plan.ladder.rungs),
        absent=plan.limits.absent,
        second=plan.second_dispatch,
        longest=plan.limits.max_call,
        observed=plan.mode == "observe",
    )


def _rung(rung: Rung, words: Words) -> str:
    match rung:
        case Say(audio=audio, text=text):
            return f"say “{words.name(text)}”" if audio is None else "play a recording"
        case Transfer(to=to):
            return f"transfer to {words.name(to)}"
        case Redispatch(agent_name=agent):
            return f"send the agent {words.name(agent)}"
    return rung.name.replace("_", " ")
