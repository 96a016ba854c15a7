"""Is a caller waiting for a first word, and for how long?"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from livekit import rtc

from onhook.call import Call, Direction, LegKind, LineState
from onhook.jobguard.detectors.own_voice import AMBIENCE
from onhook.livekit.picture import from_room
from onhook.livekit.room_changes import Changes

__all__ = ["FirstWait", "first_audio", "late_caller", "plays_ambience", "somebody_speaks"]

logger = logging.getLogger("onhook")

_ASK_AGAIN = 2.0
"""Seconds between questions to the server while the job is not in its room."""
_LOOK = 0.25
"""Seconds between looks at a session that starts: no event tells of it."""
_ANSWERED = (LineState.ACTIVE, LineState.UNKNOWN)


def somebody_speaks(call: Call) -> bool:
    """Return whether a caller has anybody to listen to: a published track, or another caller."""
    others = any(leg.audible for leg in call.legs if leg.kind is not LegKind.CALLER)
    return others or len(call.callers) > 1


async def first_audio(
    room: rtc.Room,
    wait: FirstWait,
    *,
    clock: Callable[[], float],
    ask: Callable[[], Awaitable[Call]],
    over: Callable[[], bool],
    up: Callable[[], bool],
    spoke_since: Callable[[float], bool],
) -> str:
    """Wait until the agent is up, or a caller has waited too long.

    Ringing is not silence: while the line rings, `setup` counts, and from its answer on `limit`
    does. Before a callee answers nothing counts. In the room its events tell of every change;
    before the job is there a caller is taken to be waiting, and the server is asked when the time
    is up.

    Args:
        room: The job's room.
        wait: How long a caller may wait; it begins now.
        clock: Seconds of a monotonic clock.
        ask: Asks the server who is on the call.
        over: Whether the question is settled otherwise.
        up: Whether the agent's session runs.
        spoke_since: Whether the agent's voice was heard since a moment, without any session.

    Returns:
        What the caller has waited for, in words; an empty text where the agent is up.
    """
    wait.rings_since = clock()
    with Changes(room) as changes:
        while not over():
            now, joined = clock(), room.isconnected()
            call = from_room(room) if joined else None
            if call is None and wait.must_ask(now):
                call = await ask()
            if call is not None:
                spoke = wait.answered_at is not None and spoke_since(wait.answered_at)
                if up() or _others_speak(call) or spoke:
                    wait.over = True
                    return ""
                wait.sees(call, now)
            if why := wait.too_long(now):
                return why
            pause = _ASK_AGAIN if call is not None and not joined else _LOOK
            await changes.wait(min(pause, wait.left(now)))
    return ""


@dataclass(slots=True)
class FirstWait:
    """Since when a caller waits for what: for the answer, or for a word after it.

    Args:
        setup: Seconds that a line may ring; `None` is for ever.
        limit: Seconds from the answer until the agent must be up; `None` is for ever.
        rings_since: Since when it rings, if it does.
        answered_at: When it was answered, if it was.
        over: Whether the agent is up, or somebody else speaks with the caller.
    """

    setup: float | None
    limit: float | None
    rings_since: float | None = None
    answered_at: float | None = None
    over: bool = False

    def in_words(self, now: float) -> str:
        """Tell what a caller waits for, and how much longer they may."""
        if self.over:
            return "The agent, or somebody else, has been heard; no session is followed."
        if self.answered_at is not None:
            since, limit, what = self.answered_at, self.limit, "was answered {:.1f} s ago"
            left = "be heard, or its session to run (first_audio)"
        elif self.rings_since is not None:
            since, limit, what = self.rings_since, self.setup, "has rung for {:.1f} s"
            left = "come up (setup)"
        else:
            return "No session has started, and no caller of ours waits for one."
        told = f"No session has started. The line {what.format(now - since)}: the agent has "
        more = "for ever" if limit is None else f"{max(0.0, since + limit - now):.1f} s more"
        return f"{told}{more} to {left}."

    def sees(self, call: Call, now: float) -> None:
        """Take in a picture of the call."""
        if any(leg.line in _ANSWERED for leg in call.callers):
            self.rings_since = None
            self.answered_at = now if self.answered_at is None else self.answered_at
        elif call.complete and not _rings_for_us(call):
            self.answered_at = self.rings_since = None
        elif self.rings_since is None:
            self.rings_since = now

    def must_ask(self, now: float) -> bool:
        """Return whether the server must be asked who is on the call."""
        nothing_known = self.rings_since is None and self.answered_at is None
        return nothing_known or _left(self.rings_since, self.setup, now) <= 0

    def left(self, now: float) -> float:
        """Return the seconds until a limit is over."""
        return min(
            _left(self.answered_at, self.limit, now), _left(self.rings_since, self.setup, now)
        )

    def too_long(self, now: float) -> str:
        """Say what a caller has waited for too long; empty while they have not."""
        if _left(self.answered_at, self.limit, now) <= 0:
            return f"no word came within {self.limit:g} s of the answer"
        if _left(self.rings_since, self.setup, now) <= 0:
            return f"the line rang for {self.setup:g} s, and the agent did not come up"
        return ""


def _left(since: float | None, limit: float | None, now: float) -> float:
    return float("inf") if since is None or limit is None else since + limit - now


def _rings_for_us(call: Call) -> bool:
    """Return whether a caller hears ringback that the agent is to end; not one we have dialled."""
    return bool(call.callers) and call.direction is not Direction.OUTBOUND


def _others_speak(call: Call) -> bool:
    others = any(
        leg.audible and leg.identity != call.agent
        for leg in call.legs
        if leg.kind is not LegKind.CALLER
    )
    return others or bool(call.colleagues)


def plays_ambience(room: rtc.Room) -> bool:
    """Return whether the agent plays sounds of its own: thinking sounds, music, an office."""
    published = room.local_participant.track_publications.values()
    return any(p.name == AMBIENCE and not p.muted for p in published)


async def late_caller(
    room: rtc.Room, call: Call, seconds: float, *, clock: Callable[[], float]
) -> Call:
    """Give a leg that is just being dialled, or is just joining, a moment to appear.

    Args:
        room: The job's room.
        call: A picture without callers.
        seconds: How long a moment is.
        clock: Seconds of a monotonic clock.
    """
    if call.humans or not room.isconnected():
        return call
    until = clock() + seconds
    with Changes(room) as changes:
        while room.isconnected() and not call.callers and clock() < until:
            await changes.wait(until - clock())
            call = from_room(room) if room.isconnected() else call
    return call
