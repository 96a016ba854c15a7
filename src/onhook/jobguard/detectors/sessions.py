"""Follows the sessions of a job: softens what is passing, rescues what is lost."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections import deque
from collections.abc import Callable
from typing import Any

from livekit import rtc
from livekit.agents import AgentSession

from onhook.call import Call, Direction, LineState
from onhook.faults import Severity
from onhook.incident import Failure
from onhook.jobguard.detectors.first_audio import plays_ambience
from onhook.jobguard.detectors.framework_log import FrameworkLog
from onhook.jobguard.detectors.session_view import JobView, LineView
from onhook.jobguard.detectors.session_watch import SessionWatch
from onhook.jobguard.detectors.voice_path import VoicePath
from onhook.jobguard.rescuer import Rescuer
from onhook.jobguard.silence.conversation import Conversation
from onhook.livekit.framework.session_internals import is_closing
from onhook.livekit.picture import from_room
from onhook.livekit.room_changes import Changes
from onhook.policy import Policy
from onhook.watchdog.protocol.messages import NO_NEWS, Beat

__all__ = ["Sessions"]

_FIND_EARLY, _EARLY = 0.02, 30.0
"""Seconds between looks for the job's session, and how long: no event tells of its start."""
_FIND = 0.2
"""Seconds between looks in a job that has none so far."""
_COMPLAINTS = 8
_ANSWERED = (LineState.ACTIVE, LineState.UNKNOWN)
"""A leg without `sip.callStatus` comes from no phone service that would let it ring."""


class Sessions:
    """Every session of one job that is followed.

    Args:
        room: The job's room.
        rescuer: Acts on what goes wrong.
        policy: How long a caller may hear nothing.
        clock: Seconds of a monotonic clock.
        primary: Returns the job's own session, or `None` before it has started.
        lost: Is told when a session was lost and its call was rescued.
        job: Returns what the job around a session does, but for its other sessions.
    """

    def __init__(
        self,
        room: rtc.Room,
        rescuer: Rescuer,
        policy: Policy,
        clock: Callable[[], float],
        *,
        primary: Callable[[], AgentSession[Any] | None],
        lost: Callable[[str], None],
        job: Callable[[], JobView] = JobView,
    ) -> None:
        self._room = room
        self._rescuer = rescuer
        self._policy = policy
        self._clock = clock
        self._primary = primary
        self._lost = lost
        self._job = job
        self._more: asyncio.Queue[AgentSession[Any]] = asyncio.Queue()
        self._early: deque[tuple[BaseException, str]] = deque(maxlen=_COMPLAINTS)
        self._voice_path = VoicePath(room)
        self._followed: list[tuple[AgentSession[Any], SessionWatch]] = []

    def add(self, session: AgentSession[Any]) -> None:
        """Follow one more session; one that is followed already is left as it is."""
        self._more.put_nowait(session)

    @property
    def watches(self) -> tuple[SessionWatch, ...]:
        """The watches of the sessions that are followed now, oldest first."""
        return tuple(watch for _, watch in self._followed)

    def conversations(self) -> tuple[Conversation, ...]:
        """Return what is understood of each session: they all hear the caller's voice."""
        return tuple(watch.conversation for watch in self.watches)

    @property
    def up(self) -> bool:
        """Whether a session runs: from then on what is owed is judged, not what is published."""
        return any(session.agent_state != "initializing" for session, _ in self._followed)

    def news(self) -> Beat:
        """Return what the agent does, and until when it could be heard; nothing without one."""
        if not self._followed:
            return NO_NEWS
        session, watch = self._followed[-1]
        return Beat(0.0, session.agent_state, watch.conversation.audio.heard_until)

    def explain(self) -> str:
        """Tell how each session that is followed and the caller stand with each other."""
        return "\n".join(watch.explain() for watch in self.watches)

    async def follow(self) -> None:
        """Follow the job's session and all that are added, until cancelled."""
        async with asyncio.TaskGroup() as group:
            with FrameworkLog(self._complained):
                group.create_task(self._find())
                while True:
                    session = await self._more.get()
                    if all(session is not known for known, _ in self._followed):
                        watch = SessionWatch(
                            session,
                            self._policy,
                            self._clock,
                            self._line,
                            functools.partial(self._job_of, session),
                        )
                        self._followed.append((session, watch))
                        group.create_task(self._follow(watch))

    def _complained(self, error: BaseException, meaning: str) -> None:
        """Pass on what the framework's log tells; a session may fail before it is found."""
        if not self._followed:
            self._early.append((error, meaning))
        for watch in self.watches:
            watch.conversation.debts.complained(error, meaning)

    def _job_of(self, session: AgentSession[Any]) -> JobView:
        others = (s for s, _ in self._followed if s is not session)
        runs = any(s.agent_state != "initializing" and not is_closing(s) for s in others)
        return dataclasses.replace(self._job(), other_session_runs=runs)

    def _line(self) -> LineView:
        """Return the call as the room shows it; before the job is there nobody has answered."""
        if not self._room.isconnected():
            return LineView(answered=False)
        call = from_room(self._room)
        callers = frozenset(leg.identity for leg in call.callers)
        return LineView(
            answered=any(leg.line in _ANSWERED for leg in call.callers),
            outbound=call.direction is Direction.OUTBOUND,
            alone=not call.company,
            callers=callers,
            ambience=plays_ambience(self._room),
            unheard="" if call.company else self._unheard(call),
            deaf=call.deaf,
        )

    def _unheard(self, call: Call) -> str:
        """Return why callers get nothing of what the agent sends; empty where they do."""
        deaf = "the caller's leg may not subscribe to any track" if call.deaf else ""
        return self._voice_path.broken() or deaf

    async def _find(self) -> None:
        """Find the job's session while it starts, so that no word of it goes unmeasured."""
        until = self._clock() + _EARLY
        while (session := self._primary()) is None:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(_FIND_EARLY if self._clock() < until else _FIND)
        self.add(session)

    async def _follow(self, watch: SessionWatch) -> None:
        try:
            with watch:
                for complaint in self._early:
                    watch.conversation.debts.complained(*complaint)
                self._early.clear()
                await self._rescuer.settled()  # `Retry` may be what has started this session
                failure: Failure | None = None
                while not self._rescuer.state.over:
                    failure = await watch.failure()
                    if failure.severity is Severity.IMPAIRED:
                        settled = asyncio.create_task(watch.settled(), name="onhook-settled")
                        await self._rescuer.soften(failure, settled)
                        continue
                    await self._rescuer.rescue(failure)
                    if not self._rescuer.state.lost:
                        await self._no_caller(watch)
                if failure is not None and self._rescuer.state.lost:
                    self._lost(failure.detail)
                    await self._observe_on(watch, failure)
        finally:
            self._followed = [pair for pair in self._followed if pair[1] is not watch]

    async def _observe_on(self, watch: SessionWatch, failure: Failure) -> None:
        """Tell of an agent that is heard again after its call would have been ended."""
        if not self._rescuer.observed or watch.is_lost or not await watch.settled():
            return
        if (outcome := self._rescuer.outcome) is not None:
            self._rescuer.heard_again(failure, outcome)

    async def _no_caller(self, watch: SessionWatch) -> None:
        """Go on where a failure harmed nobody: a dead session still must not meet a caller."""
        watch.conversation.nobody_waits()
        if watch.is_lost:
            with Changes(self._room) as changes:
                while not (self._room.isconnected() and from_room(self._room).callers):
                    await changes.wait(None)
