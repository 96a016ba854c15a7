"""One guarded job, from the entrypoint's start to the job's end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
from livekit.agents import AgentSession, JobContext, tts

from onhook.call import Call
from onhook.errors import ConfigurationError
from onhook.faults import Fault
from onhook.incident import Failure, Mode
from onhook.jobguard.argument_checks import Entrypoint
from onhook.jobguard.attributes import Attributes
from onhook.jobguard.detectors.call_limit import CallLimit
from onhook.jobguard.detectors.caller_voice import CallerVoice
from onhook.jobguard.detectors.first_audio import FirstWait, first_audio
from onhook.jobguard.detectors.own_voice import OwnVoice
from onhook.jobguard.detectors.session_view import JobView
from onhook.jobguard.detectors.sessions import Sessions
from onhook.jobguard.detectors.transfers import Transfers
from onhook.jobguard.entrypoint_run import EntrypointRun
from onhook.jobguard.explanation import LastJudgements, call_in_words, policy_in_words
from onhook.jobguard.failures import shut_down
from onhook.jobguard.job_phase import JobPhase
from onhook.jobguard.preparation import prepare
from onhook.jobguard.registry import register
from onhook.jobguard.rehearsal import rehearse
from onhook.jobguard.rescuer import Rescuer
from onhook.jobguard.watchdog_client import WatchdogClient
from onhook.line import Line
from onhook.livekit import Credentials, LiveKitLine, Renderings
from onhook.livekit.framework.job_internals import (
    agent_identity,
    primary_session,
    shutdown_reason,
)
from onhook.livekit.framework.versions import tell_of_version
from onhook.livekit.picture import from_room, is_withdrawn
from onhook.livekit.renderings import Tts
from onhook.policy import Policy
from onhook.sinks import Observer
from onhook.sinks.journal import Journal
from onhook.tasks import end
from onhook.watchdog.protocol.messages import TRANSFERRING, Beat

__all__ = ["GuardedJob"]

logger = logging.getLogger("onhook")


class GuardedJob:
    """Watches over one job and rescues its call at most once.

    Args:
        ctx: The job.
        policy: What to do.
        observers: Who is told.
        journal: Keeps the evidence.
        clock: Seconds of a monotonic clock.
        open_line: Opens the call's line; a `LiveKitLine` with the job's credentials when omitted.
        mode: In `"observe"` everything is judged and recorded, and the call is left as it is.
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
        mode: Mode = "act",
    ) -> None:
        self._ctx = ctx
        self._policy = policy
        self._journal = journal
        self.clock = clock
        self.open_line = open_line or self._livekit_line
        self.renderings = Renderings()
        self._mode: Mode = mode
        self._judged = LastJudgements()
        self._first_wait = FirstWait(policy.setup, policy.first_audio)
        self._transfers = Transfers(ctx.job.room.name, clock)
        self._attributes = Attributes(ctx.room, ctx.job.room.name, policy, mode)
        self.rescuer = Rescuer(
            *(ctx, policy),
            (*([] if journal is None else [journal]), self._judged, self._attributes),
            observers,
            clock=clock,
            open_line=self.open_line,
            unseen=self._unseen,
            transfers=self._transfers,
            mode=mode,
        )
        self.sessions = Sessions(
            *(ctx.room, self.rescuer, policy, clock),
            primary=self._session,
            lost=self._end_job,
            job=self._seen_by_sessions,
        )
        self._ring2 = WatchdogClient(ctx, policy, self._news, mode)
        self.entrypoint = EntrypointRun(
            ctx, self.rescuer, self._session, clock, observes=self.observes
        )
        self._limit = CallLimit(ctx.room, policy.max_call, clock)

    def _news(self) -> Beat:
        """Return what the agent does, for the watchdog."""
        news, (state, until) = self.sessions.news(), self.rescuer.leaving
        if not state and (until := self._transfers.until) > self.clock():
            state = TRANSFERRING
        if not state:
            return news
        return msgspec.structs.replace(news, state=state, left_until=until)

    @property
    def observes(self) -> bool:
        """Whether the guard records what it would do, and does nothing."""
        return self._mode == "observe"

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
        set_up = self._set_up(asyncio.current_task())
        await self.entrypoint.to_the_end(entrypoint, set_up, reraise=reraise)

    async def _set_up(self, entry: asyncio.Task[None] | None) -> None:
        """Begin to watch; whatever is wrong with us, the agent runs."""
        self._watcher = asyncio.create_task(self._watch(entry), name="onhook-watch")
        try:
            register(self._ctx, self)
            self._ctx.add_shutdown_callback(self._shutdown_callback())
            self.rescuer.tell(await self._ring2.start(self._agent))
            tell_of_version()
        except Exception:
            logger.exception("onhook cannot guard this call in full; the agent runs all the same")

    async def _watch(self, entry: asyncio.Task[None] | None) -> None:
        """See the job through to its end, also when the event loop is torn down around it."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_detect("first audio", lambda: self._await_first_audio(entry)))
                group.create_task(_detect("sessions", self.sessions.follow))
                group.create_task(_detect("caller's voice", self._listen))
                group.create_task(_detect("transfers", self._transfers.watch))
                group.create_task(_detect("call limit", self._end_overlong_call))
                group.create_task(_detect("attributes", self._attributes.follow))
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if self.rescuer.state.phase is not JobPhase.ENDED:
                detail = "the job's event loop ended with the caller still on the line"
                await self.rescuer.rescue(Failure(Fault.ENTRYPOINT_EXITED, detail, self.clock()))
            raise

    async def _listen(self) -> None:
        await CallerVoice(self._ctx.room, self.sessions.conversations, self.clock).listen()

    async def _await_first_audio(self, entry: asyncio.Task[None] | None) -> None:
        own = OwnVoice(self._ctx.room, self.clock)
        listening = asyncio.create_task(own.listen(), name="onhook-own-voices")
        try:
            waited = await first_audio(
                self._ctx.room,
                self._first_wait,
                clock=self.clock,
                ask=self._ask,
                over=lambda: self.rescuer.state.over,
                up=lambda: self.sessions.up,
                spoke_since=own.heard_since,
            )
        finally:
            await end(listening)
        answered = self._first_wait.answered_at
        if waited and not await self.entrypoint.stalled(waited, answered):
            return
        self.rescuer.state.came_up()
        self._ring2.answer_for_life()
        await rehearse(self._policy, self._unseen(), self.open_line)
        render = None if self.observes else self.renderings
        await prepare(self._policy, render, self.voice, entry, self._journal)

    async def _ask(self) -> Call:
        async with self.open_line() as line:
            return await self.rescuer.look(line)

    async def _end_overlong_call(self) -> None:
        seconds = await self._limit.reached()
        detail = f"the call has lasted {seconds:g} s since it was answered"
        await self.rescuer.rescue(Failure(Fault.CALL_OVERLONG, detail, self.clock()))
        self._end_job(detail)

    @property
    def call_limit(self) -> float | None:
        """The seconds that this call may last, by the policy or by a `dial`."""
        return self._limit.seconds

    def limit_call(self, seconds: float) -> None:
        """Let this call last so many seconds from now on, whatever was said before.

        Raises:
            PolicyError: That is no positive number.
        """
        self._limit.set(seconds)

    def release(self, reason: str) -> None:
        """Leave this call alone from now on, here and in the watchdog.

        Args:
            reason: Why, for the log.
        """
        self.rescuer.release(reason)
        self._ring2.release(reason)
        self._attributes.release(reason)

    def explain(self) -> str:
        """Tell how the call stands, what would come next, and what was judged before."""
        room, now = self._ctx.room, self.clock()
        sessions, over = self.sessions.explain(), self.rescuer.state.why_over
        parts = (
            call_in_words(from_room(room) if room.isconnected() else None),
            policy_in_words(self._policy, self._mode),
            sessions or over or self._first_wait.in_words(now),
            over if sessions else "",
            self._judged.in_words(now),
        )
        return "\n".join(part for part in parts if part)

    def _end_job(self, detail: str) -> None:
        """End the job of an agent whose call was rescued without it."""
        outcome = self.rescuer.outcome
        if outcome is not None and outcome.ending not in ("kept", "recovered", "observed"):
            self._ctx.shutdown(detail)

    def _seen_by_sessions(self) -> JobView:
        return JobView(self.entrypoint.runs, shutdown=shutdown_reason(self._ctx))

    def _session(self) -> AgentSession[Any] | None:
        return primary_session(self._ctx)

    def voice(self) -> Tts | None:
        """Return the TTS of the running session, or `None`."""
        session = self._session()
        voice = session.tts if session is not None else None
        return voice if isinstance(voice, tts.TTS) else None

    def _shutdown_callback(self) -> Callable[[str], Coroutine[None, None, None]]:
        # livekit-agents reads `callback.__code__`: it takes a function and no callable object
        async def onhook_guard(reason: str) -> None:
            state = self.rescuer.state
            try:
                if is_withdrawn(self._ctx.room):
                    self.rescuer.release("another rescuer takes this agent away")
                await self.rescuer.rescue(shut_down(reason, self.clock()))
            finally:
                rescued = state.phase is not JobPhase.BROKEN
                state.end()
                await end(self._watcher)
                await self._attributes.aclose()
                await self._ring2.leave(reason, rescued=rescued)

        return onhook_guard

    @property
    def _torn_down(self) -> bool:
        """Whether the event loop is being closed: the tasks that serve the room are cancelled too.

        Only that, and the end of the job, cancel the watch; `sys.exit()` in any task leads there
        (livekit-agents `ipc/proc_client.py`, `run`).
        """
        ended = self.rescuer.state.phase is JobPhase.ENDED
        return not ended and self._watcher.cancelling() > 0

    @property
    def _agent(self) -> str:
        return agent_identity(self._ctx)

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
            renderings=self.renderings,
            voice=self.voice,
            metadata=self._ctx.job.metadata,
            again=self.entrypoint.again,
        )


async def _detect(what: str, detector: Callable[[], Awaitable[None]]) -> None:
    """Run one detector; what goes wrong in it is logged, and keeps no other from working."""
    try:
        await detector()
    except Exception:
        logger.exception("onhook cannot watch over this call's %s any further", what)
