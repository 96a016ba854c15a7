"""Which host answers for which call: the leases of the watchdogs."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass

from onhook.sentinel.call_view import Lease, LeaseState
from onhook.sentinel.rescue_marks import bounded_rescue
from onhook.sentinel.sightings import HostLease, LeasedJob

__all__ = ["HostLeases", "HostStanding"]

_MOST_HOSTS = 5_000
_MOST_JOBS = 5_000
"""For each host; what is beyond has no lease, and is judged like an unguarded call."""
_KEEP = 60.0
"""Seconds for which the last word on a call that is not tracked is kept."""
_BEST = (LeaseState.COVERED, LeaseState.LAPSED, LeaseState.ENDED)


@dataclass(frozen=True, slots=True)
class HostStanding:
    """How it stands with a host's watchdog.

    Args:
        name: The watchdog's id.
        covered: Whether its latest lease counts still.
        ended: Whether it has said goodbye: no call was left.
        calls: For how many calls it answers, by its latest lease; those that their agents have
            left on purpose need it no more.
    """

    name: str
    covered: bool
    ended: bool
    calls: int


class _Host:
    __slots__ = ("ended", "jobs", "name", "until")

    def __init__(self, name: str) -> None:
        self.name = name
        self.until = 0.0
        self.ended = False
        self.jobs: dict[str, _Word] = {}


class _Word:
    """A host's latest word on one call."""

    __slots__ = ("ended", "host", "job", "past", "rescue_until")

    def __init__(self, host: _Host, job: LeasedJob) -> None:
        self.host = host
        self.job = job
        self.ended: float | None = None
        self.past = False
        """Whether it was about an earlier call in a room of this name."""
        self.rescue_until: float | None = None

    def seen(self) -> Lease:
        job = self.job
        return Lease(self.host.name, job.agent, job.job, self.host.until, self.ended)


class HostLeases:
    """Folds leases. Each replaces the one before of the same host."""

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}
        self._by_room: dict[str, tuple[_Word, ...]] = {}

    def take(self, lease: HostLease, now: float) -> None:
        """Take a host's word for its calls.

        Args:
            lease: It.
            now: When it came, in seconds of the sentinel's clock.
        """
        host = self._hosts.get(lease.host)
        if host is None:
            if len(self._hosts) >= _MOST_HOSTS:
                return
            host = self._hosts[lease.host] = _Host(lease.host)
        host.until = now + lease.ttl
        host.ended = lease.ttl == 0
        said = {job.room: job for job in lease.jobs[:_MOST_JOBS]}
        for room, word in host.jobs.items():
            if room not in said and word.ended is None:
                word.ended = now
                word.rescue_until = None
        for room, job in said.items():
            self._say(host, room, job, now)

    def speaks_of(self, room: str) -> bool:
        """Return whether any host has said anything of a room."""
        return room in self._by_room

    def covers(self, room: str, now: float) -> bool:
        """Return whether a host answers for a call: there is a living lease.

        Args:
            room: Room name.
            now: Seconds of the sentinel's clock.
        """
        return any(
            not word.past and word.ended is None and now < word.host.until
            for word in self._by_room.get(room, ())
        )

    def of(self, room: str, now: float) -> Lease | None:
        """Return the word on a call that counts: of several the one that protects it best.

        Args:
            room: Room name.
            now: Seconds of the sentinel's clock.
        """
        words = [word for word in self._by_room.get(room, ()) if not word.past]
        if not words:
            return None
        if len(words) == 1:
            return words[0].seen()
        leases = [word.seen() for word in words]
        return min(leases, key=lambda lease: (_BEST.index(lease.state(now)), -lease.until))

    def host_of(self, room: str, now: float) -> tuple[str, bool]:
        """Return which host answers for a call, empty for none, and whether it rescues it.

        Args:
            room: Room name.
            now: Seconds of the sentinel's clock.
        """
        lease = self.of(room, now)
        return "" if lease is None else lease.host, self.rescue_until(room) is not None

    def released(self, room: str) -> str:
        """Return why an agent has left a call on purpose, by its host; empty if it has not."""
        words = self._by_room.get(room, ())
        return next((w.job.released for w in words if w.job.released and not w.past), "")

    def rescue_until(self, room: str) -> float | None:
        """Return by when a host's rescue of a call will have ended; `None` where none is."""
        words = self._by_room.get(room, ())
        times = [w.rescue_until for w in words if w.rescue_until is not None and not w.past]
        return max(times, default=None)

    def standings(self, now: float) -> Iterator[HostStanding]:
        """Yield how it stands with each host that is known, for a minute after its last word.

        Args:
            now: Seconds of the sentinel's clock.
        """
        for host in self._hosts.values():
            words = host.jobs.values()
            calls = sum(word.ended is None and not word.job.released for word in words)
            yield HostStanding(host.name, now < host.until, host.ended, calls)

    def lapsed_rooms(self, now: float) -> Iterator[str]:
        """Yield the rooms of hosts that are late with their lease."""
        for host in self._hosts.values():
            if now >= host.until:
                yield from (room for room, word in host.jobs.items() if word.ended is None)

    def rescued_rooms(self) -> Iterator[str]:
        """Yield the rooms in which a host has a rescue under way."""
        for host in self._hosts.values():
            for room, word in host.jobs.items():
                if word.rescue_until is not None:
                    yield room

    def room_ended(self, room: str) -> None:
        """End what was said of a room's calls so far: its name may be used again."""
        for word in self._by_room.get(room, ()):
            word.past = True

    def slept(self, seconds: float) -> None:
        """Give every host time: this process itself was held up, and took no lease meanwhile.

        Args:
            seconds: For how long.
        """
        for host in self._hosts.values():
            host.until += seconds

    def prune(self, tracked: Container[str], now: float) -> None:
        """Forget the last words on calls that are over.

        Args:
            tracked: The rooms that are known to be there.
            now: Seconds of the sentinel's clock.
        """
        for host in list(self._hosts.values()):
            silent = now - host.until > _KEEP
            for room, word in list(host.jobs.items()):
                ended = word.ended is not None and now - word.ended > _KEEP
                if (ended or silent) and (word.past or room not in tracked):
                    del host.jobs[room]
                    self._drop(room, word)
            if silent and not host.jobs:
                del self._hosts[host.name]

    def _say(self, host: _Host, room: str, job: LeasedJob, now: float) -> None:
        word = host.jobs.get(room)
        if word is not None and word.job.job != job.job:
            self._drop(room, word)
            word = None
        if word is None:
            word = host.jobs[room] = _Word(host, job)
            self._by_room[room] = (*self._by_room.get(room, ()), word)
        if job.released or not word.job.released:
            word.job = job if job != word.job else word.job
        word.ended = None
        left = bounded_rescue(job.rescue_until)
        word.rescue_until = now + left if left > 0 else None

    def _drop(self, room: str, word: _Word) -> None:
        others = tuple(other for other in self._by_room.get(room, ()) if other is not word)
        if others:
            self._by_room[room] = others
        else:
            self._by_room.pop(room, None)
