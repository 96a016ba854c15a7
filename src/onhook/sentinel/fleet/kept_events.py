"""Events that another sentinel has kept, as they can be used here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import msgspec

from onhook.rescue.event_codec import EventError, decode
from onhook.rescue.events import Climbed, Closed, Opened, RescueEvent

__all__ = ["read", "translated"]

logger = logging.getLogger("onhook")

_SAME_HOST = 5.0
"""Seconds by which the clocks of one host may differ: the wall clock is set now and then."""


def read(call: str, bodies: Iterable[bytes]) -> Sequence[RescueEvent]:
    """Return the events that can be read; a newer sentinel of the fleet may tell more.

    Args:
        call: Key of the call, for the log.
        bodies: Each an event as JSON.
    """
    found: list[RescueEvent] = []
    for body in bodies:
        try:
            found.append(decode(body))
        except EventError as error:
            logger.warning("%s: an event of the rescue is left out: %s", call, error)
    return tuple(found)


def translated(
    events: Iterable[RescueEvent],
    *,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
) -> Sequence[RescueEvent]:
    """Return events of another host with their times by this host's monotonic clock.

    Those of this host stay as they are, to the last digit.

    Args:
        events: As they were kept.
        clock: Seconds of this host's monotonic clock.
        wall: Seconds since 1970.
    """
    offset = clock() - wall()
    return tuple(_moved(event, offset - (event.at - event.wall)) for event in events)


def _moved(event: RescueEvent, by: float) -> RescueEvent:
    if abs(by) <= _SAME_HOST:
        return event
    event = msgspec.structs.replace(event, at=event.at + by)
    match event:
        case Opened(failure=failure):
            silent = None if failure.silent_since is None else failure.silent_since + by
            moved = replace(failure, at=failure.at + by, silent_since=silent)
            return msgspec.structs.replace(event, failure=moved)
        case Climbed(report=done):
            sound = None if done.sound is None else (done.sound[0] + by, done.sound[1] + by)
            begun, ended = done.started + by, done.ended + by
            report = replace(done, started=begun, ended=ended, sound=sound)
            return msgspec.structs.replace(event, report=report)
        case Closed(failure=failure) if failure is not None:
            moved = replace(failure, at=failure.at + by)
            return msgspec.structs.replace(event, failure=moved)
    return event
