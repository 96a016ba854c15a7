"""What the caller heard of an incident, from its entries. Pure.

Nothing was recorded of the sound itself: it follows from what was done, and from what the judgement
saw. Where neither is known, nothing is said.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from onhook.faults import Severity
from onhook.sentinel.records.call_record import CallRecord
from onhook.sinks.journal import Entry, Step
from onhook.sinks.journal.case_file import Case

__all__ = ["Heard", "Sound", "heard", "seconds_after"]

_SEEN = re.compile(r"^\s*([\d.]+) s before: (.+)$", re.MULTILINE)
_ANSWERED = ("the line was answered",)
_QUIET = ("the line became quiet", "the agent's last sound ended", "the caller ended a sentence")
_WAITING = re.compile(r"^([\d.]+) s$")
_PLAYED = re.compile(r", ([\d.]+) s\)$")
_CLOCKS_AGREE = 1.0
"""Seconds by which two clocks of one host may disagree; those of two hosts do by hours."""
_SHORTEST = 0.05


class Sound(StrEnum):
    """What a caller hears."""

    RINGING = "ringing"
    TALK = "the conversation"
    SILENCE = "silence"
    WORDS = "onhook's words"
    TRANSFER = "being transferred"
    COMPANY = "somebody else"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Heard:
    """One stretch of a call. Times are seconds after the judgement.

    Args:
        sound: What was heard.
        start: From when.
        end: Until when.
        detail: More about it, such as the words.
    """

    sound: Sound
    start: float
    end: float
    detail: str = ""


def heard(case: Case, record: CallRecord | None, now: float) -> tuple[Heard, ...]:
    """Return what the caller heard, in order and without gaps.

    Args:
        case: The incident.
        record: The record of its call, where there is one.
        now: Seconds since 1970: an incident without an end goes on.
    """
    before = list(_before(case, record))
    found = [*before, *_since(case, record, now, rings=_rings(case, before))]
    return tuple(_joined(part for part in found if part.end - part.start >= _SHORTEST))


def seconds_after(case: Case, entry: Entry) -> float:
    """Return the seconds from the judgement to an entry, which another host may have written.

    Args:
        case: The incident.
        entry: One of its entries.
    """
    exact, by_wall = entry.at - case.first.at, entry.wall - case.first.wall
    return exact if abs(exact - by_wall) < _CLOCKS_AGREE else by_wall


def _joined(parts: Iterable[Heard]) -> Iterator[Heard]:
    """Yield parts, with those that follow each other and sound alike as one."""
    whole: Heard | None = None
    for part in parts:
        if whole is not None and whole.sound is part.sound and whole.sound is not Sound.WORDS:
            details = dict.fromkeys(filter(None, (whole.detail, part.detail)))
            whole = Heard(whole.sound, whole.start, part.end, "; ".join(details))
            continue
        if whole is not None:
            yield whole
        whole = part
    if whole is not None:
        yield whole


def _before(case: Case, record: CallRecord | None) -> Iterator[Heard]:
    """Yield what was heard before the judgement."""
    evidence = case.opening.evidence
    if waited := _WAITING.match(evidence.get("waiting", "")):
        yield Heard(_line(case), -float(waited[1]), 0.0, "no agent was there")
        return
    seen = [(-float(at), what) for at, what in _SEEN.findall(evidence.get("seen", ""))]
    answered = next((at for at, what in seen if what.startswith(_ANSWERED)), None)
    began = answered
    if record is not None and record.answered_at is not None:
        answered = record.answered_at - case.first.wall if answered is None else answered
        began = record.began_at - case.first.wall
    quiet = max((at for at, what in seen if what.startswith(_QUIET)), default=0.0)
    if began is not None and answered is not None and began < answered < 0:
        yield Heard(Sound.RINGING, began, answered)
    if answered is not None and answered < quiet:
        yield Heard(Sound.TALK, answered, quiet)
    yield Heard(Sound.SILENCE, quiet, 0.0, "the agent owed an answer" if quiet else "")


def _since(case: Case, record: CallRecord | None, now: float, *, rings: bool) -> Iterator[Heard]:
    """Yield what was heard from the judgement on."""
    if case.opening.mode == "observe":
        yield from _observed(case)
        return
    sound = Sound.RINGING if rings else Sound.SILENCE
    at, gone = 0.0, False
    for entry, rung_ends in _steps(case):
        until = seconds_after(case, entry)
        yield Heard(sound, at, until)
        at = until
        if rung_ends is not None:
            at = seconds_after(case, rung_ends)
            begin = max(until, at - _played(rung_ends)) if entry.subject == "say" else until
            yield Heard(sound, until, begin)
            during, sound, detail = _during(entry, rung_ends, sound)
            yield Heard(during, begin, at, detail)
        elif entry.step is Step.CLOSED:
            gone, sound = _after_end(case, entry, sound)
    end = None
    if record is not None:
        end = record.ended_at - case.first.wall
    elif case.closed is None:
        end = now - case.first.wall
    if not gone and end is not None:
        yield Heard(sound, at, end)


def _steps(case: Case) -> Iterator[tuple[Entry, Entry | None]]:
    """Yield what changes what is heard: rungs with their ends, and outcomes."""
    entries = [entry for entry in case.entries if entry.step is not Step.RESUMED]
    for entry, after in zip(entries, [*entries[1:], None], strict=True):
        if entry.step is Step.INTENT and after is not None and after.step is Step.RUNG:
            yield entry, after
        elif entry.step is Step.CLOSED:
            yield entry, None


def _played(said: Entry) -> float:
    """Return for how many seconds words were heard at the end of their rung; see `rungs.say`."""
    told = _PLAYED.search(said.detail)
    return float(told[1]) if told else math.inf


def _during(begun: Entry, ended: Entry, before: Sound) -> tuple[Sound, Sound, str]:
    """Return what is heard while a rung is climbed, what after it, and more about it."""
    done = ended.result == "done"
    match begun.subject:
        case "say":
            return (Sound.WORDS if done else before, Sound.SILENCE, ended.detail)
        case "transfer":
            return Sound.TRANSFER, Sound.COMPANY if done else Sound.SILENCE, ended.detail
        case "retry" | "redispatch" if done:
            return before, Sound.TALK, ended.detail
        case "hand_over" if done:
            return before, Sound.COMPANY, ended.detail
    return before, before, ended.detail


def _after_end(case: Case, closed: Entry, sound: Sound) -> tuple[bool, Sound]:
    """Return whether the caller is gone after an outcome, and what is heard where they are not."""
    match closed.subject:
        case "released" | "transferred":
            return True, sound
        case "recovered":
            return False, Sound.TALK
        case "taken_over":
            return False, Sound.COMPANY
        case "kept" if case.opening.severity == Severity.IMPAIRED:
            return False, Sound.TALK
    return False, sound


def _observed(case: Case) -> Iterator[Heard]:
    closed = case.closed
    if closed is None:
        return
    recovered = closed.result == "recovered"
    detail = "nothing was done; " + ("the agent was heard again" if recovered else closed.detail)
    yield Heard(Sound.UNKNOWN, 0.0, seconds_after(case, closed), detail)


def _rings(case: Case, before: list[Heard]) -> bool:
    return bool(before) and before[-1].sound is Sound.RINGING and _line(case) is Sound.RINGING


def _line(case: Case) -> Sound:
    return Sound.RINGING if case.opening.evidence.get("line") == "rings" else Sound.SILENCE
