"""One guarded job, from the entrypoint's start to the job's end."""

from __future__ import annotations

import asyncio
import functools
import linecache
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from livekit.agents import JobContext, tts

from onhook.engine import Engine
from onhook.errors import ConfigurationError, EntrypointStalledError, OnhookError
from onhook.faults import Fault
from onhook.journal import Journal
from onhook.line import Line
from onhook.livekit import Credentials, LiveKitLine, Renderings
from onhook.livekit.picture import from_room
from onhook.livekit.renderings import Tts
from onhook.observe import Observer
from onhook.policy import Policy
from onhook.ring1.checks import Entrypoint, announcements
from onhook.ring1.waiting import RoomChanges, first_audio
from onhook.types import Call, Failure, Incident

__all__ = ["GuardedJob"]

logger = logging.getLogger("onhook")

_LOOK = 1.0
"""Seconds for the first picture of a call; the rescue goes on without it."""
_NOT_THE_AGENT = ("parent process shutdown", "room disconnected", "job crashed")
"""Shutdown reasons that livekit-agents gives by itself (`ipc/job_proc_lazy_main.py`)."""


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
        self._watcher = asyncio.create_task(self._watch(entry), name="onhook-watch")
        self._ctx.add_shutdown_callback(self._shutdown_callback())
        try:
            await entrypoint(self._ctx)
        except GeneratorExit:
            raise
        except BaseException as error:
            failure = self._failure_of(error)
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

    def _failure_of(self, error: BaseException) -> Failure:
        match error:
            case asyncio.CancelledError():
                fault, verb = Fault.ENTRYPOINT_CANCELLED, "was cancelled"
            case SystemExit() | KeyboardInterrupt():
                fault, verb = Fault.ENTRYPOINT_EXITED, f"left by {error!r}"
            case BaseExceptionGroup():
                fault, verb = Fault.ENTRYPOINT_RAISED, f"raised {error}"
            case _:
                fault, verb = Fault.ENTRYPOINT_RAISED, f"raised {error!r}"
        return Failure(fault, f"the entrypoint {verb}", self._clock(), error)

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
                await (self._stall_out(entry) if waited_too_long else self._prepare(entry))
            except Exception:
                logger.exception("onhook could not watch for the first audio of this call")
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

    async def _prepare(self, entry: asyncio.Task[None] | None) -> None:
        """Do what a rescue would otherwise do while the caller waits, now that all is well."""
        _ = self._agent
        for file in _sources(entry):
            linecache.getlines(file)  # what a traceback will quote
        for say in announcements(self._policy):
            source = say.tts if say.tts is not None else self._voice()
            if say.audio is None and source is not None:
                await self._renderings.prepare(say.text, source)

    def _voice(self) -> Tts | None:
        try:
            voice = self._ctx.primary_session.tts
        except RuntimeError:  # no session was started
            return None
        return voice if isinstance(voice, tts.TTS) else None

    def _shutdown_callback(self) -> Callable[[str], Coroutine[None, None, None]]:
        # livekit-agents reads `callback.__code__`: it takes a function and no callable object
        async def onhook_guard(reason: str) -> None:
            self._ended = True
            try:
                await self._rescue(self._shutdown_failure(reason))
            finally:
                self._watcher.cancel()
                await asyncio.gather(self._watcher, return_exceptions=True)

        return onhook_guard

    def _shutdown_failure(self, reason: str) -> Failure:
        by = "worker" if reason in _NOT_THE_AGENT else "agent"
        detail = f"the job ended ({reason}) with the caller still on the line"
        evidence = {"reason": reason, "by": by}
        return Failure(Fault.AGENT_SHUTDOWN, detail, self._clock(), evidence=evidence)

    async def _rescue(self, failure: Failure) -> None:
        """Open the one incident of this call and see it to its outcome; later causes wait for it.

        A failure with no caller on the line opens none, so that a later one still can.
        """
        async with self._lock:
            if self._rescuing:
                return
            self._rescuing = True
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
                call = await self._late_caller(call)
        except asyncio.CancelledError as error:
            cancelled = error
        harmed = bool(call.callers) or not call.complete
        if harmed:
            engine = Engine(
                line, policy=self._policy, journal=self._journal, observers=self._observers
            )
            await engine.handle(Incident(failure, call))
        elif failure.error is not None:
            logger.info("%s, and no caller was on the line", failure.detail)
        if cancelled is not None:
            raise cancelled
        return harmed

    async def _late_caller(self, call: Call) -> Call:
        """Give a leg that is just being dialled, or is just joining, a moment to appear."""
        room = self._ctx.room
        if call.humans or not room.isconnected():
            return call
        until = self._clock() + self._policy.late_caller
        with RoomChanges(room) as changes:
            while room.isconnected() and not call.callers and self._clock() < until:
                await changes.wait(until - self._clock())
                call = from_room(room) if room.isconnected() else call
        return call

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


def _sources(task: asyncio.Task[None] | None) -> set[str]:
    """Return the files of the coroutines through which a task waits now."""
    files = set()
    waiting: Any = task.get_coro() if task is not None else None
    while (code := getattr(waiting, "cr_code", None)) is not None:
        files.add(code.co_filename)
        waiting = waiting.cr_await
    return files
