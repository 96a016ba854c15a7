"""One incident as it is read later: everything that its entries tell, put together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onhook.sinks.journal.entries import Entry, Opening, Step

__all__ = ["Case", "iso", "line"]


@dataclass(frozen=True, slots=True)
class Case:
    """An incident, from its entries.

    Args:
        entries: All of one incident, oldest first, at least one.
    """

    entries: Sequence[Entry]

    @property
    def id(self) -> str:
        """The incident's id."""
        return self.entries[0].incident

    @property
    def first(self) -> Entry:
        """The entry that opened the incident, or the oldest where that one is not there."""
        return next((e for e in self.entries if e.step is Step.OPENED), self.entries[0])

    @property
    def opening(self) -> Opening:
        """What was known when the incident was opened; empty where nobody recorded it."""
        return self.first.opening or Opening(room="")

    @property
    def fault(self) -> str:
        """The fault; empty where nobody recorded it."""
        return self.first.subject if self.first.step is Step.OPENED else ""

    @property
    def closed(self) -> Entry | None:
        """The last outcome: a ring that hands an incident outward closes it for the next."""
        return next((e for e in reversed(self.entries) if e.step is Step.CLOSED), None)

    @property
    def ending(self) -> str:
        """How it ended; empty while it is not closed."""
        return self.closed.subject if self.closed else ""

    @property
    def seconds(self) -> float | None:
        """Seconds from the opening to the outcome."""
        return self.after(self.closed) if self.closed else None

    @property
    def rings(self) -> Sequence[str]:
        """Who has rescued, in order."""
        return tuple(dict.fromkeys(str(e.ring) for e in self.entries))

    def after(self, entry: Entry) -> float:
        """Return the seconds from the opening to an entry, by the host's monotonic clock."""
        return entry.at - self.first.at

    def summary(self) -> Mapping[str, object]:
        """Return what a list shows of it, for JSON."""
        opening = self.opening
        return {
            "incident": self.id,
            "opened_at": iso(self.first.wall),
            "fault": self.fault,
            "detail": self.first.detail if self.fault else "",
            "severity": opening.severity,
            "mode": opening.mode,
            "room": opening.room,
            "job": opening.job,
            "call_id": opening.call_id,
            "direction": opening.direction,
            "rings": list(self.rings),
            "ending": self.ending or None,
            "outcome": self.closed.detail if self.closed else None,
            "seconds": self.seconds,
        }

    def whole(self) -> Mapping[str, object]:
        """Return everything, for JSON."""
        return {
            **self.summary(),
            "evidence": dict(self.opening.evidence),
            "traceback": self.opening.traceback,
            "timeline": [{"after": self.after(e), **line(e)} for e in self.entries],
        }


def line(entry: Entry) -> Mapping[str, object]:
    """Return one entry of a timeline, for JSON."""
    return {
        "at": iso(entry.wall),
        "ring": str(entry.ring),
        "step": str(entry.step),
        "subject": entry.subject,
        "result": entry.result,
        "detail": entry.detail,
    }


def iso(wall: float) -> str:
    """Return a time as ISO 8601, in UTC."""
    return dt.datetime.fromtimestamp(wall, dt.UTC).isoformat(timespec="milliseconds")
