"""The engine under every order of outcomes, time-outs, cancellations and takeovers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import looptime
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from onhook.call import Call
from onhook.faults import Fault
from onhook.incident import Failure, Incident, Outcome, Result, RungReport
from onhook.ladder import Ladder
from onhook.line import Dispatch
from onhook.policy import Policy
from onhook.rescue.engine import Engine
from onhook.rescue.events import Climbed, Closed, Intent
from onhook.rungs import (
    DeleteRoom,
    HandOver,
    HangUp,
    Keep,
    Redispatch,
    RemoveCallers,
    Retry,
    Say,
    Transfer,
)
from onhook.sinks import ObserverSink
from tests.fakes import AGENT, JOB, ROOM, agent, call_of, caller, human, refused
from tests.rescue.telling import Kept, story

ERROR = RuntimeError("the original error")
API_TIMEOUT, GRACE, SAY, RELEASE = 2.0, 1.5, 4.0, 3.0
MOVE = 6.0
"""Seconds for a rung that would give the call away."""

LADDERS = st.sampled_from(
    [
        Ladder((Say(deadline=SAY), HangUp(deadline=RELEASE))),
        Ladder((Say(deadline=SAY), Say("again", deadline=SAY), RemoveCallers(deadline=RELEASE))),
        Ladder((DeleteRoom(deadline=RELEASE),)),
        Ladder((Say(deadline=SAY), Keep("on purpose"))),
        Ladder((Keep("on purpose"),)),
        Ladder((Transfer("tel:+1", deadline=MOVE), Say(deadline=SAY), HangUp(deadline=RELEASE))),
        Ladder(
            (
                Retry(attempts=2, deadline=MOVE),
                Redispatch("other", deadline=MOVE),
                Transfer("sip:desk@example.com", deadline=MOVE),
                HandOver(deadline=MOVE),
                RemoveCallers(deadline=RELEASE),
            )
        ),
        Ladder((Redispatch("other", deadline=MOVE), Say(deadline=SAY), Keep("on purpose"))),
    ]
)
SETTLING = ("transfer", "redispatch", "retry", "hand_over", "hang_up", "keep")
ANSWERS = st.sampled_from(["done", "refused", "passing", "strange"])


class StepwiseLine:
    """Every request waits until the machine answers it."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.waiting: list[tuple[str, asyncio.Future[None]]] = []
        self.acts: list[str] = []
        self.sent: list[Dispatch] = []
        self.heard_by: list[str] = []

    async def _ask(self, what: str) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (what, future)
        self.waiting.append(entry)
        try:
            await future
        finally:
            self.waiting.remove(entry)

    async def picture(self) -> Call:
        await self._ask("picture")
        return self.call

    async def check(self) -> None:
        await self._ask("check")

    async def say(self, announcement: object) -> str:
        self.acts.append("say")
        await self._ask("say")
        return "said"

    async def remove(self, identity: str) -> None:
        self.acts.append("remove")
        await self._ask("remove")
        self.leave(lambda leg_identity: leg_identity == identity)

    async def delete_room(self) -> None:
        self.acts.append("delete")
        await self._ask("delete")
        self.leave(lambda _: True)

    async def left(self, identity: str) -> None:
        await self._ask("left")

    async def transfer(self, identity: str, referral: object) -> None:
        self.acts.append("transfer")
        await self._ask("transfer")
        self.leave(lambda leg_identity: leg_identity == identity)

    async def origin(self) -> str | None:
        await self._ask("origin")
        return None

    async def dispatches(self) -> Sequence[Dispatch]:
        await self._ask("dispatches")
        return tuple(self.sent)

    async def dispatch(self, agent_name: str, metadata: str) -> str:
        self.acts.append("dispatch")
        self.sent.append(Dispatch("AD_1", agent_name, metadata))
        await self._ask("dispatch")
        return "AD_1"

    async def heard(self, dispatch: str) -> str:
        await self._ask("heard")
        self.heard_by.append("agent-2")
        return "agent-2"

    async def withdraw(self, dispatch: str) -> None:
        await self._ask("withdraw")
        self.sent.clear()

    async def retry(self) -> str:
        self.acts.append("retry")
        await self._ask("retry")
        return "up"

    def leave(self, who: Callable[[str], bool]) -> None:
        legs = tuple(leg for leg in self.call.legs if not who(leg.identity))
        self.call = Call(ROOM, legs, AGENT, JOB, self.call.direction)


class Closings:
    """Counts what an observer may be told once only."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.reports: list[RungReport] = []

    def opened(self, incident: Incident) -> None:
        assert incident.failure.error is ERROR
        self.stages.append("opened")

    def intent(self, incident: Incident, rung: str) -> None:
        self.stages.append("intent")

    def climbed(self, incident: Incident, report: RungReport) -> None:
        self.stages.append("climbed")
        self.reports.append(report)

    def closed(self, incident: Incident, outcome: Outcome) -> None:
        self.stages.append("closed")


class EngineMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = looptime.new_event_loop()
        self.task: asyncio.Task[Outcome] | None = None
        self.cancelled = 0
        self.cancelled_at = 0.0
        self.joined = False

    @initialize(
        ladder=LADDERS,
        company=st.sampled_from(["none", "human"]),
        seen=st.booleans(),
        told=st.integers(0, 2),
        resumes=st.booleans(),
    )
    def start(self, ladder: Ladder, company: str, seen: bool, told: int, resumes: bool) -> None:
        legs = (caller(),) if company == "none" else (caller(), human())
        call = call_of(*legs)
        self.line = StepwiseLine(call)
        self.kept = Kept()
        self.watch = Closings()
        policy = Policy(lost=ladder, api_timeout=API_TIMEOUT, cancel_grace=GRACE)
        before = call if seen else Call(ROOM, agent=AGENT, job=JOB, complete=False)
        failure = Failure(Fault.ENTRYPOINT_RAISED, "it broke", 0.0, ERROR)
        self.incident = Incident(failure, before)
        self.engine = Engine(
            self.line,
            policy=policy,
            sinks=[self.kept, ObserverSink(self.watch)],
            clock=self.loop.time,
        )
        self.began = self.loop.time()
        says = [rung for rung in ladder.rungs if isinstance(rung, Say)]
        done = [RungReport(rung.name, Result.DONE, "told", 0.0, 0.0) for rung in says[:told]]
        begun = ladder.rungs[len(done)].name if told else ""
        events = story(self.incident, ladder, tuple(done), begun)
        self.told = len(done) if resumes else 0
        self.begun = bool(begun) and resumes
        self.says_left = len(says) - self.told
        going_on = self.engine.resume(events, "it died") if resumes else None
        self.task = self.loop.create_task(going_on or self.engine.handle(self.incident))
        self.settle()

    def settle(self, seconds: float = 0.0) -> None:
        self.run(asyncio.sleep(seconds))
        for _ in range(20):
            self.run(asyncio.sleep(0))

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(work)

    @property
    def running(self) -> bool:
        return self.task is not None and not self.task.done()

    @precondition(lambda self: self.running and self.line.waiting)
    @rule(answer=ANSWERS)
    def answer(self, answer: str) -> None:
        _, future = self.line.waiting[0]
        if future.done():
            return
        match answer:
            case "done":
                future.set_result(None)
            case "refused":
                future.set_exception(refused())
            case "passing":
                future.set_exception(refused("unavailable", passing=True))
            case _:
                future.set_exception(KeyError("strange"))
        self.settle()

    @rule(seconds=st.sampled_from([0.05, 0.5, 1.0, 2.5, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self.settle(seconds)

    @precondition(lambda self: self.running and self.cancelled < 2)
    @rule()
    def cancel(self) -> None:
        assert self.task is not None
        self.cancelled += 1
        if self.cancelled == 1:
            self.cancelled_at = self.loop.time()
        self.task.cancel()
        self.settle()

    @precondition(lambda self: self.running and not self.joined)
    @rule(leg=st.sampled_from([human("colleague"), agent("agent-2", audible=True)]))
    def somebody_joins(self, leg: Any) -> None:
        self.joined = True
        legs = (*self.line.call.legs, leg)
        self.line.call = Call(ROOM, legs, AGENT, JOB, self.line.call.direction)

    @precondition(lambda self: self.running)
    @rule()
    def the_caller_hangs_up(self) -> None:
        self.line.leave(lambda identity: identity == "sip_1")

    @invariant()
    def no_rung_after_the_outcome(self) -> None:
        if self.task is None:
            return
        steps = self.kept.kinds
        assert steps.count(Closed) <= 1
        if Closed in steps:
            assert steps[-1] is Closed
            assert self.engine.outcome is not None
        assert self.watch.stages.count("closed") == steps.count(Closed)

    @invariant()
    def nothing_that_was_done_is_repeated(self) -> None:
        if self.task is not None:
            assert self.line.acts.count("say") <= self.says_left

    @invariant()
    def every_deadline_is_kept(self) -> None:
        if self.task is None:
            return
        limits = {"say": SAY, "keep": 1.0}
        limits |= dict.fromkeys(("transfer", "redispatch", "retry", "hand_over"), MOVE)
        for report in self.watch.reports:
            assert report.ended - report.started <= limits.get(report.rung, RELEASE) + 1e-6
        if self.cancelled and self.running:
            assert self.loop.time() - self.cancelled_at <= GRACE + 1e-6

    def teardown(self) -> None:
        try:
            if self.task is not None:
                self.finish(self.task)
        finally:
            self.loop.close()

    def the_ending_is_true(self, outcome: Outcome) -> None:
        """What the outcome says of the line is what the line has seen."""
        done = [r.rung for r in outcome.reports if r.result is Result.DONE]
        there = {leg.identity for leg in (*self.line.call.humans, *self.line.call.other_agents)}
        match outcome.ending:
            case "released":
                assert not self.line.call.callers, "a caller is still on the line"
            case "taken_over" if done[-1:] == ["redispatch"]:
                assert self.line.heard_by == ["agent-2"], "the agent sent was never heard"
            case "taken_over" if done[-1:] == ["hand_over"]:
                assert there, "nobody has taken the call over"
            case "taken_over":
                assert self.joined, "nobody has joined the caller"
            case "transferred":
                assert done[-1:] == ["transfer"]
                assert "transfer" in self.line.acts
            case "recovered":
                assert done[-1:] == ["retry"]
                assert "retry" in self.line.acts
            case "kept":
                assert not done or done[-1] == "keep"
            case "handed_outward":
                assert not set(done) & set(SETTLING), "it was settled, and handed outward too"

    def finish(self, task: asyncio.Task[Outcome]) -> None:
        longest = 2 * SAY + 4 * MOVE + 5 * API_TIMEOUT + RELEASE + GRACE + 1
        self.run(asyncio.sleep(max(0.0, self.began + longest - self.loop.time())))
        assert task.done(), "the engine hangs"
        outcome = self.engine.outcome
        assert outcome is not None, "an incident without an outcome"
        assert self.incident.failure.error is ERROR
        self.the_ending_is_true(outcome)
        assert self.line.acts.count("transfer") <= 1, "a REFER was sent twice"
        assert self.line.acts.count("dispatch") <= 1
        done = [r.rung for r in outcome.reports if r.result is Result.DONE]
        assert not set(done[:-1]) & set(SETTLING), "a rung after the one that settled it"
        if outcome.ending == "handed_outward":
            assert outcome.failure is not None
            assert outcome.failure.fault is Fault.CLEANUP_FAILED
            assert outcome.failure.error is not ERROR
        steps = self.kept.kinds
        assert steps.count(Closed) == 1
        assert steps.count(Climbed) == len(outcome.reports)
        assert steps.count(Intent) - self.begun + self.told == len(outcome.reports)
        if self.cancelled:
            assert task.cancelled() or task.exception() is None
        else:
            assert task.result() is outcome
        asyncio.set_event_loop(None)


TestEngineMachine = EngineMachine.TestCase
TestEngineMachine.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
