"""Healthy calls, as they are generated: none of them is ever suspected, nor taken for a scanner."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onhook.call import LineState
from onhook.livekit.attribute_names import RELEASED, RESCUE
from onhook.sentinel.call_view import ProbeResult
from onhook.sentinel.sightings import AgentJob, HostLease, LeasedJob
from tests.sentinel.watching import ALL_AT_ONCE, NONE, UNRELIABLE, Script, Watch, Webhooks
from tests.sentinel.world import INBOUND, OUTBOUND, World

R = "call-1"
CALLER = "sip_+15550100"
CALLEE = "callee"
Step = tuple[float, Callable[[World], object]]
RELEASE: dict[str, Any] = {RELEASED.replace(".", "__"): "sent to the queue"}


def healthy(watch: Watch, until: float) -> None:
    watch.until(until)
    assert watch.suspicions == []
    assert watch.scanners == []


def seconds(least: float, most: float) -> st.SearchStrategy[float]:
    return st.integers(int(least * 4), int(most * 4)).map(lambda quarters: quarters / 4)


some = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ways = st.one_of(
    st.just(ALL_AT_ONCE),
    st.just(NONE),
    st.integers(0, 1000).map(lambda n: Webhooks(0.3, 0.3, 3.0, n)),
)


@some
@given(data=st.data(), webhooks=ways, offset=seconds(0.25, 2))
def test_an_inbound_call_from_ring_to_goodbye(
    data: st.DataObject, webhooks: Webhooks, offset: float
) -> None:
    draw = data.draw
    begin = draw(seconds(0, 6))
    # what a list must show, since its webhook may be lost, needs a poll's time
    soon = draw(seconds(0.25, 7.5 if webhooks is ALL_AT_ONCE else 5.5))
    comes = begin + soon
    talks = comes + draw(seconds(0.25 if webhooks is ALL_AT_ONCE else 4, 30))
    script: list[Step] = [
        (begin, lambda w: w.caller(R)),
        (comes, lambda w: w.agent(R)),
        (comes + 0.25, lambda w: w.answer(R, CALLER)),
        (comes + 0.25, lambda w: w.change(R, "agent-1", audible=True)),
    ]
    end = _ending(draw(st.sampled_from(sorted(_ENDINGS))), talks, script, draw)
    healthy(Watch(script, webhooks, offset=offset), end + 20)


Draw = Callable[[st.SearchStrategy[float]], float]


def _hang_up(when: float, script: list[Step], _: Draw) -> float:
    script.append((when, lambda w: w.leave(R, CALLER)))
    script.append((when + 1, lambda w: w.close(R)))
    return when


def _delete(when: float, script: list[Step], _: Draw) -> float:
    script.append((when, lambda w: w.close(R)))
    return when


def _colleague(when: float, script: list[Step], draw: Draw) -> float:
    """A colleague is rung, answers, and the agent leaves the two."""
    answers = when + draw(seconds(0.5, 25))
    leaves = answers + draw(seconds(0.25, 20))
    ends = leaves + draw(seconds(1, 120))
    script += [
        (when, lambda w: w.caller(R, LineState.DIALING, "colleague", OUTBOUND)),
        (answers, lambda w: w.answer(R, "colleague")),
        (leaves, lambda w: w.leave(R, "agent-1")),
        (ends, lambda w: w.close(R)),
    ]
    return ends


def _leg_that_is_answered_later(when: float, script: list[Step], draw: Draw) -> float:
    """The agent leaves the caller with a colleague's phone that still rings."""
    answers = when + draw(seconds(1, 25))
    script += [
        (when, lambda w: w.caller(R, LineState.RINGING, "colleague", OUTBOUND)),
        (when + 0.5, lambda w: w.leave(R, "agent-1")),
        (answers, lambda w: w.answer(R, "colleague")),
        (answers + 60, lambda w: w.close(R)),
    ]
    return answers + 60


def _person(when: float, script: list[Step], draw: Draw) -> float:
    """A person joins by a browser, and the agent leaves the two."""
    leaves = when + draw(seconds(8, 20))
    ends = leaves + draw(seconds(1, 120))
    script += [
        (when, lambda w: w.human(R)),
        (leaves, lambda w: w.leave(R, "agent-1")),
        (ends, lambda w: w.close(R)),
    ]
    return ends


def _handoff(when: float, script: list[Step], draw: Draw) -> float:
    """An agent goes, and the next one comes."""
    comes = when + draw(seconds(0, 5))
    script += [
        (when, lambda w: w.leave(R, "agent-1")),
        (comes, lambda w: w.agent(R, "agent-2")),
        (comes + 60, lambda w: w.close(R)),
    ]
    return comes + 60


def _reconnect(when: float, script: list[Step], _: Draw) -> float:
    script += [(when, lambda w: w.agent(R)), (when + 40, lambda w: w.close(R))]
    return when + 40


def _released(when: float, script: list[Step], draw: Draw) -> float:
    """The agent says that it leaves on purpose: the caller hears a queue's music."""
    leaves = when + draw(seconds(0.25, 3))
    script += [
        (when, lambda w: w.change(R, "agent-1", **RELEASE)),
        (when, lambda w: w.change(R, CALLER, **RELEASE)),
        (leaves, lambda w: w.leave(R, "agent-1")),
        (leaves + 120, lambda w: w.close(R)),
    ]
    return leaves + 120


def _transfer(when: float, script: list[Step], draw: Draw) -> float:
    """A REFER that rings at the far end, with the agent still there."""
    ends = when + draw(seconds(1, 29))
    script += [(ends, lambda w: w.leave(R, CALLER)), (ends + 2, lambda w: w.close(R))]
    return ends


def _silence(when: float, script: list[Step], _: Draw) -> float:
    """The agent is there, and says nothing for minutes."""
    script += [
        (when, lambda w: w.change(R, "agent-1", audible=False)),
        (when + 240, lambda w: w.close(R)),
    ]
    return when + 240


def _blocked(when: float, script: list[Step], draw: Draw) -> float:
    """A tool blocks the agent's event loop for a while."""

    def block(world: World) -> None:
        world.life[world.rooms[R].members["agent-1"].sid] = ProbeResult.BLOCKED

    script += [
        (when, block),
        (when + draw(seconds(0.5, 12)), lambda w: w.life.clear()),
        (when + 60, lambda w: w.close(R)),
    ]
    return when + 60


def _network(when: float, script: list[Step], draw: Draw) -> float:
    """The agent's network is away for a moment."""

    def cut(world: World) -> None:
        world.life[world.rooms[R].members["agent-1"].sid] = ProbeResult.GONE

    script += [
        (when, cut),
        (when + draw(seconds(0.5, 2.25)), lambda w: w.life.clear()),
        (when + 60, lambda w: w.close(R)),
    ]
    return when + 60


def _rescue(when: float, script: list[Step], draw: Draw) -> float:
    """The guard rescues its call, and is done in time."""
    mark: dict[str, Any] = {RESCUE.replace(".", "__"): "inc_1;20.0"}
    ends = when + draw(seconds(1, 18))
    script += [
        (when, lambda w: w.change(R, "agent-1", **mark)),
        (ends, lambda w: w.close(R)),
    ]
    return ends


_ENDINGS = {
    f.__name__: f
    for f in (
        _hang_up,
        _delete,
        _colleague,
        _leg_that_is_answered_later,
        _person,
        _handoff,
        _reconnect,
        _released,
        _transfer,
        _silence,
        _blocked,
        _network,
        _rescue,
    )
}


def _ending(name: str, when: float, script: list[Step], draw: Draw) -> float:
    return _ENDINGS[name](when, script, draw)


@some
@given(
    webhooks=ways,
    rings=seconds(1, 60),
    talks=seconds(1, 60),
    answered=st.booleans(),
    offset=seconds(0.25, 2),
)
def test_an_outbound_call_with_a_greeting_prepared(
    *, webhooks: Webhooks, rings: float, talks: float, answered: bool, offset: float
) -> None:
    script: list[Step] = [
        (1.0, lambda w: w.agent(R)),
        (1.25, lambda w: w.caller(R, LineState.DIALING, CALLEE, OUTBOUND)),
        (2.0, lambda w: w.change(R, CALLEE, LineState.RINGING)),
        (2.0 + rings, lambda w: w.answer(R, CALLEE) if answered else w.leave(R, CALLEE)),
        (2.0 + rings + talks, lambda w: w.close(R)),
    ]
    healthy(Watch(script, webhooks, offset=offset), rings + talks + 20)


@some
@given(webhooks=ways, consults=seconds(8, 60), offset=seconds(0.25, 2))
def test_a_warm_transfer(webhooks: Webhooks, consults: float, offset: float) -> None:
    """Music for the caller; the colleague is briefed in a room of their own, and moved over."""
    other = "consult"

    def move(world: World) -> None:
        world.leave(other, "colleague", "MIGRATION")
        world.caller(R, LineState.ACTIVE, "colleague", OUTBOUND)

    script: list[Step] = [
        (1.0, lambda w: w.caller(R)),
        (2.0, lambda w: w.agent(R)),
        (3.0, lambda w: w.answer(R)),
        (10.0, lambda w: w.agent(other, "agent-1-consult")),
        (10.5, lambda w: w.caller(other, LineState.RINGING, "colleague", OUTBOUND)),
        (10.0 + consults / 2, lambda w: w.answer(other, "colleague")),
        (10.0 + consults, move),
        (10.5 + consults, lambda w: w.close(other)),
        (16.0 + consults, lambda w: w.leave(R, "agent-1")),
        (60.0 + consults, lambda w: w.close(R)),
    ]
    healthy(Watch(script, webhooks, offset=offset), consults + 80)


@some
@given(webhooks=ways, setup=seconds(1, 19), offset=seconds(0.25, 2))
def test_a_guarded_agent_sets_up_for_long_while_the_phone_rings(
    webhooks: Webhooks, setup: float, offset: float
) -> None:
    script: list[Step] = [
        (1.0, lambda w: w.caller(R)),
        (2.0 + setup, lambda w: w.agent(R)),
        (3.0 + setup, lambda w: w.answer(R)),
        (60.0, lambda w: w.close(R)),
    ]

    def leases(now: float) -> Iterable[HostLease]:
        jobs = (LeasedJob(R, "agent-1", "AJ_1"),) if 2.0 <= now < 59.0 else ()
        return [HostLease("host-1", 3.0, jobs)]

    healthy(Watch(script, webhooks, offset=offset, leases=leases), 80)


def test_a_deployment_without_any_trunk() -> None:
    """Its calls bear no trunk's id; the agent takes them, so they are no scanners."""
    attributes = {name: value for name, value in INBOUND.items() if name != "sip.trunkID"}
    script: Script = [
        (1.0, lambda w: w.caller(R, attributes=attributes)),
        (4.0, lambda w: w.agent(R)),
        (5.0, lambda w: w.answer(R)),
        (60.0, lambda w: w.close(R)),
    ]
    healthy(Watch(script), 80)


def test_a_watchdog_ends_and_its_agent_lives() -> None:
    """Whoever proves alive is left alone, whatever became of the lease."""
    job = LeasedJob(R, "agent-1", "AJ_1")
    script: list[Step] = [
        (1.0, lambda w: w.caller(R, LineState.ACTIVE)),
        (2.0, lambda w: w.agent(R)),
    ]
    watch = Watch(script, leases=lambda now: [HostLease("h", 3.0, (job,))] if now < 10 else [])
    watch.until(14.0)
    sid = watch.world.rooms[R].members["agent-1"].sid
    watch.suspicions.clear()  # it was suspected, and is asked
    watch.table.probed(R, sid, ProbeResult.ANSWERED, watch.world.now, watch.world.now)
    healthy(watch, 60)


def test_a_sentinel_that_was_held_up_loses_no_host() -> None:
    job = LeasedJob(R, "agent-1", "AJ_1")
    script: list[Step] = [
        (1.0, lambda w: w.caller(R, LineState.ACTIVE)),
        (2.0, lambda w: w.agent(R)),
    ]
    watch = Watch(script, leases=lambda _: [HostLease("h", 3.0, (job,))]).until(20)
    watch.world.now += 60.0  # SIGSTOP, SIGCONT
    view = watch.table.view(R, watch.world.now)
    assert view is not None
    assert view.lease_state(watch.world.now) == "covered"
    healthy(watch, 100)


@pytest.mark.parametrize("webhooks", [ALL_AT_ONCE, NONE, UNRELIABLE])
def test_people_who_meet_without_any_agent(webhooks: Webhooks) -> None:
    script: list[Step] = [
        (1.0, lambda w: w.human(R)),
        (5.0, lambda w: w.caller(R, LineState.DIALING, CALLEE, OUTBOUND)),
        (20.0, lambda w: w.answer(R, CALLEE)),
        (200.0, lambda w: w.close(R)),
    ]
    healthy(Watch(script, webhooks), 220)


def test_a_click_to_call_without_any_agent() -> None:
    script: list[Step] = [
        (1.0, lambda w: w.caller(R, LineState.RINGING, "first", OUTBOUND)),
        (9.0, lambda w: w.answer(R, "first")),
        (9.5, lambda w: w.caller(R, LineState.RINGING, "second", OUTBOUND)),
        (40.0, lambda w: w.answer(R, "second")),
        (100.0, lambda w: w.close(R)),
    ]
    healthy(Watch(script), 120)


def test_the_server_finds_another_agent_in_the_end() -> None:
    script: list[Step] = [
        (1.0, lambda w: w.caller(R)),
        (20.0, lambda w: w.agent(R)),
        (60.0, lambda w: w.close(R)),
    ]
    watch = Watch(script).until(3)
    watch.table.take(AgentJob(R, "AJ_1", "front-desk", "pending", "RETRYING"), 3.0)
    healthy(watch, 80)
