"""Incidents as the page shows them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from onhook.redaction import masked
from onhook.sentinel.records.call_record import CallRecord
from onhook.sentinel.web.heard import Heard, heard, seconds_after
from onhook.sentinel.web.timeline_picture import Picture, picture
from onhook.sentinel.web.wording import Words
from onhook.sinks.journal import Entry, Step
from onhook.sinks.journal.case_file import Case
from onhook.sinks.journal.incident_explanation import explained

__all__ = ["IncidentRow", "IncidentView", "StepRow", "incident_row", "incident_view"]

_TONES: Mapping[str, str] = {
    "released": "good",
    "transferred": "good",
    "recovered": "good",
    "taken_over": "good",
    "kept": "good",
    "observed": "busy",
    "handed_outward": "bad",
}
_SHOWN_ALREADY = "What was done"


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRow:
    """One incident of the list.

    Args:
        id: Its id.
        at: When it was judged, in seconds since 1970.
        fault: The fault.
        detail: One sentence.
        severity: `lost` or `impaired`.
        room: Room name, as it may be shown.
        rings: Who has rescued, in order.
        ending: How it ended; empty while it has not.
        tone: How the ending is coloured.
        seconds: From the judgement to the end; `None` while it has none.
    """

    id: str
    at: float
    fault: str
    detail: str
    severity: str
    room: str
    rings: tuple[str, ...]
    ending: str
    tone: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of the ladder.

    Args:
        after: Seconds after the judgement.
        ring: Who did it.
        what: The rung, or what else happened.
        how: How it ended; empty where that is not known.
        tone: How that is coloured.
        seconds: How long it took; `None` where that is not known.
        detail: One sentence.
    """

    after: float
    ring: str
    what: str
    how: str
    tone: str
    seconds: float | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    """All of one incident.

    Args:
        row: What the list shows of it.
        facts: Names and values.
        sounds: What the caller heard.
        picture: The same as a picture; `None` where nothing is known.
        steps: What was done.
        story: Headings and lines: why it was judged so, in plain sentences.
        traceback: The original exception, without secrets; empty for none.
    """

    row: IncidentRow
    facts: tuple[tuple[str, str], ...]
    sounds: tuple[Heard, ...]
    picture: Picture | None
    steps: tuple[StepRow, ...]
    story: tuple[tuple[str, tuple[str, ...]], ...]
    traceback: str


def incident_row(case: Case, words: Words) -> IncidentRow:
    """Return an incident as the list shows it.

    Args:
        case: It.
        words: Writes what comes from elsewhere.
    """
    return IncidentRow(
        id=words.name(case.id),
        at=case.first.wall,
        fault=words.name(case.fault or "unknown"),
        detail=words.name(masked(case.first.detail)) if case.fault else "",
        severity=words.name(case.opening.severity),
        room=words.label(case.opening.room),
        rings=tuple(case.rings),
        ending=words.name(case.ending.replace("_", " ")),
        tone=_TONES.get(case.ending, "warn"),
        seconds=seconds_after(case, case.closed) if case.closed else None,
    )


def incident_view(
    case: Case, record: CallRecord | None, words: Words, *, now: float
) -> IncidentView:
    """Return all that the page shows of an incident.

    Args:
        case: It.
        record: The record of its call, where there is one.
        words: Writes what comes from elsewhere.
        now: Seconds since 1970.
    """
    sounds = tuple(
        Heard(part.sound, part.start, part.end, words.name(masked(part.detail)))
        for part in heard(case, record, now)
    )
    story = tuple(
        (words.name(heading), tuple(words.text(masked(line)) for line in lines))
        for heading, lines in explained(case)
        if not heading.startswith(_SHOWN_ALREADY)
    )
    return IncidentView(
        row=incident_row(case, words),
        facts=tuple(_facts(case, record, words)),
        sounds=sounds,
        picture=picture(sounds),
        steps=tuple(_steps(case, words)),
        story=story,
        traceback=words.text(masked(case.opening.traceback.rstrip())),
    )


def _facts(case: Case, record: CallRecord | None, words: Words) -> Iterator[tuple[str, str]]:
    opening = case.opening
    told = {
        "Room": opening.room,
        "Job": opening.job,
        "SIP call": opening.call_id,
        "Direction": opening.direction if opening.direction != "unknown" else "",
        "Grade": f"{opening.severity}, only observed" * (opening.mode == "observe")
        or opening.severity,
        "Judged by": ", then ".join(case.rings),
    }
    yield from ((name, words.name(text)) for name, text in told.items() if text)
    if record is None:
        return
    yield from (
        (name, text)
        for name, text in {
            "Number": words.number(record.number),
            "Caller": words.number(record.caller),
            "Agent": words.name(record.agent),
            "Host": words.name(record.host),
            "Ended by": str(record.ended_by),
            "Silent": f"{record.silent:.1f} s",
        }.items()
        if text
    )


def _steps(case: Case, words: Words) -> Iterator[StepRow]:
    for place, entry in enumerate(case.entries):
        begun = _begun(case, place)
        if entry.step is Step.INTENT and _ends(case, place):
            continue  # its end tells of it
        after = seconds_after(case, begun or entry)
        what, how, tone = _what(entry)
        yield StepRow(
            after=after,
            ring=str(entry.ring),
            what=words.name(what.replace("_", " ")),
            how=words.name(how.replace("_", " ")),
            tone=tone,
            seconds=seconds_after(case, entry) - after if begun else None,
            detail=words.name(masked(entry.detail)),
        )


def _begun(case: Case, place: int) -> Entry | None:
    """Return the intent of the rung whose end stands there."""
    entry, before = case.entries[place], case.entries[place - 1] if place else None
    if entry.step is not Step.RUNG or before is None:
        return None
    return before if before.step is Step.INTENT and before.subject == entry.subject else None


def _ends(case: Case, place: int) -> bool:
    return place + 1 < len(case.entries) and _begun(case, place + 1) is not None


def _what(entry: Entry) -> tuple[str, str, str]:
    match entry.step:
        case Step.OPENED:
            return "judged", entry.subject, "plain"
        case Step.INTENT:
            return entry.subject, "was begun", "warn"
        case Step.RESUMED:
            return entry.subject or "rescue", "taken over", "warn"
        case Step.CLOSED:
            return "ended", entry.subject, _TONES.get(entry.subject, "warn")
    return entry.subject, entry.result, "good" if entry.result == "done" else "bad"
