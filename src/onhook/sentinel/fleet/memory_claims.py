"""Claims in memory: for one process, for tests, and as the model of the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from onhook.errors import PolicyError
from onhook.incident import Outcome
from onhook.rescue.events import RescueEvent
from onhook.sentinel.fleet.claims import (
    MOST_EVENTS,
    Claim,
    ClaimLostError,
    Finished,
    Refused,
    require_claimable,
)

__all__ = ["MemoryClaims"]


@dataclass(slots=True)
class _Record:
    """What is known of one call."""

    token: int
    owner: str
    until: float
    finished: Finished | None = None
    finished_at: float = 0.0
    events: list[RescueEvent] = field(default_factory=list)


class MemoryClaims:
    """Claims of this process; see `Claims`.

    Args:
        clock: Seconds of a monotonic clock.
        wall: Seconds since 1970; tokens are made of it, so that those of different back ends and
            starts can be compared.
        limit: Calls that are remembered; beyond it the finished ones are forgotten first.

    Raises:
        PolicyError: The limit is less than 1.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        limit: int = 10_000,
    ) -> None:
        if limit < 1:
            raise PolicyError(f"MemoryClaims(limit={limit!r}): give at least 1")
        self._clock = clock
        self._wall = wall
        self._limit = limit
        self._token = 0
        self._records: dict[str, _Record] = {}
        self._members: dict[str, float] = {}

    async def claim(self, call: str, owner: str, ttl: float, *, beyond: int = 0) -> Claim | Refused:
        """See `Claims.claim`."""
        require_claimable(call, owner, ttl)
        now = self._clock()
        old = self._records.get(call)
        if old is not None and (refused := _refusal(old, now, beyond)):
            return refused
        self._token = max(self._token + 1, int(self._wall() * 1e6))
        events = [] if old is None or old.finished else old.events
        self._records.pop(call, None)  # the index is in the order of claims
        self._records[call] = _Record(self._token, owner, now + ttl, events=events)
        self._bound()
        return Claim(call, owner, self._token, now + ttl)

    async def renew(self, claim: Claim, ttl: float, events: Sequence[RescueEvent] = ()) -> Claim:
        """See `Claims.renew`."""
        require_claimable(claim.call, claim.owner, ttl)
        record = self._held(claim)
        _append(record.events, events)
        record.until = self._clock() + ttl
        return replace(claim, until=record.until)

    async def release(
        self, claim: Claim, outcome: Outcome | None, events: Sequence[RescueEvent] = ()
    ) -> None:
        """See `Claims.release`."""
        record = self._records.get(claim.call)
        if outcome is None and record is None:
            return
        if record is not None and outcome is not None and _same(record, claim, outcome):
            return
        record = self._held(claim)
        _append(record.events, events)
        record.until = self._clock()
        if outcome is not None:
            record.finished = Finished(
                *(outcome.incident, outcome.ending, outcome.detail, claim.owner, claim.token)
            )
            record.finished_at = self._clock()
        elif not record.events:
            del self._records[claim.call]

    async def done(self, call: str) -> Finished | None:
        """See `Claims.done`."""
        record = self._records.get(call)
        return None if record is None else _finished(record, self._clock())

    async def events(self, call: str) -> Sequence[RescueEvent]:
        """See `Claims.events`."""
        record = self._records.get(call)
        return () if record is None else tuple(record.events)

    async def lapsed(self, limit: int) -> Sequence[str]:
        """See `Claims.lapsed`."""
        now = self._clock()
        found = [
            (record.until, call)
            for call, record in self._records.items()
            if not record.finished and record.until <= now
        ]
        return tuple(call for _, call in sorted(found)[:limit])

    async def recent(self, limit: int) -> Sequence[str]:
        """See `Claims.recent`."""
        return tuple(self._records)[: -limit - 1 : -1]

    async def members(self, owner: str, ttl: float) -> Sequence[str]:
        """See `Claims.members`."""
        now = self._clock()
        self._members[owner] = now + ttl
        self._members = {name: until for name, until in self._members.items() if until > now}
        return tuple(sorted(self._members))

    async def forget(self, call: str) -> None:
        """See `LocalClaims.forget`."""
        self._records.pop(call, None)

    def _held(self, claim: Claim) -> _Record:
        record = self._records.get(claim.call)
        if record is None:
            raise ClaimLostError(f"{claim.call}: nothing is known of this claim any more")
        if record.finished:
            raise ClaimLostError(f"{claim.call}: {record.owner!r} has finished it")
        if record.token != claim.token:
            raise ClaimLostError(f"{claim.call}: {record.owner!r} has taken it over")
        return record

    def _bound(self) -> None:
        while len(self._records) > self._limit:
            old = (call for call, record in self._records.items() if record.finished)
            del self._records[next(old, next(iter(self._records)))]


def _refusal(record: _Record, now: float, beyond: int) -> Refused | None:
    finished = _finished(record, now)
    if finished is not None:
        return Refused(finished.owner, now, finished) if finished.token > beyond else None
    return Refused(record.owner, record.until) if record.until > now else None


def _finished(record: _Record, now: float) -> Finished | None:
    if record.finished is None:
        return None
    return replace(record.finished, ago=now - record.finished_at)


def _same(record: _Record, claim: Claim, outcome: Outcome) -> bool:
    """Return whether this very outcome is there already."""
    there = record.finished
    told = (claim.token, outcome.incident, outcome.ending)
    return there is not None and (there.token, there.incident, there.ending) == told


def _append(kept: list[RescueEvent], events: Sequence[RescueEvent]) -> None:
    for event in events:
        if event not in kept:
            del kept[MOST_EVENTS - 1 :]  # the newest is kept: it may tell of the end
            kept.append(event)
