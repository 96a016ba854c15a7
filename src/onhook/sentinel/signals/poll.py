"""Asks the server what there is: right without any webhook, only later."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Protocol

from livekit.protocol.models import ParticipantInfo, Room

from onhook.errors import ApiError
from onhook.livekit.api import EXHAUSTED, REFUSED
from onhook.sentinel.sightings import MembersListed, RoomSeen, RoomsListed, Sighting
from onhook.sentinel.signals.budget import Budget, Use
from onhook.sentinel.signals.from_protobuf import members_from, room_from

__all__ = ["Listings", "Poll", "list_members"]

logger = logging.getLogger("onhook")

_AT_ONCE = 8
"""Requests under way at a time; a server that hangs is not asked by hundreds."""
_LONGEST_PAUSE = 8.0
"""Seconds between two questions to a server that fails: it is seen to be back soon."""
_LONGEST_HOLD = 60.0
"""Seconds between two questions to a server that wants fewer of them."""
_FOLLOWING = 0.2
"""Seconds until a sentinel that does not poll looks again whether it should."""
_SLICE = 1_000
"""Rooms of a list that are read before other work gets its turn: some milliseconds."""
_HOPELESS = (*REFUSED, EXHAUSTED, "transport")
"""Codes after which another room need not be asked for: the answer would be the same. A time-out is
none of them: the listing of one room may hang for good, and would keep all others from theirs."""


class Listings(Protocol):
    """The part of `onhook.livekit.ServerApi` that is polled."""

    async def rooms(self) -> Sequence[Room]:
        """List all rooms."""

    async def participants(self, room: str) -> Sequence[ParticipantInfo]:
        """List who is in a room; nobody where there is no such room."""


async def list_members(
    server: Listings, room: str, *, clock: Callable[[], float] = time.monotonic
) -> MembersListed:
    """Ask who is in a room now.

    Args:
        server: Answers.
        room: Room name.
        clock: Monotonic seconds.

    Raises:
        ApiError: It has not answered, or not wholly.
    """
    asked = clock()
    return MembersListed(room, asked, members_from(await server.participants(room)))


class Poll:
    """Lists all rooms again and again, and after each list the participants of some.

    A failed answer tells nothing: no sighting comes of it.

    Args:
        server: Answers.
        receive: Takes each sighting at once; it must not block.
        wants: Returns the rooms whose participants are to be listed, the most urgent first.
        budget: What may be asked.
        between: Returns those of them that are asked for again half-way to the next list of rooms.
        overdue: Returns whether a room's caller waits for its list: then none is refused.
        period: Seconds between two lists of rooms.
        leads: Whether it is for this sentinel to ask; of several that share it, one asks.
        clock: Monotonic seconds.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        server: Listings,
        receive: Callable[[Sighting], None],
        wants: Callable[[], Sequence[str]],
        budget: Budget,
        *,
        between: Callable[[], Sequence[str]] = tuple,
        overdue: Callable[[str], bool] = lambda _: False,
        period: float = 2.0,
        leads: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._server = server
        self._receive = receive
        self._wants = wants
        self._budget = budget
        self._between = between
        self._overdue = overdue
        self._period = period
        self._leads = leads
        self._clock = clock
        self._sleep = sleep
        self._failures = 0
        self.failing_since: float | None = None
        """When the first question was sent that was followed by none answered well."""
        self.error: ApiError | None = None
        """The latest failure; `None` while all is well."""
        self.listed_at: float | None = None
        """When the latest list of rooms that was answered had been asked for."""
        self.counts: Counter[str] = Counter()
        """Rounds since the start: how many were `ok`, and how many `failed`."""

    async def run(self) -> None:
        """Poll for ever, until cancelled."""
        due = self._clock()
        while True:
            if not self._leads():
                await self._sleep(_FOLLOWING)
                due = self._clock()
                continue
            try:
                well = await self.once(until=due + self._period)
                if well and (half := due + self._period / 2) > self._clock():
                    await self._sleep(half - self._clock())
                    await self._list_each(self._between(), due + self._period)
            except Exception:
                # whoever takes the sightings has failed; the next ones may find them well again
                logger.exception("what the poll of the LiveKit API found could not be taken")
                well = True
            now = self._clock()
            # a round that took too long is not made up for by another one at once
            due = max(due + self._period, now) if well else now + self._pause
            await self._sleep(max(due - self._clock(), 0.0))

    async def once(self, *, until: float = float("inf")) -> bool:
        """List the rooms, and the participants of those that are wanted; return whether all went.

        Args:
            until: When no further question is to be begun, in seconds of the clock.
        """
        asked = self._clock()
        self._budget.spend(Use.ROOMS)
        try:
            rooms = await self._server.rooms()
        except ApiError as error:
            self._failed(error, asked)
            return False
        self._receive(RoomsListed(asked, await self._read(rooms)))
        self.listed_at = asked
        await self._sleep(0)  # to take a long list, and to choose from it, are two pieces of work
        return await self._list_wanted(asked, until)

    async def _read(self, rooms: Sequence[Room]) -> tuple[RoomSeen, ...]:
        """Read a list; other work gets its turn meanwhile, since there may be thousands."""
        seen: list[RoomSeen] = []
        for start in range(0, len(rooms), _SLICE):
            if start:
                await self._sleep(0)
            seen += (room_from(room, counted=True) for room in rooms[start : start + _SLICE])
        return tuple(seen)

    async def _list_wanted(self, asked: float, until: float) -> bool:
        """Ask for what is wanted, and keep whether the round went well."""
        if hopeless := _hopeless(await self._list_each(self._wants(), until)):
            self._failed(hopeless, asked)
            return False
        self._succeeded()
        return True

    async def _list_each(self, rooms: Sequence[str], until: float) -> Sequence[ApiError]:
        """Ask for each in order, some at a time, as far as budget and time go."""
        wanted = iter(dict.fromkeys(rooms))
        errors: list[ApiError] = []
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(self._work_off(wanted, until, errors))
        return errors

    async def _work_off(self, wanted: Iterator[str], until: float, errors: list[ApiError]) -> None:
        while self._clock() < until and not _hopeless(errors):
            room = next(wanted, None)
            if room is None or not self._may_list(room):
                return
            try:
                listed = await list_members(self._server, room, clock=self._clock)
            except ApiError as error:
                # one room may fail for good, as the ghosts of a server that was killed do: the
                # others are asked for all the same
                logger.debug("%s", error)
                errors.append(error)
            else:
                self._receive(listed)

    def _may_list(self, room: str) -> bool:
        if self._budget.spend(Use.MEMBERS):
            return True
        return self._overdue(room) and self._budget.confirm()

    @property
    def _pause(self) -> float:
        """Seconds until the next question after a failure."""
        exhausted = self.error is not None and self.error.code == EXHAUSTED
        longest = _LONGEST_HOLD if exhausted else max(_LONGEST_PAUSE, self._period)
        return float(min(self._period * 2 ** min(self._failures - 1, 10), longest))

    def _failed(self, error: ApiError, asked: float) -> None:
        self._failures += 1
        self.counts["failed"] += 1
        if self.failing_since is None:
            self.failing_since = asked
            logger.warning("calls are not judged until the LiveKit API answers again: %s", error)
        elif self.error is None or self.error.code != error.code:
            logger.warning("the LiveKit API still fails, in another way: %s", error)
        self.error = error
        if error.code == EXHAUSTED:
            self._budget.hold(self._pause)

    def _succeeded(self) -> None:
        if self.failing_since is not None:
            lasted = self._clock() - self.failing_since
            logger.warning("the LiveKit API answers again, after %.1f s", lasted)
        self._failures, self.failing_since, self.error = 0, None, None
        self.counts["ok"] += 1


def _hopeless(errors: Sequence[ApiError]) -> ApiError | None:
    return next((error for error in errors if error.code in _HOPELESS), None)
