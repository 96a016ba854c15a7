"""How long a caller heard nothing because something had gone wrong. Pure: no clock, no I/O.

Dead air begins when the caller was owed sound and had none: since when, the failure says (the end
of the agent's last sound, the caller's last word, the answer); a failure that does not say it
begins it itself. It pauses while words of a rescue are heard, and ends when somebody living is:
another agent, a person, or the agent itself. Else it ends with the call. Of a line that rings
nothing counts: that is ringing.

All times are seconds since 1970. Those of an event were measured by the monotonic clock of its
host, and are moved by the difference of the two clocks that the event bears.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from onhook.faults import Fault
from onhook.rescue.events import Climbed, Closed, RescueEvent, Ring
from onhook.sentinel.records.incident_events import IncidentEvents

__all__ = ["dead_air", "failed_at"]

_NOT_SILENT = (Fault.CALL_OVERLONG, Fault.OUTBOUND_UNANSWERED, Fault.OUTBOUND_LATE_ANSWER)
"""Faults in which the caller is owed nothing before the words."""
_LIVING = ("taken_over", "recovered")
"""Endings after which somebody living is heard."""

_Span = tuple[float, float]


def dead_air(
    incidents: Iterable[IncidentEvents], *, answered_at: float | None, ended_at: float
) -> float:
    """Return the seconds of dead air in a call.

    Args:
        incidents: Its incidents.
        answered_at: When it was answered; `None` if it never was: then there was none.
        ended_at: When it ended.
    """
    if answered_at is None:
        return 0.0
    told = list(incidents)
    sounds = [span for incident in told for span in _sounds(incident.events)]
    heard = sorted(at for incident in told if (at := _heard_again(incident)) is not None)
    silences = [span for incident in told if (span := _silence(incident, heard, ended_at))]
    silences = [(max(begin, answered_at), min(end, ended_at)) for begin, end in silences]
    return sum(end - begin for begin, end in _without(_union(silences), _union(sounds)))


def failed_at(incident: IncidentEvents) -> float | None:
    """Return since when something is wrong; `None` where nobody has told how it began.

    Args:
        incident: The incident.
    """
    opened = incident.opened
    if opened is None:
        return None
    since = opened.failure.silent_since
    return _wall(opened, opened.failure.at if since is None else since)


def _silence(incident: IncidentEvents, heard: Sequence[float], ended_at: float) -> _Span | None:
    opened, begin = incident.opened, failed_at(incident)
    if opened is None or begin is None:
        return None
    if opened.failure.fault in _NOT_SILENT:
        own = _sounds(incident.events)
        begin = own[0][0] if own else ended_at
    closed = incident.closed
    if closed is not None and not incident.is_lost and opened.ring is Ring.WATCHDOG:
        ended_at = closed.wall  # the loop was back, or a lost call follows that counts from before
    return begin, next((at for at in heard if at >= opened.wall), ended_at)


def _heard_again(incident: IncidentEvents) -> float | None:
    """Return when somebody living was heard after the failure; `None` where nobody was."""
    for event in incident.events:
        if isinstance(event, Closed) and (event.recovered or event.ending in _LIVING):
            done = [e for e in incident.events if isinstance(e, Climbed)]
            if event.ending in _LIVING and not event.recovered and done:
                return _wall(done[-1], done[-1].report.ended)
            return event.wall
    return None


def _sounds(events: Iterable[RescueEvent]) -> list[_Span]:
    return [
        (_wall(event, sound[0]), _wall(event, sound[1]))
        for event in events
        if isinstance(event, Climbed) and (sound := event.report.sound) is not None
    ]


def _wall(event: RescueEvent, at: float) -> float:
    """Return a time of the event's host in seconds since 1970."""
    return event.wall - (event.at - at)


def _union(spans: Iterable[_Span]) -> list[_Span]:
    """Return spans that do not overlap, in order."""
    found: list[_Span] = []
    for begin, end in sorted(span for span in spans if span[1] > span[0]):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def _without(spans: Iterable[_Span], others: Sequence[_Span]) -> list[_Span]:
    """Return what of some spans is in none of the others; both are in order."""
    found: list[_Span] = []
    for begin, end in spans:
        since = begin
        for begin_of_other, end_of_other in others:
            if end_of_other <= since or begin_of_other >= end:
                continue
            if begin_of_other > since:
                found.append((since, begin_of_other))
            since = max(since, end_of_other)
        if since < end:
            found.append((since, end))
    return found
