"""One guarded job, from the entrypoint's start to the job's end."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from livekit.agents import AgentSession, JobContext, JobExecutorType, tts

from onhook.engine import Engine
from onhook.errors import ConfigurationError, EntrypointStalledError, OnhookError
from onhook.faults import Fault, Severity
from onhook.journal import Journal
from onhook.line import Line
from onhook.livekit import Credentials, LiveKitLine, Renderings
from onhook.livekit.proof import ALIVE_METHOD
from onhook.livekit.renderings import Tts
from onhook.observe import Observer
from onhook.policy import Policy
from onhook.ring1.checks import Entrypoint
from onhook.ring1.failures import left_by, shut_down
from onhook.ring1.preparing import prepare
from onhook.ring1.session import SessionWatch
from onhook.ring1.waiting import first_audio, late_caller
from onhook.types import Call, Failure, Incident, Outcome
from onhook.watchdog import Link, Mode
from onhook.watchdog.messages import Hello
from onhook.watchdog.version import our_version

__all__ = ["GuardedJob"]

logger = logging.getLogger("onhook")

_LOOK = 1.0
"""Seconds for the first picture of a call; the rescue goes on without it."""
_FIND = 0.5
"""Seconds between looks for the job's session: livekit-agents tells of its start by no event."""


class GuardedJob:
    """Watches over one job and rescues its call at most once.

    Args:
        ctx: The job.
        policy: What to do.
        observers: Who is told.
        journal: Keeps the evidence.
        clock: Seconds of a monotonic clock.
        open_line: Opens the call's line; a `LiveKitLine` with the job's credentials when omitted.
    """

    def __init__(
        self,
        ctx: JobContext,
        policy: Policy,
        observers: Sequence[Observer],
        journal: Journal | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        open_line: Callable[[], AbstractAsyncContextManager[Line]] | None = None,
    ) -> None:
        self._ctx = ctx
        self._policy = policy
        self._observers = observers
        self._journal = journal
        self._clock = clock
        self._open_line = open_line or self._livekit_line
        self._renderings = Renderings()
        self._lock = asyncio.Lock()
        self._rescuing = False
        self._ended = False
        self._stall: EntrypointStalledError | None = None
        self._outcome: Outcome | None = None
        self._softening: asyncio.Task[None] | None = None

    async def run(self, entrypoint: Entrypoint, *, reraise: bool) -> None:
        """Run the entrypoint under guard.

        Args:
            entrypoint: The developer's coroutine function.
            reraise: Whether its exception goes on to the framework after the rescue.

        Raises:
            BaseException: Whatever the entrypoint raised, unchanged.
            EntrypointStalledError: It published nothing within `Policy.first_audio`.
        """
        try:
            Credentials.from_env()
        except ConfigurationError as error:
            logger.error("this call is not guarded: %s", error)  # noqa: TRY400 - no traceback helps
            await entrypoint(self._ctx)
            return
        entry = asyncio.current_task()
        self._link = self._link_to_watchdog()
        self._observers = (self._link, *self._observers)
        await self._link.start()
        self._watcher = asyncio.create_task(self._watch(entry), name="onhook-watch")
        self._ctx.add_shutdown_callback(self._shutdown_callback())
        try:
            await entrypoint(self._ctx)
        except GeneratorExit:
            raise
        except BaseException as error:
            failure = left_by(error, self._clock())
            if not self._stalled(error, entry):
                await self._rescue(failure)
                if reraise or not isinstance(error, Exception):
                    raise
                self._ctx.shutdown(failure.detail)
        if self._stall is not None:
            async with self._lock:
                self._ctx.shutdown(str(self._stall))
            if reraise:
                raise self._stall

    def _stalled(self, error: BaseException, entry: asyncio.Task[None] | None) -> bool:
        """Return whether it is our own cancellation that came back, and only that."""
        if self._stall is None or entry is None:
            return False
        if isinstance(error, asyncio.CancelledError):
            return entry.uncancel() == 0
        return True

    async def _watch(self, entry: asyncio.Task[None] | None) -> None:
        """See the job through to its end, also when the event loop is torn down around it."""
        try:
            try:
                waited_too_long = await first_audio(
                    self._ctx.room,
                    self._policy.first_audio,
                    clock=self._clock,
                    ask=self._ask,
                    over=lambda: self._rescuing,
                )
                await (self._stall_out(entry) if waited_too_long else self._accompany(entry))
            except Exception:
                logger.exception("onhook could not watch this call any further")
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if not self._ended:
                detail = "the job's event loop ended with the caller still on the line"
                await self._rescue(Failure(Fault.ENTRYPOINT_EXITED, detail, self._clock()))
            raise

    async def _ask(self) -> Call:
        async with self._open_line() as line:
            return await self._look(line)

    async def _stall_out(self, entry: asyncio.Task[None] | None) -> None:
        detail = (
            f"no audio was published within {self._policy.first_audio:g} s "
            "with a caller on the line"
        )
        self._stall = EntrypointStalledError(detail)
        entry_runs = entry is not None and not entry.done()
        if entry is not None and entry_runs:
            entry.cancel()
        await self._rescue(Failure(Fault.ENTRYPOINT_STALLED, detail, self._clock(), self._stall))
        if not entry_runs:
            self._ctx.shutdown(detail)

    async def _accompany(self, entry: asyncio.Task[None] | None) -> None:
        """Be with the agent's session until it is lost."""
        _ = self._agent  # known before it is needed: the seconds after a fault are the caller's
        self._answer_for_life()
        async with asyncio.TaskGroup() as group:
            group.create_task(prepare(self._policy, self._renderings, self._voice, entry))
            group.create_task(self._follow())

    async def _follow(self) -> None:
        while (session := self._session()) is None:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(_FIND)
        with SessionWatch(session, self._policy, self._clock) as watch:
            while (failure := await watch.failure()).severity is Severity.IMPAIRED:
                await self._soften(failure, watch)
        await self._rescue(failure)
        if self._outcome is not None and self._outcome.ending != "kept":
            self._ctx.shutdown(failure.detail)

    async def _soften(self, failure: Failure, watch: SessionWatch) -> None:
        """Climb the soft ladder, and stop as soon as the agent speaks or all is lost."""
        soft = asyncio.create_task(self._climb_softly(failure), name="onhook-soft")
        settled = asyncio.create_task(watch.settled(), name="onhook-settled")
        self._softening = soft
        try:
            await asyncio.wait((soft, settled), return_when=asyncio.FIRST_COMPLETED)
        finally:
            soft.cancel()
            settled.cancel()
            await asyncio.gather(soft, settled, return_exceptions=True)

    async def _climb_softly(self, failure: Failure) -> None:
        try:
            async with self._open_line() as line:
                call = await self._look(line)
                if call.callers and not self._rescuing:
                    await self._engine(line).handle(Incident(failure, call))
        except Exception:  # soft words that fail leave the call as it is
            logger.exception("onhook could not soften the silence in %s", self._ctx.job.room.name)

    def _session(self) -> AgentSession[Any] | None:
        try:
            return self._ctx.primary_session
        except RuntimeError:  # no session was started
            return None

    def _voice(self) -> Tts | None:
        session = self._session()
        voice = session.tts if session is not None else None
        return voice if isinstance(voice, tts.TTS) else None

    def _shutdown_callback(self) -> Callable[[str], Coroutine[None, None, None]]:
        # livekit-agents reads `callback.__code__`: it takes a function and no callable object
        async def onhook_guard(reason: str) -> None:
            self._ended = True
            try:
                await self._rescue(shut_down(reason, self._clock()))
            finally:
                self._watcher.cancel()
                await asyncio.gather(self._watcher, return_exceptions=True)
                await self._link.bye(reason)
                await self._link.aclose()

        return onhook_guard

    async def _rescue(self, failure: Failure) -> None:
        """Open the one incident of this call and see it to its outcome; later causes wait for it.

        A failure with no caller on the line opens none, so that a later one still can.
        """
        async with self._lock:
            if self._rescuing:
                return
            self._rescuing = True
            if self._softening is not None:
                self._softening.cancel()
            try:
                async with self._open_line() as line:
                    self._rescuing = await self._handle(line, failure)
            except Exception:  # nothing of ours may take the place of the original error
                logger.exception("onhook could not rescue the call in %s", self._ctx.job.room.name)

    async def _handle(self, line: Line, failure: Failure) -> bool:
        cancelled: asyncio.CancelledError | None = None
        call = self._unseen()
        try:
            call = await self._look(line)
            if call.complete and not call.callers:
                call = await late_caller(
                    self._ctx.room, call, self._policy.late_caller, clock=self._clock
                )
        except asyncio.CancelledError as error:
            cancelled = error
        harmed = bool(call.callers) or not call.complete
        if harmed:
            self._outcome = await self._engine(line).handle(Incident(failure, call))
        elif failure.error is not None:
            logger.info("%s, and no caller was on the line", failure.detail)
        if cancelled is not None:
            raise cancelled
        return harmed

    def _engine(self, line: Line) -> Engine:
        return Engine(line, policy=self._policy, journal=self._journal, observers=self._observers)

    async def _look(self, line: Line) -> Call:
        try:
            async with asyncio.timeout(_LOOK):
                return await line.picture()
        except (OnhookError, TimeoutError) as error:
            logger.warning("could not see who is on the call: %s", error)
            return self._unseen()

    @property
    def _torn_down(self) -> bool:
        """Whether the event loop is being closed: the tasks that serve the room are cancelled too.

        Only that, and the end of the job, cancel the watch; `sys.exit()` in any task leads there
        (livekit-agents `ipc/proc_client.py`, `run`).
        """
        return not self._ended and self._watcher.cancelling() > 0

    @functools.cached_property
    def _agent(self) -> str:
        """The agent's identity; livekit-agents verifies a token each time it is asked for it."""
        return self._ctx.local_participant_identity

    def _unseen(self) -> Call:
        return Call(
            self._ctx.job.room.name,
            agent=self._agent,
            job=self._ctx.job.id,
            complete=False,
        )

    def _link_to_watchdog(self) -> Link:
        mode: Mode = self._policy.watchdog
        executor = getattr(self._ctx, "proc", None)
        if mode != "off" and getattr(executor, "executor_type", None) is JobExecutorType.THREAD:
            logger.warning("ring 2 is off for jobs in threads: one that dies takes all with it")
            mode = "off"
        hello = Hello(
            self._ctx.job.room.name,
            self._ctx.job.id,
            self._agent,
            Credentials.from_env().url,
            os.getppid(),
            our_version(),
            self._policy,
        )
        return Link(hello, mode=mode)

    def _answer_for_life(self) -> None:
        """Answer the watchdog through the room as long as the event loop runs."""
        if self._ctx.room.isconnected():
            me = self._ctx.room.local_participant
            me.register_rpc_method(ALIVE_METHOD, lambda _: "alive")
        self._link.up()

    def _livekit_line(self) -> LiveKitLine:
        return LiveKitLine(
            Credentials.from_env(),
            self._ctx.job.room.name,
            own=None if self._torn_down else self._ctx.room,
            agent=self._agent,
            job=self._ctx.job.id,
            api_timeout=self._policy.api_timeout,
            renderings=self._renderings,
            voice=self._voice,
        )
