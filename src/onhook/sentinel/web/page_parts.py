"""What the parts of the page show, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from onhook.redaction import masked
from onhook.sentinel.canary import CanaryResult, CanaryState
from onhook.sentinel.web.incident_views import IncidentRow
from onhook.sentinel.web.outage_rows import OutageRow
from onhook.sentinel.web.plan_rows import PlanRow
from onhook.sentinel.web.wording import Words
from onhook.sentinel.web.workers import Worker

__all__ = ["CanaryRow", "Incidents", "Plans", "Strip", "WorkersNow", "canary_row"]

_CANARY_TONES = {CanaryState.TAKES_CALLS: "good", CanaryState.UNKNOWN: "warn"}


@dataclass(frozen=True, slots=True)
class Strip:
    """What every part of the page says at its top.

    Args:
        calls: How many rooms the sentinel watches.
        observe: Whether it does nothing to any call.
        failing: What keeps it from its work.
        outages: The outages that are on.
        silent: In how many calls nobody looks after the caller.
        or_more: Whether there may be more of these: they are counted up to a bound.
        rescues: How many rescues are under way.
    """

    calls: int
    observe: bool
    failing: tuple[str, ...]
    outages: tuple[OutageRow, ...]
    silent: int
    or_more: bool
    rescues: int


@dataclass(frozen=True, slots=True)
class Incidents:
    """The newest incidents.

    Args:
        rows: They.
        problem: Why the journal cannot be read; empty for nothing.
    """

    rows: tuple[IncidentRow, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CanaryRow:
    """The newest canary of an agent.

    Args:
        agent: Its name.
        found: What was found.
        tone: How that is coloured.
        seconds: How long it took.
        detail: More about it.
        at: When, in seconds since 1970.
    """

    agent: str
    found: str
    tone: str
    seconds: float
    detail: str
    at: float


@dataclass(frozen=True, slots=True)
class WorkersNow:
    """What the page of workers shows.

    Args:
        workers: How each was when it last was asked.
        listed: How many are listed.
        canaries: The newest canary of each agent, by its name.
    """

    workers: tuple[Worker, ...]
    listed: int
    canaries: tuple[CanaryRow, ...]


@dataclass(frozen=True, slots=True)
class Plans:
    """What the page of plans shows.

    Args:
        rows: The plans in force.
        file: Their file; empty for none.
        problem: Why that is not in force as it is now.
    """

    rows: tuple[PlanRow, ...]
    file: str
    problem: str


def canary_row(result: CanaryResult, words: Words) -> CanaryRow:
    """Return a canary's result as it is shown.

    Args:
        result: It.
        words: Writes names.
    """
    return CanaryRow(
        words.label(result.agent),
        str(result.state),
        _CANARY_TONES.get(result.state, "bad"),
        result.seconds,
        words.name(masked(result.detail)),
        result.at,
    )
