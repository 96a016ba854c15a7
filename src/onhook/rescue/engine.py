"""The only place where the stages meet: an incident goes in, one outcome comes out."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from onhook.call import Call
from onhook.errors import ApiError, OnhookError
from onhook.faults import Fault, Severity
from onhook.incident import Ending, Failure, Incident, Mode, Outcome, Result, RungReport
from onhook.line import Line
from onhook.policy import Policy, RescuePolicy, plan
from onhook.redaction import bounded, described
from onhook.rescue.events import (
    Climbed,
    Closed,
    Intent,
    Opened,
    RescueEvent,
    Resumed,
    Ring,
    Sink,
    emit,
)
from onhook.rescue.progress import PendingRung, Progress, rest, settled
from onhook.rescue.sound_times import SoundTimes
from onhook.rungs import Climb, Rung

__all__ = ["Engine"]

logger = logging.getLogger("onhook")

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0


class Engine:
    """Carries one incident of one call to its one terminal outcome.

    Args:
        line: The call's line.
        policy: What the developer wants.
        sinks: Are given every event, in this order.
        clock: Seconds of a monotonic clock.
        wall: Seconds since 1970.
        sleep: Waits for some seconds between retries.
        jitter: Returns a number from 0 to 1, by which pauses are spread.
        ring: Who rescues.
        mode: In `"observe"` nothing is climbed; the outcome names what would have been.
    """

    def __init__(
        self,
        line: Line,
        *,
        policy: RescuePolicy | None = None,
        sinks: Sequence[Sink] = (),
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        ring: Ring = Ring.GUARD,
        mode: Mode = "act",
    ) -> None:
        self._line = line
        self._policy: RescuePolicy = policy or Policy()
        self._sinks = tuple(sinks)
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._jitter = jitter
        self._ring = ring
        self._mode = mode
        self._taken = False
        self._reports: list[RungReport] = []
        self._last_error: Exception | None = None
        self.outcome: Outcome | None = None
        """The outcome, once there is one; also when it was left by a cancellation."""

    async def handle(self, incident: Incident) -> Outcome:
        """Plan, act, and tell of it.

        Cancelled once while the agent is lost, it leaves out what does not release the line,
        releases it within `Policy.cancel_grace`, and lets the cancellation go on; cancelled twice,
        it hands the incident outward at once. `KeyboardInterrupt` and `SystemExit` count as a
        cancellation. A ladder for a turn that failed stops where it is: the call is the agent's.

        Args:
            incident: What happened. An engine handles one.

        Raises:
            OnhookError: This engine has an incident already.
        """
        self._take(incident)
        failure, call = incident.failure, incident.call
        ladder = plan(self._policy, incident, call)
        opened = Opened(
            **self._now(incident), failure=failure, call=call, ladder=ladder, mode=self._mode
        )
        self._emit(opened)
        return await self._go_on(incident, Progress(ladder))

    async def resume(self, events: Sequence[RescueEvent], reason: str) -> Outcome:
        """Go on where another rescuer was stopped; no rung whose outcome is known is repeated.

        Args:
            events: Of its rescue, from the first one on. The sinks get them again.
            reason: Why another goes on, in one sentence.

        Raises:
            OnhookError: This engine has an incident already, or none of the events opens one.
        """
        past = Progress.of(events)
        incident = next(event for event in events if isinstance(event, Opened)).happened
        self._take(incident)
        for event in events:
            if not isinstance(event, Closed):  # it goes on
                self._emit(event)
        self._emit(Resumed(**self._now(incident), rung=past.begun, detail=reason))
        return await self._go_on(incident, past)

    def _take(self, incident: Incident) -> None:
        if self._taken:
            raise OnhookError(f"{incident.id}: an engine handles one incident; make another")
        self._taken = True

    async def _go_on(self, incident: Incident, past: Progress) -> Outcome:
        self._reports.extend(past.reports)
        if ended := settled(past):
            return self._close(incident, self._outcome(incident, *ended))
        rungs = rest(past)
        if self._mode == "observe" and any(step.rung.settles != "kept" for step in rungs):
            names = ", ".join(step.rung.name for step in rungs)
            would = f"in act mode this would have been done: {names}"
            return self._close(incident, self._outcome(incident, "observed", would))
        try:
            outcome = await self._climb(incident, rungs)
        except GeneratorExit:
            raise
        except BaseException as error:
            if incident.severity is Severity.IMPAIRED:
                outcome = self._outcome(incident, "kept", _stopped(error))
            else:
                outcome = await self._hurried(incident, rungs[-1])
            self._close(incident, outcome)
            raise
        return self._close(incident, outcome)

    async def _climb(self, incident: Incident, rungs: Sequence[PendingRung]) -> Outcome:
        *steps, last = rungs
        for step in steps:
            if outcome := await self._step(step, incident):
                return outcome
        return await self._end(last, incident)

    async def _hurried(self, incident: Incident, last: PendingRung) -> Outcome:
        """Release the line although the rescue was cancelled."""
        try:
            async with asyncio.timeout(self._policy.cancel_grace):
                return await self._end(last, incident)
        except TimeoutError:
            why = f"the line was not released within {self._policy.cancel_grace:g} s"
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit) as error:
            why = f"interrupted again by {error!r} before the line was released"
        return self._handed_outward(incident, f"the rescue was cancelled, and {why}")

    async def _end(self, last: PendingRung, incident: Incident) -> Outcome:
        if outcome := await self._step(last, incident):
            return outcome
        detail = f"the line was not released: {self._reports[-1].detail}"
        return self._handed_outward(incident, detail)

    async def _step(self, step: PendingRung, incident: Incident) -> Outcome | None:
        """Climb one rung; return the outcome where that settles the incident.

        Before a rung that would end the call or give it away, look again: it may be settled.
        """
        rung, call = step.rung, incident.call
        if rung.settles not in (None, "kept"):
            call = await self._fresh(incident)
            if call.complete and not call.callers:
                return self._outcome(incident, "released", "no caller is on the line any more")
            if who := _taken_over(incident.call, call, resumed=step.resumed):
                return self._outcome(incident, "taken_over", f"{who!r} has joined the caller")
        report = await self._run(rung, Climb(self._line, incident, call, step.resumed))
        if report.result is Result.DONE and rung.settles is not None:
            return self._outcome(incident, rung.settles, report.detail)
        return None

    async def _fresh(self, incident: Incident) -> Call:
        """Look again; where nobody can be asked, the last picture stands."""
        try:
            async with asyncio.timeout(self._policy.api_timeout):
                return await self._line.picture()
        except Exception as error:  # noqa: BLE001 - a line may raise anything, and the rung still runs
            logger.warning("%s could not see who is on the call: %r", incident.id, error)
            return incident.call

    async def _run(self, rung: Rung, climb: Climb) -> RungReport:
        """Climb one rung under its deadline; only cancellations come out of here."""
        incident = climb.incident
        self._emit(Intent(**self._now(incident), rung=rung.name))
        started = self._clock()
        sound = SoundTimes(self._clock)
        climb = dataclasses.replace(climb, heard=sound.heard)
        errors: list[Exception] = []
        result, detail = Result.CANCELLED, "cancelled"
        try:
            async with asyncio.timeout(rung.deadline):
                detail = await self._attempt(rung, climb, errors)
            result = Result.DONE
        except TimeoutError:
            result = Result.TIMED_OUT
            because = f"; last: {_words_of(errors[-1])}" if errors else ""
            detail = f"not done within {rung.deadline:g} s{because}"
        except Exception as error:  # noqa: BLE001 - what a rung raises is its outcome
            errors.append(error)
            result, detail = Result.FAILED, _words_of(error)
        finally:
            self._last_error = errors[-1] if errors else None
            times = (started, self._clock(), sound.times)
            report = RungReport(rung.name, result, bounded(detail), *times)
            self._reports.append(report)
            self._emit(Climbed(**self._now(incident), report=report))
        return report

    async def _attempt(self, rung: Rung, climb: Climb, errors: list[Exception]) -> str:
        """Retry what fails for a passing reason, where giving up would leave the caller there."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await rung.climb(climb)
            except ApiError as error:
                errors.append(error)
                if not (rung.terminal and error.passing):
                    raise
            await self._sleep(pause * (0.5 + self._jitter() / 2))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _outcome(self, incident: Incident, ending: Ending, detail: str) -> Outcome:
        return Outcome(incident.id, ending, detail, tuple(self._reports))

    def _handed_outward(self, incident: Incident, detail: str) -> Outcome:
        failure = Failure(Fault.CLEANUP_FAILED, detail, self._clock(), self._last_error)
        return Outcome(incident.id, "handed_outward", detail, tuple(self._reports), failure)

    def _close(self, incident: Incident, outcome: Outcome) -> Outcome:
        self.outcome = outcome
        ending, detail, failure = outcome.ending, bounded(outcome.detail), outcome.failure
        self._emit(Closed(**self._now(incident), ending=ending, detail=detail, failure=failure))
        return outcome

    def _now(self, incident: Incident) -> dict[str, Any]:
        """Return what every event of this rescue has."""
        at, wall = self._clock(), self._wall()
        return {"incident": incident.id, "at": at, "wall": wall, "ring": self._ring}

    def _emit(self, event: RescueEvent) -> None:
        emit(self._sinks, event)


def _words_of(error: Exception) -> str:
    try:
        return str(error) or repr(error)
    except Exception:  # noqa: BLE001 - what an exception says of itself may raise anything
        return described(error)


def _stopped(error: BaseException) -> str:
    """Say why a soft ladder was left: what it was cancelled with, else the usual reason."""
    told = error.args[0] if error.args and isinstance(error, asyncio.CancelledError) else ""
    return f"stopped: {told or 'the agent is heard again'}"


def _taken_over(before: Call, now: Call, *, resumed: bool) -> str:
    """Name the person or agent who has joined since the incident was opened, if any.

    Args:
        before: The call when the incident was opened.
        now: The call now.
        resumed: Whether the rung was begun by another rescuer: an agent may be its own doing, and
            still has to be heard.
    """
    if not (before.complete and now.complete):
        return ""
    known = {leg.identity for leg in before.legs}
    agents = () if resumed else now.other_agents
    voices = (*now.humans, *(leg for leg in agents if leg.audible or leg.may_speak))
    joined = [leg for leg in voices if leg.identity not in known]
    return joined[0].identity if joined else ""
