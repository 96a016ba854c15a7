"""The only place where the stages meet: an incident goes in, one outcome comes out."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence

from onhook.call import Call
from onhook.errors import ApiError, OnhookError
from onhook.faults import Fault, Severity
from onhook.incident import Ending, Failure, Incident, Mode, Outcome, Result, RungReport
from onhook.line import Line
from onhook.policy import Policy, RescuePolicy, plan
from onhook.rescue.progress import PendingRung, Progress, rest, settled
from onhook.rungs import Climb, Rung
from onhook.sinks import Observer
from onhook.sinks.journal import Entry, Journal, MemoryJournal, Opening, Ring, Step

__all__ = ["Engine"]

logger = logging.getLogger("onhook")

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0


class Engine:
    """Carries one incident of one call to its one terminal outcome.

    Args:
        line: The call's line.
        policy: What the developer wants.
        journal: Keeps the evidence; in memory when omitted.
        observers: Are told of every stage.
        clock: Seconds of a monotonic clock.
        sleep: Waits for some seconds between retries.
        jitter: Returns a number from 0 to 1, by which pauses are spread.
        ring: Who rescues, for the journal.
        mode: In `"observe"` nothing is climbed; the outcome names what would have been.
    """

    def __init__(
        self,
        line: Line,
        *,
        policy: RescuePolicy | None = None,
        journal: Journal | None = None,
        observers: Sequence[Observer] = (),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        ring: Ring = Ring.GUARD,
        mode: Mode = "act",
    ) -> None:
        self._line = line
        self._policy: RescuePolicy = policy or Policy()
        self._journal = journal if journal is not None else MemoryJournal()
        self._observers = tuple(observers)
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._ring = ring
        self._mode = mode
        self._taken = False
        self._reports: list[RungReport] = []
        self._last_error: Exception | None = None
        self.outcome: Outcome | None = None
        """The outcome, once there is one; also when `handle` was left by a cancellation."""

    async def handle(self, incident: Incident, past: Progress | None = None) -> Outcome:
        """Plan, act and record.

        Cancelled once while the agent is lost, it leaves out what does not release the line,
        releases it within `Policy.cancel_grace`, and lets the cancellation go on; cancelled twice,
        it hands the incident outward at once. `KeyboardInterrupt` and `SystemExit` count as a
        cancellation. A ladder for a turn that failed stops where it is: the call is the agent's.

        Args:
            incident: What happened. An engine handles one.
            past: What another rescuer of this incident had recorded before it was stopped; its
                ladder is climbed on from there, and no rung whose outcome is known is repeated.

        Raises:
            OnhookError: This engine has an incident already.
        """
        if self._taken:
            raise OnhookError(f"{incident.id}: an engine handles one incident; make another")
        self._taken = True
        if past is None:
            self._record(incident, Step.OPENED, incident.fault, detail=incident.failure.detail)
            past = Progress(plan(self._policy, incident, incident.call))
        else:
            self._recall(incident, past)
        self._tell("opened", incident)
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
        self._record(incident, Step.INTENT, rung.name)
        self._tell("intent", incident, rung.name)
        started = self._clock()
        errors: list[Exception] = []
        result, detail = Result.CANCELLED, "cancelled"
        try:
            async with asyncio.timeout(rung.deadline):
                detail = await self._attempt(rung, climb, errors)
            result = Result.DONE
        except TimeoutError:
            result = Result.TIMED_OUT
            because = f"; last: {errors[-1]}" if errors else ""
            detail = f"not done within {rung.deadline:g} s{because}"
        except Exception as error:  # noqa: BLE001 - what a rung raises is its outcome
            errors.append(error)
            result, detail = Result.FAILED, str(error) or repr(error)
        finally:
            self._last_error = errors[-1] if errors else None
            report = RungReport(rung.name, result, detail, started, self._clock())
            self._reports.append(report)
            self._record(incident, Step.RUNG, rung.name, result, detail)
            self._tell("climbed", incident, report)
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
        self._record(incident, Step.CLOSED, outcome.ending, detail=outcome.detail)
        self._tell("closed", incident, outcome)
        return outcome

    def _recall(self, incident: Incident, past: Progress) -> None:
        """Record that we go on, and first what the guard told, where that stands nowhere yet."""
        if not self._is_recorded(incident):
            failure, guard = incident.failure, Ring.GUARD
            opened = (incident, Step.OPENED, incident.fault)
            self._record(*opened, detail=failure.detail, at=failure.at, ring=guard)
            for done in past.reports:
                told = (incident, Step.RUNG, done.rung, done.result, done.detail)
                self._record(*told, at=done.ended, ring=guard)
        self._record(incident, Step.RESUMED, past.begun, detail=past.reason)

    def _is_recorded(self, incident: Incident) -> bool:
        """Return whether the earlier rescuer wrote into this very journal."""
        try:
            return bool(self._journal.entries(incident.id))
        except Exception:
            logger.exception("%s could not be looked up; the rescue goes on", incident.id)
            return False

    def _record(
        self,
        incident: Incident,
        step: Step,
        subject: str,
        result: str = "",
        detail: str = "",
        *,
        at: float | None = None,
        ring: Ring | None = None,
    ) -> None:
        told = (str(subject), str(result), detail)
        opening = Opening.of(incident) if step is Step.OPENED else None
        when, who = self._clock() if at is None else at, ring or self._ring
        entry = Entry(incident.id, step, when, *told, ring=who, opening=opening)
        try:
            self._journal.record(entry)
        except Exception:
            logger.exception("%s could not be recorded; the rescue goes on", incident.id)

    def _tell(self, stage: str, *facts: object) -> None:
        for observer in self._observers:
            try:
                getattr(observer, stage)(*facts)
            except Exception:
                logger.exception("the observer %r raised; the rescue goes on", observer)


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
    others = now.humans if resumed else (*now.humans, *now.other_agents)
    joined = [leg for leg in others if leg.identity not in known]
    return joined[0].identity if joined else ""
