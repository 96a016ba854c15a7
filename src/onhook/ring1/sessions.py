"""Follows the sessions of a job: softens what is passing, rescues what is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from livekit.agents import AgentSession

from onhook.faults import Severity
from onhook.policy import Policy
from onhook.ring1.rescue import Rescuer
from onhook.ring1.session import SessionWatch

__all__ = ["Sessions"]

_FIND = 0.2
"""Seconds between looks for the job's session: livekit-agents tells of its start by no event."""


class Sessions:
    """Every session of one job that is followed.

    Args:
        rescuer: Acts on what goes wrong.
        policy: How long a caller may hear nothing.
        clock: Seconds of a monotonic clock.
        primary: Returns the job's own session, or `None` before it has started.
        lost: Is told when a session was lost and its call was rescued.
    """

    def __init__(
        self,
        rescuer: Rescuer,
        policy: Policy,
        clock: Callable[[], float],
        *,
        primary: Callable[[], AgentSession[Any] | None],
        lost: Callable[[str], None],
    ) -> None:
        self._rescuer = rescuer
        self._policy = policy
        self._clock = clock
        self._primary = primary
        self._lost = lost
        self._more: asyncio.Queue[AgentSession[Any]] = asyncio.Queue()
        self._followed: list[tuple[AgentSession[Any], SessionWatch]] = []

    def add(self, session: AgentSession[Any]) -> None:
        """Follow one more session; one that is followed already is left as it is."""
        self._more.put_nowait(session)

    @property
    def watches(self) -> tuple[SessionWatch, ...]:
        """The watches of the sessions that are followed now, oldest first."""
        return tuple(watch for _, watch in self._followed)

    async def follow(self) -> None:
        """Follow the job's session and all that are added, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._find())
            while True:
                session = await self._more.get()
                if all(session is not known for known, _ in self._followed):
                    watch = SessionWatch(session, self._policy, self._clock)
                    self._followed.append((session, watch))
                    group.create_task(self._follow(watch))

    async def _find(self) -> None:
        while (session := self._primary()) is None:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(_FIND)
        self.add(session)

    async def _follow(self, watch: SessionWatch) -> None:
        try:
            with watch:
                while (failure := await watch.failure()).severity is Severity.IMPAIRED:
                    settled = asyncio.create_task(watch.settled(), name="onhook-settled")
                    await self._rescuer.soften(failure, settled)
            await self._rescuer.rescue(failure)
            self._lost(failure.detail)
        finally:
            self._followed = [pair for pair in self._followed if pair[1] is not watch]
