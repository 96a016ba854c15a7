"""One kind of provider: its members, what each may take, and how their failures are named."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError

from onhook.fallback.availability import ProviderChange, Watch, logger
from onhook.fallback.deadlines import Turn

__all__ = ["PAUSE", "Attempt", "Member", "Stage", "loop_time"]

_CLOSING = 0.1
"""Seconds that a provider's stream gets to close before the caller is served without it."""
PAUSE = 0.2
"""Seconds until the last provider is asked again."""
_SLICE = 0.1
_TICK = 0.001
_NOISE = 0.02
"""Seconds by which a timer of a loop that is not blocked may be late."""
_LEAST = 0.05
_CLIENT_CLOSED = 499
"""The framework takes this status for a request that the client gave up, and tells nobody."""


_T = TypeVar("_T")


def loop_time() -> float:
    """Return the event loop's monotonic clock, on which `asyncio.timeout` runs too."""
    return asyncio.get_running_loop().time()


class Member(Protocol):
    """A provider among others."""

    @property
    def label(self) -> str:
        """The framework's name of it."""
        ...

    @property
    def model(self) -> str:
        """Its model."""
        ...

    @property
    def provider(self) -> str:
        """Its provider's name."""
        ...


@dataclass(slots=True)
class Attempt:
    """One request to one member. All times are seconds of the stage's clock.

    Args:
        since: Since when the caller hears nothing because of it.
        limit: When the first sign of an answer must have come.
        probe: Whether it only asks whether the member is back, and nobody waits for it.
    """

    since: float
    limit: float
    probe: bool


class Stage:
    """What the members of one kind share.

    Args:
        kind: `"stt"`, `"llm"` or `"tts"`.
        first: Seconds from a request to the first sign of an answer.
        between: Seconds between two parts of an answer.
        turn: What the turn has cost so far; shared by all kinds.
        watch: Is told when a member fails or comes back.
        clock: Seconds of a monotonic clock.
    """

    def __init__(
        self,
        kind: str,
        *,
        first: float,
        between: float,
        turn: Turn,
        watch: Watch,
        clock: Callable[[], float] = loop_time,
    ) -> None:
        self.kind = kind
        self.first = first
        self.between = between
        self.turn = turn
        self.clock = clock
        self.members: list[Member] = []
        self.utterance: object = None
        """What the caller has said last, where it is heard as one piece."""
        self._watch = watch
        self._down: set[int] = set()
        self._why: dict[int, str] = {}
        self._closing: set[asyncio.Task[Any]] = set()

    def has_other(self, member: Member) -> bool:
        """Return whether another member would be asked if this one failed."""
        place = self.members.index(member)
        return any(each not in self._down for each in range(len(self.members)) if each != place)

    def probes(self, member: Member) -> bool:
        """Return whether a request to a member only asks whether it is back.

        The adapters ask a member that is down only for that, unless all of them are down.
        """
        place = self.members.index(member)
        return place in self._down and len(self._down) < len(self.members)

    def changed(self, member: Member, *, available: bool) -> None:
        """An adapter has taken a member out, or back in."""
        place = self.members.index(member)
        (self._down.discard if available else self._down.add)(place)
        why = "" if available else self._why.get(place, "")
        change = ProviderChange(self.kind, place, member.label, member.model, available, why)
        self._watch.tell(change, member.provider)

    @contextmanager
    def attempt(self, member: Member) -> Iterator[Attempt]:
        """Make one attempt, whose failure counts in the turn.

        Raises:
            APIError: Whatever the provider raised, in the one family that the framework surfaces.
        """
        now = self.clock()
        probe = self.probes(member)
        left = self.first if probe else min(self.first, self.turn.left(now))
        attempt = Attempt(since=now, limit=now + left, probe=probe)
        with self.named(member):
            if left < _LEAST:
                raise APITimeoutError(
                    f"{member.label} was not asked: this turn has lost all the time that it has"
                )
            try:
                yield attempt
            except Exception:
                if not probe:
                    self.turn.lose(attempt.since, self.clock())
                raise

    @contextmanager
    def named(self, member: Member) -> Iterator[None]:
        """Turn whatever a provider raises into what the framework surfaces, and remember why.

        Raises:
            APIError: In place of every `Exception`.
        """
        try:
            yield
        except Exception as error:
            named = _api_error(member.label, error)
            self._why[self.members.index(member)] = str(named)
            if named is error:
                raise
            raise named from error

    async def patiently(
        self, member: Member, limit: float, once: Callable[[], Awaitable[None]]
    ) -> None:
        """Ask; ask again after a passing failure where there is no other to ask, and still time.

        A network that is gone for a moment fails every provider at once: the last one is where
        that is waited for.

        Args:
            member: Who is asked.
            limit: When the time is up, by the clock.
            once: Asks once.
        """
        while True:
            try:
                return await once()
            except APIError as error:
                late = self.clock() + PAUSE >= limit
                if late or not error.retryable or self.has_other(member):
                    raise
                logger.info("%s failed, and is asked again: %s", member.label, error)
            await asyncio.sleep(PAUSE)

    async def within(self, seconds: float, coming: Awaitable[_T]) -> _T:
        """Wait for a part of an answer, even where the provider would not be cancelled.

        Time for which the event loop was blocked is not held against the provider: what it sent
        meanwhile could not be read. At most it is given the same time again.

        Raises:
            TimeoutError: Nothing came in time.
        """
        task = asyncio.ensure_future(coming)
        until, most = self.clock() + seconds, self.clock() + 2 * seconds
        try:
            while not task.done() and (left := min(until, most) - self.clock()) > _TICK:
                pause = min(left, _SLICE)
                due = self.clock() + pause
                await asyncio.wait({task}, timeout=pause)
                late = self.clock() - due
                until += late if late > _NOISE else 0.0
        finally:
            if not task.done():
                await self.close(_cancelled(task))
        if task.done() and not task.cancelled():
            return task.result()
        raise TimeoutError

    async def close(self, closing: Coroutine[Any, Any, None]) -> None:
        """Close a stream; one that does not close in time closes on its own."""
        task = asyncio.ensure_future(closing)
        self._closing.add(task)
        task.add_done_callback(self._closed)
        await asyncio.wait({task}, timeout=_CLOSING)

    def _closed(self, task: asyncio.Task[Any]) -> None:
        self._closing.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.debug("a stream of %s did not close well: %r", self.kind, error)

    async def aclose(self) -> None:
        """End what has not closed by itself."""
        left = set(self._closing)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_CLOSING)


async def _cancelled(task: asyncio.Future[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})


def _api_error(label: str, error: Exception) -> APIError:
    if isinstance(error, APIStatusError) and error.status_code == _CLIENT_CLOSED:
        return APIConnectionError(f"{label} closed the request: {error.message}")
    if isinstance(error, APIError):
        return error
    if isinstance(error, TimeoutError):
        return APITimeoutError(f"{label} timed out: {error!r}")
    return APIConnectionError(f"{label} raised {error!r}")
