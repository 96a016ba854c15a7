"""What becomes of a job, moment by moment: its beats and the room's answers are given."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest

from onhook.faults import Fault, Severity
from onhook.incident import Failure, Incident, Outcome
from onhook.ladder import Ladder
from onhook.livekit.credentials import Credentials
from onhook.livekit.proof import Proof
from onhook.policy import Policy
from onhook.rescue.events import RescueEvent
from onhook.rungs import HangUp
from onhook.watchdog.daemon.job_rescuer import JobRescuer
from onhook.watchdog.daemon.job_table import JobTable
from onhook.watchdog.daemon.liveness import BEAT
from onhook.watchdog.daemon.watched_job import Job
from onhook.watchdog.protocol.job_policy import JobPolicy
from onhook.watchdog.protocol.messages import NO_NEWS, Beat, Hello
from tests.fakes import call_of, caller
from tests.rescue.telling import closed, opened

pytestmark = pytest.mark.looptime

HELLO = Hello("room", "AJ_1", "agent-1", 7, JobPolicy.of(Policy()))
FAILURE = Failure(Fault.ENTRYPOINT_RAISED, "it broke", 0.0)
OPENED = opened(Incident(FAILURE, call_of(caller()), "inc_1"), Ladder((HangUp(),)))
HANDED = closed(Outcome("inc_1", "handed_outward", "no"))


class Recorder(JobRescuer):
    """Notes what is done, and when."""

    def __init__(self) -> None:
        super().__init__(Credentials("ws://host", "key", "secret"))
        self.done: list[tuple[str, float]] = []
        self.failures: list[Failure] = []

    def note(self, what: str) -> None:
        self.done.append((what, asyncio.get_running_loop().time()))

    @property
    def names(self) -> list[str]:
        return [what for what, _ in self.done]

    async def prepare(self) -> None:
        pass

    async def soften(self, job: Hello, failure: Failure) -> None:
        self.note("words")
        self.failures.append(failure)
        try:
            await asyncio.sleep(5.0)
        except asyncio.CancelledError:
            self.note("hushed")
            raise

    async def rescue(
        self, job: Hello, failure: Failure, *, intruder: bool, news: Beat = NO_NEWS
    ) -> Outcome | None:
        self.note("rescue")
        self.failures.append(failure)
        await asyncio.sleep(5.0)
        return None

    async def resume(
        self, job: Hello, events: Sequence[RescueEvent], reason: str, *, intruder: bool
    ) -> Outcome:
        self.note("resume")
        await asyncio.sleep(5.0)
        return Outcome(events[0].incident, "released", "")


class Room:
    """Says of every job what it is told to say."""

    def __init__(self, proof: Proof) -> None:
        self.proof = proof

    async def of(self, room: str, identity: str, *, deadline: float) -> Proof:
        await asyncio.sleep(deadline if self.proof is Proof.SILENT else 0.01)
        return self.proof

    async def aclose(self) -> None:
        pass


@contextlib.asynccontextmanager
async def table(proof: Proof) -> AsyncIterator[tuple[JobTable, Recorder]]:
    rescuer = Recorder()
    running = JobTable(rescuer, clock=asyncio.get_running_loop().time)
    running._proof = Room(proof)  # type: ignore[assignment]
    watching = asyncio.create_task(running.watch())
    try:
        yield running, rescuer
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await running.aclose()


async def beats(running: JobTable, job: Job, seconds: float) -> None:
    for _ in range(int(seconds / BEAT)):
        running.beat(job)
        await asyncio.sleep(BEAT)


async def test_a_loop_that_comes_back_has_its_caller_told_once_and_keeps_the_call() -> None:
    async with table(Proof.SILENT) as (running, rescuer):
        job = running.joined(HELLO, 0)
        running.told(job, Beat(0.0, "listening"))
        await asyncio.sleep(5.0)
        await beats(running, job, 30.0)
        assert rescuer.names == ["words", "hushed"], "the words end before the agent speaks"
        (_, spoke), (_, hushed) = rescuer.done
        assert 2.9 <= spoke <= 4.0
        assert hushed <= 5.1
        (failure,) = rescuer.failures
        assert (failure.fault, failure.severity) == (Fault.JOB_HUNG, Severity.IMPAIRED)
        assert running.jobs == (job,)


async def test_a_loop_that_is_blocked_for_good_loses_its_call_after_the_limit() -> None:
    async with table(Proof.SILENT) as (running, rescuer):
        job = running.joined(HELLO, 0)
        running.told(job, Beat(0.0, "listening"))
        await asyncio.sleep(30.0)
        assert rescuer.names == ["words", "rescue"]
        assert 15.0 <= rescuer.done[-1][1] <= 18.0
        assert rescuer.failures[-1].severity is Severity.LOST


async def test_a_job_that_is_observed_is_judged_the_same_and_its_process_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[object] = []

    async def end(process: object) -> None:
        ended.append(process)

    monkeypatch.setattr("onhook.watchdog.daemon.job_table.end", end)
    for hello, killed in ((HELLO, 1), (msgspec.structs.replace(HELLO, mode="observe"), 0)):
        ended.clear()
        async with table(Proof.SILENT) as (running, rescuer):
            running.told(running.joined(hello, 0), Beat(0.0, "listening"))
            await asyncio.sleep(30.0)
            assert rescuer.names == ["words", "rescue"]
            assert len(ended) == killed


@pytest.mark.parametrize("proof", [Proof.UNKNOWN, Proof.ALIVE])
async def test_missing_beats_alone_take_no_call(proof: Proof) -> None:
    async with table(proof) as (running, rescuer):
        job = running.joined(HELLO, 0)
        running.told(job, Beat(0.0, "listening"))
        await asyncio.sleep(120.0)
        assert rescuer.names == []


async def test_while_it_is_set_up_nothing_is_said_into_a_line_that_rings() -> None:
    async with table(Proof.SILENT) as (running, rescuer):
        running.joined(HELLO, 0)
        await asyncio.sleep(20.0)
        assert rescuer.names == []
        await asyncio.sleep(3.0)
        assert rescuer.names == ["rescue"]


async def test_a_job_that_dies_while_its_caller_is_told_is_rescued_at_once() -> None:
    async with table(Proof.SILENT) as (running, rescuer):
        job = running.joined(HELLO, 0)
        running.told(job, Beat(0.0, "listening"))
        await asyncio.sleep(5.0)
        running.left(job)
        await asyncio.sleep(1.0)
        assert rescuer.names == ["words", "hushed", "rescue"]


async def test_a_guard_that_tells_late_that_it_could_not_is_rescued_once() -> None:
    async with table(Proof.SILENT) as (running, rescuer):
        job = running.joined(HELLO, 0)
        running.told(job, OPENED)
        running.told(job, HANDED)
        running.told(job, HANDED)
        again = running.joined(HELLO, 0)
        running.told(again, OPENED)
        running.told(again, HANDED)
        running.left(again)
        await asyncio.sleep(3.0)
        assert rescuer.names == ["resume"]
        assert running.jobs == ()


async def test_a_guard_that_gives_up_after_its_call_was_taken_over_begins_no_second_rescue() -> (
    None
):
    """Alive and late, or dead meanwhile: the incident has one rescue."""
    async with table(Proof.SILENT) as (running, rescuer):
        job = running.joined(HELLO, 0)
        running.told(job, OPENED)
        running.told(job, Beat(0.0, "listening"))
        await beats(running, job, 60.0)
        assert rescuer.names == ["resume"], "the guard did not finish within its deadlines"
        running.told(job, HANDED)
        running.left(job)
        await asyncio.sleep(3.0)
        assert rescuer.names == ["resume"]
