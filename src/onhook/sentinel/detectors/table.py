"""What is judged and what is left alone: a table of states. The first row that applies counts.

`python -m onhook.sentinel.detectors` prints it; docs/sentinel-judgement.md has the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from onhook.faults import Fault
from onhook.sentinel.call_view import CallView
from onhook.sentinel.detectors import (
    abandoned_legs,
    agent_absent,
    agent_zombie,
    call_overlong,
    host_lost,
    late_answer,
    left_alone,
    rescuer_died,
    scanner,
)
from onhook.sentinel.limits import Limits
from onhook.sentinel.suspicion import Suspicion

__all__ = ["TABLE", "Judge", "Row", "row_of", "suspicion"]

_LEFT_ALONE = "left alone"
_LIST = "a fresh list that agrees"
_PROBE = f"{_LIST}, and no proof of life of agents that are there"


class Judge(Protocol):
    """Says whether a state has lasted too long: pure, without clock or I/O."""

    def __call__(self, view: CallView, now: float, limits: Limits) -> Suspicion | None:
        """Return what is suspected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One state of a call.

    Args:
        state: What it is called.
        label: The same in one word, for metrics.
        applies: Whether a call is in it, given that it is in none of the rows above.
        why: Why it is judged or left alone.
        judge: Says whether it has lasted too long; `None` where the call is left alone.
        fault: What is suspected then; `None` likewise.
        instead: What is done where nothing is judged.
        after: The limits by which it is judged, by their names in `Limits`.
        needs: What must agree before anything is done.
    """

    state: str
    label: str
    applies: Callable[[CallView, float, Limits], bool]
    why: str
    judge: Judge | None = None
    fault: Fault | None = None
    instead: str = _LEFT_ALONE
    after: str = ""
    needs: str = _LIST


def row_of(view: CallView, now: float, limits: Limits) -> Row:
    """Return the row that a call is in.

    Args:
        view: The call.
        now: Seconds of the sentinel's clock.
        limits: How long things may last.
    """
    for row in TABLE:
        if row.applies(view, now, limits):
            return row
    return TABLE[-1]


def suspicion(view: CallView, now: float, limits: Limits) -> Suspicion | None:
    """Return what is suspected of a call, if anything.

    Args:
        view: The call.
        now: Seconds of the sentinel's clock.
        limits: How long things may last.
    """
    row = row_of(view, now, limits)
    return None if row.judge is None else row.judge(view, now, limits)


def _any(_view: CallView, _now: float, _limits: Limits) -> bool:
    return True


TABLE: tuple[Row, ...] = (
    Row(
        state="nobody is on the line",
        label="nobody",
        applies=left_alone.nobody_on_the_line,
        why="there is no caller to look after",
    ),
    Row(
        state="released",
        label="released",
        applies=left_alone.is_released,
        why="the agent has left the call on purpose, and has said so",
    ),
    Row(
        state="not listed yet",
        label="unlisted",
        applies=left_alone.unlisted,
        why="webhooks are hints: no list has shown the room, or who is in it",
    ),
    Row(
        state="nobody could be asked lately",
        label="unknown",
        applies=left_alone.unknown,
        why="the API answers errors, or the sentinel itself was held up: what it knows is old "
        "(`stale`)",
    ),
    Row(
        state="a rescue is under way",
        label="rescue",
        applies=left_alone.rescue_under_way,
        why="an inner ring is at it, within the deadline that it has told",
    ),
    Row(
        state="longer than its maximum",
        label="overlong",
        applies=call_overlong.applies,
        judge=call_overlong.judge,
        fault=Fault.CALL_OVERLONG,
        after="max_call (off)",
        why="the plan says how long a call may last, whoever is on it; from the answer on",
    ),
    Row(
        state="answered legs alone with each other",
        label="legs_alone",
        applies=abandoned_legs.pair,
        judge=abandoned_legs.judge_pair,
        fault=Fault.CALL_ABANDONED_LEGS,
        after="two_legs (off)",
        why="two people who talk are company, unless the plan says for how long",
    ),
    Row(
        state="company",
        label="company",
        applies=left_alone.has_company,
        why="somebody can be heard or can speak: a person, an answered colleague, another agent's "
        "voice",
    ),
    Row(
        state="its host looks after it",
        label="covered",
        applies=left_alone.host_covers,
        why="a living lease: guard and watchdog see more, and are faster; also while the agent "
        "starts and has not joined",
    ),
    Row(
        state="a rescue has passed its deadline",
        label="rescue_overdue",
        applies=rescuer_died.applies,
        judge=rescuer_died.judge,
        fault=Fault.RESCUER_DIED,
        after="rescue_overdue (1 s); rescue_overdue_covered (10 s) under a living lease",
        needs=_PROBE,
        why="whoever was at it has died: its work is taken over from its last intent",
    ),
    Row(
        state="came in by no trunk, and nobody took it",
        label="scanner",
        applies=scanner.applies,
        instead="removed silently",
        after="absent (8 s)",
        why="a scanner: never a word, which would answer it, and never a dispatch",
    ),
    Row(
        state="its host's lease has lapsed",
        label="lease_lapsed",
        applies=host_lost.applies,
        judge=host_lost.judge,
        fault=Fault.HOST_LOST,
        after="lapsed (0.5 s) beyond the lease; without its agent in the room, absent or abandoned "
        "(8 s) too",
        needs=_PROBE,
        why="the host has gone silent with its calls; an agent that proves alive is left alone",
    ),
    Row(
        state="an agent is in the room",
        label="agent",
        applies=agent_zombie.applies,
        judge=agent_zombie.judge,
        fault=Fault.AGENT_ZOMBIE,
        after="zombie (3.5 s) and 2 questions not acknowledged; zombie_blocked (15 s) where they "
        "are, or where no server knows the agent",
        needs=f"{_LIST}, and no packet of its voice",
        why="an agent that lives is left alone, silent or not: what it owes the caller cannot be "
        "seen from here",
    ),
    Row(
        state="dialled, and not answered",
        label="dialled",
        applies=left_alone.callee_not_answered,
        why="nobody listens yet; an answer that nobody waits for is judged when it comes",
    ),
    Row(
        state="dialled, and answered after the agent had gone",
        label="late_answer",
        applies=late_answer.applies,
        judge=late_answer.judge,
        fault=Fault.OUTBOUND_LATE_ANSWER,
        after="late_answer (0.5 s)",
        why="a list had shown the phone still ringing without the agent",
    ),
    Row(
        state="the server still looks for an agent",
        label="retrying",
        applies=left_alone.server_still_tries,
        why="it says RETRYING (LiveKit Cloud), for `retrying` (30 s) at most",
    ),
    Row(
        state="left with a leg that rings",
        label="left_ringing",
        applies=abandoned_legs.with_ringing_leg,
        judge=abandoned_legs.judge_with_ringing_leg,
        fault=Fault.CALL_ABANDONED_LEGS,
        after="unanswered_leg (30 s)",
        why="a colleague may be about to answer; a leg that nobody answers is no company",
    ),
    Row(
        state="left by everybody",
        label="left",
        applies=abandoned_legs.alone,
        judge=abandoned_legs.judge,
        fault=Fault.CALL_ABANDONED_LEGS,
        after="abandoned (8 s)",
        why="an agent or company was there and has gone, also an agent without a guard; the next "
        "agent of a handoff has this time",
    ),
    Row(
        state="came in, and no agent ever was there",
        label="no_agent",
        applies=agent_absent.applies,
        judge=agent_absent.judge,
        fault=Fault.AGENT_ABSENT,
        after="absent (8 s), at once where the server says NO_CAPACITY; a second dispatch before, "
        "after second_dispatch (2.5 s)",
        why="no worker, all of them full or slow, or the dispatch was lost; ringing or answered",
    ),
    Row(
        state="no agent was ever seen to be expected",
        label="unattended",
        applies=_any,
        why="we dialled, or a connector brought the call, and no agent was ever there: a "
        "conference, a click to call",
    ),
)
"""From top to bottom; the last row applies to every call."""
