"""Is a caller waiting for a first word, and for how long?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from livekit import rtc

from onhook.call import Call, Direction, LegKind, LineState
from onhook.livekit.picture import from_room
from onhook.livekit.room_changes import Changes

__all__ = ["caller_waits", "first_audio", "late_caller", "somebody_speaks"]

_ASK_AGAIN = 2.0
"""Seconds between questions to the server while the job is not in its room."""


def somebody_speaks(call: Call) -> bool:
    """Return whether a caller has anybody to listen to: a published track, or another caller."""
    others = any(leg.audible for leg in call.legs if leg.kind is not LegKind.CALLER)
    return others or len(call.callers) > 1


def caller_waits(call: Call) -> bool:
    """Return whether a caller listens to silence or ringback that only the agent can end.

    A callee who has not answered yet listens to nothing: outbound lines count from the answer.
    """
    if somebody_speaks(call):
        return False
    if call.direction is Direction.OUTBOUND:
        return any(leg.line is LineState.ACTIVE for leg in call.callers)
    return bool(call.callers)


async def first_audio(
    room: rtc.Room,
    limit: float | None,
    *,
    clock: Callable[[], float],
    ask: Callable[[], Awaitable[Call]],
    over: Callable[[], bool],
) -> bool:
    """Wait until somebody can be heard, or a caller has waited too long.

    In the room its events tell of every change; before the job is there, a caller is taken to be
    waiting from the start, and the server is asked when the time is up.

    Args:
        room: The job's room.
        limit: Seconds that a caller may wait; `None` is for ever.
        clock: Seconds of a monotonic clock.
        ask: Asks the server who is on the call.
        over: Whether the question is settled otherwise.

    Returns:
        Whether a caller has waited too long.
    """
    since: float | None = clock()

    def left() -> float:
        if limit is None or since is None:
            return float("inf")
        return since + limit - clock()

    with Changes(room) as changes:
        while not over():
            call = from_room(room) if room.isconnected() else None
            if call is None and (since is None or left() <= 0):
                call = await ask()
            if call is not None:
                if somebody_speaks(call):
                    return False
                waiting = caller_waits(call) or not call.complete
                since = (clock() if since is None else since) if waiting else None
            if left() <= 0:
                return True
            unasked = since is None and not room.isconnected()
            await changes.wait(_ASK_AGAIN if unasked else left())
    return False


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
