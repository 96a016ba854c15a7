"""The rows of the fault matrix that are this ring's: each is suspected within its bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from onhook.call import LineState
from onhook.faults import Fault
from onhook.livekit.attribute_names import GUARD, RESCUE
from onhook.sentinel.call_view import ProbeResult
from onhook.sentinel.limits import Limits
from onhook.sentinel.sightings import AgentJob, HostLease, LeasedJob
from onhook.sentinel.suspicion import Need
from tests.sentinel.watching import ALL_AT_ONCE, NONE, POLL, UNRELIABLE, Watch, Webhooks
from tests.sentinel.world import OUTBOUND, SCANNER, World

R = "call-1"
CALLEE = "callee"
GRACE = 8.0
STEP = 0.25
BEGIN = 4.1
EVERY_WAY = pytest.mark.parametrize(
    "webhooks", [ALL_AT_ONCE, NONE, UNRELIABLE], ids=["webhooks", "polls alone", "unreliable"]
)


def at(moment: float, do: Callable[[World], object]) -> tuple[float, Callable[[World], object]]:
    return (moment, do)


def answered(world: World) -> None:
    world.caller(R, LineState.ACTIVE)


def seen_within(webhooks: Webhooks) -> float:
    """How long it takes at most until the sentinel knows of something that a list shows."""
    return STEP if webhooks is ALL_AT_ONCE else POLL + STEP


def only(watch: Watch, fault: Fault, latest: float, earliest: float = 0.0) -> None:
    first = watch.first()
    assert first is not None
    assert {found.fault for _, found in watch.suspicions} == {fault}
    assert earliest <= first[0] <= latest


@EVERY_WAY
def test_no_agent_takes_a_ringing_call(webhooks: Webhooks) -> None:
    watch = Watch([at(BEGIN, lambda w: w.caller(R))], webhooks).until(30)
    only(watch, Fault.AGENT_ABSENT, BEGIN + GRACE + seen_within(webhooks), BEGIN + GRACE)
    assert watch.dispatches[0][0] <= BEGIN + 3.0 + seen_within(webhooks)


def test_no_agent_takes_an_answered_call() -> None:
    watch = Watch([at(BEGIN, answered)]).until(30)
    only(watch, Fault.AGENT_ABSENT, BEGIN + GRACE + STEP, BEGIN + GRACE)


def test_the_server_has_no_worker() -> None:
    watch = Watch([at(BEGIN, lambda w: w.caller(R))]).until(BEGIN + 3)
    watch.table.take(AgentJob(R, "AJ_1", "front-desk", "pending", "NO_CAPACITY"), BEGIN + 3)
    watch.until(BEGIN + 4)
    only(watch, Fault.AGENT_ABSENT, BEGIN + 3 + STEP)
    assert not [t for t, _ in watch.dispatches if t > BEGIN + 3]


def test_the_server_still_tries_but_not_for_ever() -> None:
    watch = Watch([at(BEGIN, lambda w: w.caller(R))]).until(BEGIN + 2)
    watch.table.take(AgentJob(R, "AJ_1", "front-desk", "pending", "RETRYING"), BEGIN + 2)
    watch.until(60)
    only(watch, Fault.AGENT_ABSENT, BEGIN + 32 + STEP, BEGIN + 32)
    assert not watch.dispatches


@EVERY_WAY
def test_an_unguarded_agent_goes(webhooks: Webhooks) -> None:
    watch = Watch(
        [
            at(BEGIN, answered),
            at(BEGIN + 1, lambda w: w.agent(R)),
            at(20.1, lambda w: w.leave(R, "agent-1", "CONNECTION_TIMEOUT")),
        ],
        webhooks,
    ).until(60)
    late = STEP if webhooks is ALL_AT_ONCE else 5.0 + POLL
    if webhooks is UNRELIABLE:
        late = 20.0 + POLL  # webhooks come, so lists of calls that seem well are rare
    only(watch, Fault.CALL_ABANDONED_LEGS, 20.1 + GRACE + late, 20.1 + GRACE)


def test_a_caller_is_left_with_a_leg_that_nobody_answers() -> None:
    watch = Watch(
        [
            at(BEGIN, answered),
            at(BEGIN + 1, lambda w: w.agent(R)),
            at(10.1, lambda w: w.caller(R, LineState.RINGING, "colleague", OUTBOUND)),
            at(12.1, lambda w: w.leave(R, "agent-1")),
        ]
    ).until(60)
    only(watch, Fault.CALL_ABANDONED_LEGS, 12.1 + 30 + STEP, 12.1 + 30)


def test_a_colleague_goes_too() -> None:
    watch = Watch(
        [
            at(BEGIN, answered),
            at(BEGIN + 1, lambda w: w.agent(R)),
            at(10.1, lambda w: w.caller(R, LineState.ACTIVE, "colleague", OUTBOUND)),
            at(12.1, lambda w: w.leave(R, "agent-1")),
            at(40.1, lambda w: w.leave(R, "colleague")),
        ]
    ).until(60)
    only(watch, Fault.CALL_ABANDONED_LEGS, 40.1 + GRACE + STEP, 40.1 + GRACE)


def test_two_legs_end_only_where_the_plan_says_so() -> None:
    script = [
        at(BEGIN, answered),
        at(BEGIN + 1, lambda w: w.agent(R)),
        at(10.1, lambda w: w.caller(R, LineState.ACTIVE, "colleague", OUTBOUND)),
        at(12.1, lambda w: w.leave(R, "agent-1")),
    ]
    assert Watch(script).until(300).first() is None
    watch = Watch(script, limits=Limits(two_legs=60.0)).until(90)
    only(watch, Fault.CALL_ABANDONED_LEGS, 12.1 + 60 + STEP, 12.1 + 60)


def guarded(job: LeasedJob, until: float) -> Callable[[float], Iterable[HostLease]]:
    return lambda now: [HostLease("host-1", 3.0, (job,))] if now < until else []


def test_a_host_is_lost_with_its_agent() -> None:
    job = LeasedJob(R, "agent-1", "AJ_1")
    watch = Watch(
        [
            at(BEGIN, answered),
            at(BEGIN + 1, lambda w: w.agent(R)),
            at(
                20.1, lambda w: w.life.update({w.rooms[R].members["agent-1"].sid: ProbeResult.GONE})
            ),
        ],
        leases=guarded(job, 20.1),
    ).until(24.5)
    only(watch, Fault.HOST_LOST, 20.1 + 3.0 + 0.5 + STEP)
    assert watch.suspicions[0][1].needs == (Need.LISTING, Need.PROBE)


def test_an_agent_that_the_server_has_lost_too_is_waited_for_no_longer() -> None:
    """Its host went silent long ago, and could not be judged: nobody hands the caller over."""
    job = LeasedJob(R, "agent-1", "AJ_1")
    watch = Watch(
        [
            at(BEGIN, answered),
            at(BEGIN + 1, lambda w: w.agent(R)),
            at(40.1, lambda w: w.leave(R, "agent-1", "CONNECTION_TIMEOUT")),
        ],
        leases=guarded(job, 20.1),
    ).until(50)
    gone = [moment for moment, _ in watch.suspicions if moment >= 40.1]
    assert gone[0] <= 40.1 + 2 * STEP


def test_an_agent_that_outlives_its_watchdog_may_hand_the_caller_over() -> None:
    job = LeasedJob(R, "agent-1", "AJ_1")
    watch = Watch(
        [
            at(BEGIN, answered),
            at(BEGIN + 1, lambda w: w.agent(R)),
            at(40.1, lambda w: w.leave(R, "agent-1")),
        ],
        leases=guarded(job, 20.1),
    ).until(60)
    gone = [moment for moment, _ in watch.suspicions if moment >= 40.1]
    assert gone[0] >= 40.1 + GRACE


def test_a_host_is_lost_before_its_agent_came() -> None:
    job = LeasedJob(R, "agent-1", "AJ_1")
    watch = Watch([at(BEGIN, lambda w: w.caller(R))], leases=guarded(job, BEGIN + 2)).until(
        BEGIN + 9
    )
    only(watch, Fault.HOST_LOST, BEGIN + GRACE + STEP, BEGIN + GRACE)


@pytest.mark.parametrize(
    ("result", "bound"),
    [(ProbeResult.GONE, 8.0), (ProbeResult.BLOCKED, 20.0), (ProbeResult.ABSENT, 20.0)],
)
def test_an_agent_is_there_by_the_books_alone(result: ProbeResult, bound: float) -> None:
    watch = Watch(
        [
            at(BEGIN, answered),
            at(BEGIN + 1, lambda w: w.agent(R)),
            at(20.1, lambda w: w.life.update({w.rooms[R].members["agent-1"].sid: result})),
        ]
    ).until(45)
    least = 5.0 if result is ProbeResult.GONE else 15.0
    only(watch, Fault.AGENT_ZOMBIE, 20.1 + bound, 20.1 + least)


@EVERY_WAY
def test_a_call_lasts_too_long(webhooks: Webhooks) -> None:
    watch = Watch(
        [at(BEGIN, answered), at(BEGIN + 1, lambda w: w.agent(R))],
        webhooks,
        Limits(max_call=60.0),
    ).until(70)
    only(watch, Fault.CALL_OVERLONG, BEGIN + 60 + seen_within(webhooks), BEGIN + 60)


def dialled(world: World) -> None:
    world.agent(R)
    world.caller(R, LineState.RINGING, CALLEE, OUTBOUND)


@pytest.mark.parametrize("webhooks", [ALL_AT_ONCE, NONE], ids=["webhooks", "polls alone"])
def test_a_callee_answers_when_the_agent_has_gone(webhooks: Webhooks) -> None:
    watch = Watch(
        [
            at(BEGIN, dialled),
            at(10.1, lambda w: w.leave(R, "agent-1")),
            at(25.1, lambda w: w.answer(R, CALLEE)),
        ],
        webhooks,
    ).until(29)
    only(watch, Fault.OUTBOUND_LATE_ANSWER, 25.1 + 0.5 + POLL + STEP, 25.1 + 0.5)


@pytest.mark.parametrize("gone", [True, False])
def test_a_guard_dies_in_the_middle_of_its_rescue(*, gone: bool) -> None:
    mark: dict[str, Any] = {GUARD.replace(".", "__"): "1", RESCUE.replace(".", "__"): "inc_1;12.0"}
    script = [
        at(BEGIN, answered),
        at(BEGIN + 1, lambda w: w.agent(R)),
        at(10.1, lambda w: w.change(R, "agent-1", **mark)),
    ]
    if gone:
        script.append(at(16.1, lambda w: w.leave(R, "agent-1", "CONNECTION_TIMEOUT")))
    watch = Watch(script, NONE).until(36)
    only(watch, Fault.RESCUER_DIED, 10.1 + 12 + 1 + 5 + POLL, 10.1 + 12 + 1)
    assert watch.suspicions[0][1].evidence["rescue"] == "inc_1"
    assert (Need.PROBE in watch.suspicions[0][1].needs) is not gone


def test_a_host_dies_in_the_middle_of_its_rescue() -> None:
    job = LeasedJob(R, "agent-1", "AJ_1", rescue_until=10.0)
    watch = Watch(
        [
            at(BEGIN, answered),
            at(BEGIN + 1, lambda w: w.agent(R)),
            at(20.1, lambda w: w.leave(R, "agent-1", "CONNECTION_TIMEOUT")),
        ],
        leases=guarded(job, 20.1),
    ).until(40)
    only(watch, Fault.RESCUER_DIED, 20.1 + 10 + 1 + STEP, 20 + 10 + 1)


def test_a_scanner_is_removed_and_never_spoken_to() -> None:
    watch = Watch([at(BEGIN, lambda w: w.caller(R, attributes=SCANNER))]).until(20)
    assert watch.first() is None
    assert not watch.dispatches
    assert BEGIN + GRACE <= watch.scanners[0][0] <= BEGIN + GRACE + STEP


def test_nothing_is_judged_while_nobody_can_be_asked() -> None:
    watch = Watch([at(BEGIN, lambda w: w.caller(R))], blind=(9.0, 60.0))
    assert watch.until(11).first() is None
    watch = Watch(
        [
            at(BEGIN, answered),
            at(BEGIN + 1, lambda w: w.agent(R)),
            at(22.1, lambda w: w.leave(R, "agent-1")),
        ],
        blind=(15.0, 60.0),
    )
    assert watch.until(60).first() is None
    only(watch.until(75), Fault.CALL_ABANDONED_LEGS, 63)
