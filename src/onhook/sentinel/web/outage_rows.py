"""The outages that are on, and who turned the switch, as the page shows them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onhook.outages import Outage
from onhook.sentinel.outage import OutageChange
from onhook.sentinel.web.outage_form import outage_key
from onhook.sentinel.web.wording import Words

__all__ = ["OutageChangeRow", "OutageRow", "Outages", "outage_row", "outages_of"]

_HISTORY = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageRow:
    """An outage that is on.

    Args:
        key: What the page calls it.
        what: The calls that it is for.
        since: When it was switched on, in seconds since 1970.
        until: When it ends by itself.
        by: Who switched it on.
        reason: Why.
        fallback: Where calls go; empty for what their plans say.
    """

    key: str
    what: str
    since: float
    until: float
    by: str
    reason: str
    fallback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageChangeRow:
    """Somebody turned the switch.

    Args:
        at: When, in seconds since 1970.
        by: Who.
        turned: Which way.
        what: The calls that it was for.
        until: When it was to end by itself.
    """

    at: float
    by: str
    turned: str
    what: str
    until: float


@dataclass(frozen=True, slots=True)
class Outages:
    """What the page of outages shows.

    Args:
        current: Those that are on.
        history: Who turned the switch, the newest first.
        problem: Why the switch cannot be read; empty for nothing.
    """

    current: tuple[OutageRow, ...] = ()
    history: tuple[OutageChangeRow, ...] = ()
    problem: str = ""


def outages_of(current: Sequence[Outage], history: Sequence[OutageChange], words: Words) -> Outages:
    """Return what the page of outages shows.

    Args:
        current: The outages that are on.
        history: The changes, the newest first.
        words: Writes numbers and names.
    """
    changes = tuple(
        OutageChangeRow(
            at=change.at,
            by=words.name(change.by),
            turned=change.turned,
            what=words.name(change.outage.what),
            until=change.outage.until,
        )
        for change in history[:_HISTORY]
    )
    return Outages(tuple(outage_row(outage, words) for outage in current), changes)


def outage_row(outage: Outage, words: Words) -> OutageRow:
    """Return an outage as it is shown.

    Args:
        outage: It.
        words: Writes numbers and names.
    """
    return OutageRow(
        key=outage_key(outage),
        what=words.name(outage.what),
        since=outage.since,
        until=outage.until,
        by=words.name(outage.by),
        reason=words.name(outage.reason),
        fallback=words.name(outage.fallback),
    )
