"""What rescuers outside the job share: lines that speak to so many at once, engines, and a look."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

from onhook.call import Call
from onhook.errors import OnhookError
from onhook.incident import Mode
from onhook.line import Line
from onhook.livekit.credentials import Credentials
from onhook.livekit.slots import Slots
from onhook.policy import RescuePolicy
from onhook.rescue.engine import Engine
from onhook.rescue.events import Ring, Sink
from onhook.sinks import LoggingObserver, Observer, ObserverSink
from onhook.sinks.journal import Journal

if TYPE_CHECKING:
    from onhook.livekit.bounded_line import BoundedLine

__all__ = ["LOOK", "OutsideRescuer"]

logger = logging.getLogger("onhook")

LOOK = 2.0
"""Seconds for the first picture of a call; the rescue goes on without it."""


class OutsideRescuer:
    """Has the credentials, the sinks and the slots of one ring's rescues.

    Args:
        credentials: Server and key of all calls.
        journal: Keeps the evidence.
        observers: Are told of every incident; a `LoggingObserver` when omitted.
        sinks: Are given the events of all incidents.
        ring: Who rescues.
        words: As many as there may be announcements at once.
        dispatches: As many as there may be dispatches under way; unbounded when omitted.
        asked: Called at each request to the server's API, where somebody counts them.
        clock: Seconds of a monotonic clock.
    """

    def __init__(
        self,
        credentials: Credentials,
        journal: Journal | None = None,
        observers: Sequence[Observer] | None = None,
        *,
        sinks: Sequence[Sink] = (),
        ring: Ring,
        words: Slots,
        dispatches: Slots | None = None,
        asked: Callable[[], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sinks: tuple[Sink, ...] = (*(() if journal is None else (journal,)), *sinks)
        self._observers = (LoggingObserver(),) if observers is None else tuple(observers)
        self._ring = ring
        self._words = words
        self._dispatches = dispatches
        self._asked = asked
        self._clock = clock
        self.credentials = credentials

    async def prepare(self) -> None:
        """Load what an announcement needs, beside the loop and before a caller waits for it."""
        await asyncio.to_thread(_load)

    async def warm(self) -> None:
        """Load also livekit's native library, which takes some tenths of a second at its first use.

        For a service that has the memory to spare; the first caller would wait for it.
        """
        await self.prepare()
        await asyncio.to_thread(_load_native)

    @contextlib.asynccontextmanager
    async def line(
        self, room: str, *, agent: str = "", job: str = "", api_timeout: float, since: float = 0.0
    ) -> AsyncIterator[BoundedLine]:
        """Open the line of a call.

        Args:
            room: Room name.
            agent: Identity of the agent.
            job: LiveKit job id.
            api_timeout: Seconds for one request.
            since: Since when the caller hears nothing; the smallest comes first.
        """
        await self.prepare()
        from onhook.livekit.bounded_line import BoundedLine  # noqa: PLC0415 - see `prepare`

        async with BoundedLine(
            self.credentials,
            room,
            words=self._words,
            dispatches=self._dispatches,
            asked=self._asked,
            since=since,
            agent=agent,
            job=job,
            api_timeout=api_timeout,
        ) as line:
            yield line

    def sinks(self) -> tuple[Sink, ...]:
        """Return new sinks for one incident."""
        return (*self._sinks, *map(ObserverSink, self._observers))

    def engine(
        self, line: Line, policy: RescuePolicy, mode: Mode, sinks: Sequence[Sink] | None = None
    ) -> Engine:
        """Return the engine for one incident.

        Args:
            line: The call's line.
            policy: What shall be done.
            mode: Whether it is done.
            sinks: Are told of it; `sinks()` when omitted.
        """
        return Engine(
            line,
            policy=policy,
            sinks=self.sinks() if sinks is None else sinks,
            clock=self._clock,
            ring=self._ring,
            mode=mode,
        )

    async def look(self, line: Line, room: str, *, agent: str = "", job: str = "") -> Call:
        """Return the first picture of a call, or one that says that nobody could be asked.

        Args:
            line: The call's line.
            room: Room name.
            agent: Identity of the agent.
            job: LiveKit job id.
        """
        try:
            async with asyncio.timeout(LOOK):
                return await line.picture()
        except (OnhookError, TimeoutError) as error:
            logger.warning("could not see who is on the call in %s: %s", room, error)
            return Call(room, agent=agent, job=job, complete=False)


def _load_native() -> None:
    from livekit import rtc  # noqa: PLC0415 - see `OutsideRescuer.prepare`

    rtc.AudioResampler(48_000, 24_000)  # whatever first calls the library loads it


def _load() -> None:
    import onhook.livekit.bounded_line  # noqa: PLC0415 - see `OutsideRescuer.prepare`
    import onhook.livekit.proof_of_life  # noqa: F401, PLC0415
