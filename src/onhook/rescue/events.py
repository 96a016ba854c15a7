"""The one stream of a rescue: what was opened, meant, done and reached, each fact in one shape.

Whatever keeps, shows or sends a rescue is a `Sink` of these events: the journal, the log, and the
socket to the watchdog, whose messages they are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Protocol, TypeAlias

import msgspec

from onhook.call import Call
from onhook.errors import OnhookError
from onhook.incident import Ending, Failure, Incident, Mode, RungReport
from onhook.ladder import Ladder

__all__ = [
    "Climbed",
    "Closed",
    "Intent",
    "Opened",
    "RescueEvent",
    "Resumed",
    "Ring",
    "Seconds",
    "Sink",
    "emit",
]

logger = logging.getLogger("onhook")

Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=-1e12, le=1e12)]


class Ring(StrEnum):
    """Who rescues."""

    GUARD = "guard"
    """Ring 1, in the job's own process."""
    WATCHDOG = "watchdog"
    """Ring 2, beside the worker."""
    SENTINEL = "sentinel"
    """Ring 3, anywhere."""


class _Event(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag=str.lower,
):
    incident: str
    """Its id."""
    at: Seconds
    """Seconds of the host's monotonic clock: differences are exact."""
    wall: Seconds
    """Seconds since 1970: for a person, and for after a restart of the host."""
    ring: Ring


class Opened(_Event, frozen=True):
    """An incident was opened; nothing has been done yet."""

    failure: Failure
    """What went wrong. Its exception is there in this process only."""
    call: Call
    """The picture of the call."""
    ladder: Ladder
    """What is about to be climbed."""
    mode: Mode = "act"
    """Whether it is climbed, or recorded only."""

    @property
    def happened(self) -> Incident:
        """The incident."""
        return Incident(self.failure, self.call, self.incident)


class Intent(_Event, frozen=True):
    """A rung is about to be climbed."""

    rung: str


class Climbed(_Event, frozen=True):
    """A rung has ended, well or badly."""

    report: RungReport


class Resumed(_Event, frozen=True):
    """Another rescuer goes on."""

    rung: str
    """The one that was begun and whose outcome nobody knows; empty when there is none."""
    detail: str
    """Why another goes on, in one sentence."""


class Closed(_Event, frozen=True):
    """The rescuer has come to its end; one that hands the call outward leaves it to the next."""

    ending: Ending
    detail: str
    failure: Failure | None = None
    """`cleanup.failed`, where the line could not be released."""
    recovered: bool = False
    """Whether the agent of a call that was only observed was heard again by itself."""


RescueEvent: TypeAlias = Opened | Intent | Climbed | Resumed | Closed


class Sink(Protocol):
    """Takes what happens in a rescue, event by event, in order."""

    def handle(self, event: RescueEvent) -> None:
        """Take an event, at once. What is raised is logged, and goes no further."""
        ...


def emit(sinks: Iterable[Sink], event: RescueEvent) -> None:
    """Give every sink an event; none of them keeps it from the others or disturbs the rescue."""
    for sink in sinks:
        try:
            sink.handle(event)
        except OnhookError as error:  # it says by itself what is to be done
            taker, what = type(sink).__name__, type(event).__name__.lower()
            logger.error(  # noqa: TRY400 - no traceback helps
                "%s: %s could not take %r; the rescue goes on: %s",
                *(event.incident, taker, what, error),
            )
        except Exception:
            what = type(event).__name__.lower()
            logger.exception(
                "%s: %r could not take %r; the rescue goes on", event.incident, sink, what
            )
