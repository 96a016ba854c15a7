"""What a watchdog tells a sentinel: its lease, and the events of rescues; each body is signed."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from onhook.rescue.event_codec import encode
from onhook.rescue.events import RescueEvent

__all__ = ["EventReport", "HostLease", "LeasedJob", "ToldEvent", "to_body"]


@dataclass(frozen=True, slots=True)
class LeasedJob:
    """One call that a host answers for.

    Args:
        room: Room name.
        agent: Identity of the agent.
        job: LiveKit job id.
        released: Why the agent has left this call on purpose; empty while it has not.
        rescue_until: Until when a rescue of the host's own is under way, in seconds from the
            lease's renewal on; 0 where none is.
    """

    room: str
    agent: str
    job: str
    released: str = ""
    rescue_until: float = 0.0


@dataclass(frozen=True, slots=True)
class HostLease:
    """A watchdog answers for its host's calls, until it is late with the next lease.

    Args:
        host: The watchdog's own id, one for each start.
        ttl: Seconds for which it counts; 0, with no calls, is a watchdog's goodbye.
        jobs: The calls it answers for; a call that is missing from a later lease has ended well.
    """

    host: str
    ttl: float
    jobs: tuple[LeasedJob, ...] = ()


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """One event of a rescue.

    Args:
        room: Room name: of the events, the first one alone bears it.
        event: The event's JSON, as `onhook.rescue.event_codec` writes it.
    """

    room: str
    event: msgspec.Raw

    @classmethod
    def of(cls, room: str, event: RescueEvent) -> ToldEvent:
        """Return an event as it travels.

        Raises:
            EventError: It is too long.
        """
        return cls(room, msgspec.Raw(encode(event)))


@dataclass(frozen=True, slots=True)
class EventReport:
    """Events of the rescues on one host, oldest first; each may be told more than once.

    Args:
        host: The watchdog's own id.
        events: The events.
    """

    host: str
    events: tuple[ToldEvent, ...]


def to_body(message: HostLease | EventReport) -> bytes:
    """Return a message as the body of a request."""
    return msgspec.json.encode(message)
