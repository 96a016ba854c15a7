"""The sentinel's file of plans: whether it is right, and whether its words can be said."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from onhook.doctor.findings import Finding, Kind, Level
from onhook.doctor.host import Words
from onhook.errors import PlansError
from onhook.rungs import Say

__all__ = ["KINDS", "plans_can_be_read", "read_plans"]

WRONG = Kind(
    "plans.wrong",
    Level.ERROR,
    "the sentinel's file of plans has mistakes",
    "the sentinel does not start with it; one that runs goes on with the plans of before",
    "`onhook sentinel plans check FILE --trunks` names the lines",
)
DOUBTFUL = Kind(
    "plans.doubtful",
    Level.WARNING,
    "the sentinel's plans may not do what was meant",
    "callers are released where they could have been sent to somebody",
    "`onhook sentinel plans check FILE` shows what the file means",
)

KINDS: Sequence[Kind] = (WRONG, DOUBTFUL)


def plans_can_be_read() -> bool:
    """Return whether what reads plans is installed (`onhook[sentinel]`)."""
    return find_spec("tomlkit") is not None and find_spec("pydantic") is not None


def read_plans(path: Path, own: Collection[str]) -> tuple[Sequence[Finding], Sequence[Words]]:
    """Return what is wrong with a file of plans, and the words that it wants said.

    Args:
        path: The file.
        own: Numbers of the project's trunks.
    """
    from onhook.sentinel.plans_file import PlansFile, notes  # noqa: PLC0415 - of an extra

    try:
        plans = PlansFile(path, own=own).plans
    except PlansError as error:
        return (WRONG.found(str(path), str(error)),), ()
    every = [plans.default, *dict.fromkeys(rule.plan for rule in plans.rules)]
    words = [
        Words(rung.text, f"{path}, plan {plan.name}")
        for plan in every
        for rung in plan.ladder.rungs
        if isinstance(rung, Say) and rung.audio is None
    ]
    return tuple(_doubts(path, notes(plans))), words


def _doubts(path: Path, told: Sequence[str]) -> Iterator[Finding]:
    for note in told:
        yield DOUBTFUL.found(str(path), note)
