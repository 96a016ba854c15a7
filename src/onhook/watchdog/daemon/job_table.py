"""Knows every job of this host, and decides when to step in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from onhook.faults import Fault, Severity
from onhook.incident import Failure
from onhook.livekit.proof import Proof
from onhook.rescue.events import Climbed, Closed, Intent, Opened, Resumed, Sink, emit
from onhook.watchdog.daemon.guard_rescue import GuardRescue
from onhook.watchdog.daemon.job_rescuer import JobRescuer
from onhook.watchdog.daemon.liveness import PROBE, TICK, Naps, Pulse, Verdict, judge, patience
from onhook.watchdog.daemon.rescues import Rescues
from onhook.watchdog.daemon.watched_job import Job, evidence
from onhook.watchdog.daemon.workers import Workers
from onhook.watchdog.protocol.messages import Beat, Bye, Hello, Message
from onhook.watchdog.protocol.peer import Process, end

if TYPE_CHECKING:
    from onhook.livekit.proof_of_life import ProofOfLife

__all__ = ["JobTable"]

logger = logging.getLogger("onhook")

_DYING = 0.25
"""Seconds that a process whose socket has closed gets to be gone."""
_RELEASES, _RELEASED = 200, 60.0
"""Jobs whose agents left on purpose that are remembered, and for how many seconds."""
_ASK_AGAIN = 2.0
"""Seconds between questions to a job that lives without a link, or whose caller has had words."""


class JobTable:
    """Judges jobs by their beats, their sockets, their processes and the room.

    Args:
        rescuer: Climbs the ladders.
        told: Are given every event that a guard tells of its own rescue.
        clock: Seconds of the host's monotonic clock.
    """

    def __init__(
        self,
        rescuer: JobRescuer,
        *,
        told: Sequence[Sink] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._told = tuple(told)
        self._rescuer = rescuer
        self._clock = clock
        self._naps = Naps(clock())
        self._jobs: dict[str, Job] = {}
        self._workers = Workers()
        self._rescues = Rescues(rescuer, clock=clock)
        self._released: deque[tuple[Hello, str, float]] = deque(maxlen=_RELEASES)
        self._proof: ProofOfLife | None = None

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs that are watched."""
        return tuple(self._jobs.values())

    @property
    def busy(self) -> bool:
        """Whether there is a job to watch or a rescue to finish."""
        return bool(self._jobs) or self._rescues.busy

    @property
    def rescuing(self) -> bool:
        """Whether there is a rescue to finish."""
        return self._rescues.under_way

    @property
    def rescued(self) -> tuple[tuple[Hello, float], ...]:
        """The jobs whose calls are being rescued, and until when that may take."""
        return self._rescues.jobs

    def released(self, now: float) -> tuple[tuple[Hello, str], ...]:
        """Return the jobs whose agents have left their calls on purpose of late, and why."""
        return tuple((hello, why) for hello, why, at in self._released if now - at < _RELEASED)

    @property
    def rescues(self) -> int:
        """How many incidents have been brought to their end since the start."""
        return self._rescues.done

    async def aclose(self) -> None:
        """Give up every task and descriptor."""
        await self._rescues.aclose()
        for job in self.jobs:
            self._forget(job)
        self._workers.close()
        if self._proof is not None:
            await self._proof.aclose()

    def joined(self, hello: Hello, pid: int) -> Job:
        """A job has connected, or has come back.

        Args:
            hello: What it says of itself.
            pid: Its process id by the kernel's word; 0 where that is not visible.
        """
        if (before := self._jobs.get(hello.job)) is not None:
            self._forget(before)
        job = Job(hello, Process(pid), Pulse(self._clock()))
        if self._rescues.took(hello.job):  # it wakes or connects again while its call is rescued
            job.gone = True
            job.process.close()
            return job
        self._workers.add(hello.worker, visible=pid != 0)
        self._jobs[hello.job] = job
        if job.process.fd is not None:
            asyncio.get_running_loop().add_reader(job.process.fd, self.left, job)
        return job

    def beat(self, job: Job) -> None:
        """A job's loop runs."""
        silent = job.pulse.silent_for(self._clock())
        job.pulse.beat(self._clock())
        if (words := job.words) is not None and not job.gone:
            job.words = None
            words.cancel()  # the agent speaks for itself
            logger.info("job %s is back after %.1f s: the call is its own", job.hello.job, silent)

    def told(self, job: Job, message: Message) -> None:
        """A job tells something; anything it says is a beat too. Who is rescued has no say."""
        if job.gone:
            return
        self.beat(job)
        match message:
            case Beat():
                job.news, job.told_at = message, self._clock()
            case Opened():
                job.recorded = GuardRescue(message, self._clock())
                emit(self._told, message)
            case Intent() | Climbed() | Resumed() | Closed():
                emit(self._told, message)
                self._record(job, message)
            case Bye():
                if message.released:
                    self._released.append((job.hello, message.reason, self._clock()))
                self._forget(job)

    def left(self, job: Job) -> None:
        """A job's socket or its process has ended, without a goodbye."""
        self._unwatch(job)
        if job.gone or not job.linked:
            return
        job.linked, job.left_at = False, self._clock()
        if job.verifying is not None:
            job.verifying.cancel()
        job.verifying = self._rescues.spawn(self._verify(job))

    async def watch(self) -> None:
        """Look at every job, for ever."""
        while True:
            await asyncio.sleep(TICK)
            now = self._clock()
            slept = self._naps.slept(now)
            for job in self.jobs:
                if slept:  # they may all have been stopped with us
                    job.pulse.beat(now)
                elif job.verifying is None and job.pulse.suspect(now):
                    job.verifying = self._rescues.spawn(self._verify(job))
                self._check_rescue(job, now)

    def release_all(self, reason: str) -> None:
        """Give every job that is left its ladder, because nobody will watch it any more.

        Args:
            reason: One sentence.
        """
        for job in self.jobs:
            self._step_in(job, Fault.WORKER_DIED, reason, intruder=True)

    def _record(self, job: Job, event: Intent | Climbed | Resumed | Closed) -> None:
        recorded = job.recorded
        if recorded is None or recorded.opened.incident != event.incident:
            logger.warning("job %s tells of an incident that it never opened", job.hello.job)
            return
        recorded.take(event)
        if isinstance(event, Closed) and recorded.unfinished:
            self._take_over(job, recorded, f"the guard could not: {event.detail}", intruder=False)

    def _check_rescue(self, job: Job, now: float) -> None:
        recorded = job.recorded
        if recorded is None or not recorded.unfinished:
            return
        if now > recorded.deadline(job.hello.policy.api_timeout):
            why = "the guard did not finish within its deadlines"
            self._take_over(job, recorded, why, intruder=True)

    async def _verify(self, job: Job) -> None:
        """Find out about a job that is silent or whose socket has closed; step in if it is lost."""
        try:
            if not job.linked and await self._is_gone(job):
                self._died(job)
                return
            await self._rescuer.prepare()
            while self._watches(job):
                asked = self._clock()
                proof = await self._prove(job)
                if not self._watches(job):
                    return
                if job.process.known and not job.process.alive():
                    self._died(job)
                    return
                now = self._clock()
                if job.linked and not job.pulse.suspect(now):
                    return
                job.pulse.proofs.append(proof)
                if self._concluded(job, now):
                    return
                slow = proof is Proof.ALIVE or job.words is not None
                pace = _ASK_AGAIN if slow else PROBE
                await asyncio.sleep(max(0.0, asked + pace - self._clock()))
        finally:
            if job.verifying is asyncio.current_task():
                job.verifying = None

    def _concluded(self, job: Job, now: float) -> bool:
        up = bool(job.news.state)
        detail = f"the job has shown no sign of life for {job.pulse.silent_for(now):.1f} s"
        rescued = job.recorded is not None and job.recorded.unfinished
        match judge(job.pulse, now, limit=patience(job.hello.policy, up=up), up=up):
            case Verdict.ALIVE:
                self.beat(job)
                return job.linked
            case Verdict.BLOCKED if not rescued:
                facts = evidence(job, now)
                words = Failure(
                    *(Fault.JOB_HUNG, detail, now),
                    severity=Severity.IMPAIRED,
                    evidence=facts,
                    silent_since=now - job.pulse.silent_for(now),
                )
                self._rescues.soften(job, words)
                return False
            case Verdict.BLOCKED | Verdict.HUNG:
                if job.hello.mode == "act":
                    pid = job.process.pid if job.process.alive() else 0
                    self._rescues.spawn(end(Process(pid)))
                self._step_in(job, Fault.JOB_HUNG, detail, intruder=True)
                return True
            case _:
                return False

    def _watches(self, job: Job) -> bool:
        """Return whether a job still is ours to judge: it may have come back, or said goodbye."""
        return not job.gone

    async def _is_gone(self, job: Job) -> bool:
        """Return whether a job whose socket has closed is dead, or has only lost its link."""
        if not job.process.known:
            return await self._prove(job) is not Proof.ALIVE
        until = self._clock() + _DYING
        while job.process.alive():
            if self._clock() >= until:
                logger.warning("job %s lives, and has lost its link", job.hello.job)
                return False
            await asyncio.sleep(0.005)  # the kernel closes the socket before the process is gone
        return True

    async def _prove(self, job: Job) -> Proof:
        if self._proof is None:
            await self._rescuer.prepare()
            from onhook.livekit.proof_of_life import ProofOfLife  # noqa: PLC0415 - see `prepare`

            self._proof = ProofOfLife(self._rescuer.credentials)
        return await self._proof.of(job.hello.room, job.hello.agent, deadline=PROBE)

    def _died(self, job: Job) -> None:
        if job.gone:
            return
        with_worker = self._workers.died(job.hello.worker)
        fault = Fault.WORKER_DIED if with_worker else Fault.JOB_DIED
        who = "the worker and the job have" if with_worker else "the job has"
        by = job.process.ended_by() or "killed or crashed"
        detail = f"{who} died without a goodbye (process {job.process.pid or 'unknown'}, {by})"
        self._step_in(job, fault, detail, intruder=False)

    def _step_in(self, job: Job, fault: Fault, detail: str, *, intruder: bool) -> None:
        """Make the caller safe, once."""
        recorded = job.recorded
        if recorded is not None and recorded.unfinished:
            self._take_over(job, recorded, detail, intruder=intruder)
            return
        facts = evidence(job, self._clock())
        self._forget(job)
        if recorded is None or not recorded.settled:
            now = self._clock()
            # a dead process sends no sound, and one that hangs has sent none since its last beat
            hangs = fault is Fault.JOB_HUNG
            quiet = now - job.pulse.silent_for(now) if hangs else job.left_at
            failure = Failure(fault, detail, now, evidence=facts, silent_since=quiet)
            self._rescues.rescue(job, failure, intruder=intruder)

    def _take_over(self, job: Job, recorded: GuardRescue, reason: str, *, intruder: bool) -> None:
        self._forget(job)
        self._rescues.resume(job, recorded, reason, intruder=intruder)

    def _forget(self, job: Job) -> None:
        if not job.gone:
            job.gone = True
            if job.words is not None:
                job.words.cancel()
            self._unwatch(job)
            self._workers.drop(job.hello.worker)
            del self._jobs[job.hello.job]
            job.process.close()

    def _unwatch(self, job: Job) -> None:
        if job.process.fd is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                asyncio.get_running_loop().remove_reader(job.process.fd)
