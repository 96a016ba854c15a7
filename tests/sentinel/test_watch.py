"""What a whole sentinel does for calls, from what it sees to what is done on their lines."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from onhook.call import LineState
from onhook.incident import Ending
from onhook.ladder import Ladder
from onhook.outages import Outage
from onhook.rungs import Keep
from onhook.sentinel.call_view import CallView, ProbeResult
from onhook.sentinel.plans import Plan
from onhook.sentinel.sightings import HostLease, LeasedJob, RoomSeen
from onhook.sentinel.watch import Watch
from onhook.sinks.journal import Step
from onhook.tasks import end
from tests.sentinel.acting import Acting
from tests.sentinel.world import SCANNER

pytestmark = pytest.mark.looptime

RINGING, ACTIVE = LineState.RINGING, LineState.ACTIVE
DEAD = ProbeResult.GONE


def endings(acting: Acting) -> dict[str, int]:
    return dict(acting.attendance.endings)


async def test_a_caller_to_whom_no_agent_comes_is_told_so_and_released() -> None:
    async with Acting() as acting:
        acting.send("a")
        acting.world.caller("a")
        await acting.until(20.0)
    assert acting.books.done == ["dispatch a front-desk", "say a", "delete a"]
    (second, words, _) = (at for at, _ in acting.books.acts)
    assert 2.5 <= second <= 3.0
    assert 8.0 <= words <= 8.6
    assert acting.faults == ["agent.absent"]
    assert endings(acting) == {"released": 1}


async def test_where_it_only_observes_nothing_is_done_and_all_is_recorded() -> None:
    async with Acting(observe=True) as acting:
        acting.send("a")
        acting.world.caller("a")
        acting.world.caller("scanner", attributes=SCANNER)
        await acting.until(60.0)
        states = acting.watch.states
    assert acting.books.acts == []
    assert acting.faults == ["agent.absent"], "once, however long it lasts"
    assert endings(acting) == {"observed": 1}
    assert states.states == {"no_agent": 1, "scanner": 1}
    assert states.suspected == {"agent.absent": 1}, "the caller waits still"
    assert 58.0 < states.longest <= 60.0
    (told,) = acting.attended
    assert (told.mode, told.ending) == ("observe", "observed")
    assert 8.0 <= told.lag <= told.took < 9.0


async def test_a_call_that_is_kept_on_purpose_is_suspected_no_more() -> None:
    async with Acting(Plan(ladder=Ladder((Keep("another system has it"),)))) as acting:
        acting.send("a")
        acting.world.caller("a")
        await acting.until(30.0)
        states = acting.watch.states
    assert endings(acting) == {"kept": 1}
    assert (states.states, states.suspected) == ({"no_agent": 1}, {})


async def test_who_does_not_lead_counts_no_states() -> None:
    async with Acting(leads=lambda: False) as acting:
        acting.world.caller("a")
        await acting.until(20.0)
        assert acting.watch.states.states == {}
        assert acting.clock() - acting.watch.looked_at < 1.0


async def test_a_plan_that_only_observes_does_nothing_either() -> None:
    async with Acting(Plan(mode="observe")) as acting:
        acting.send("a")
        acting.world.caller("a")
        await acting.until(30.0)
    assert acting.books.acts == []
    assert endings(acting) == {"observed": 1}


async def test_an_agent_whose_set_up_takes_long_keeps_its_caller() -> None:
    """Its job is listed after 5 s only, so that it gets a second agent; that is taken back."""
    async with Acting() as acting:
        acting.send("a")
        acting.world.caller("a")
        await acting.until(5.0)
        acting.take_job("a")
        await acting.until(12.0)
        acting.world.agent("a", "agent-AJ_1")
        acting.world.change("a", "agent-AJ_1", audible=True)
        acting.world.answer("a")
        await acting.until(60.0)
    assert acting.books.done == ["dispatch a front-desk", "withdraw a"]
    assert acting.faults == []


async def test_an_agent_that_never_ends_its_set_up_does_not_keep_its_caller_for_ever() -> None:
    async with Acting() as acting:
        acting.send("a")
        acting.take_job("a")
        acting.world.caller("a")
        await acting.until(40.0)
    assert acting.books.done == ["say a", "delete a"]
    assert 20.0 <= acting.books.acts[0][0] <= 23.0


async def test_a_healthy_call_is_left_alone() -> None:
    async with Acting() as acting:
        acting.send("a")
        acting.world.caller("a")
        await acting.until(0.4)
        acting.world.agent("a")
        acting.take_job("a", "agent-1")
        acting.world.change("a", "agent-1", audible=True)
        acting.world.answer("a")
        await acting.until(120.0)
        acting.world.leave("a", "sip_+15550100")
        await acting.until(130.0)
    assert acting.books.acts == []
    assert acting.faults == []


async def test_where_no_agent_is_expected_nobody_is_missing() -> None:
    """The server lists an unnamed dispatch for every room, also where a person answers."""
    async with Acting() as acting:
        acting.send("a", "")
        acting.world.caller("a")
        await acting.until(30.0)
        acting.world.human("a")
        acting.world.answer("a")
        await acting.until(60.0)
    assert acting.books.acts == []
    assert acting.faults == []


async def test_where_unnamed_agents_have_taken_calls_one_is_missed() -> None:
    async with Acting() as acting:
        acting.world.caller("before")
        acting.world.agent("before")
        acting.world.change("before", "agent-1", audible=True)
        await acting.until(10.0)
        acting.send("a", "")
        acting.world.caller("a")
        await acting.until(30.0)
    assert acting.books.done == ["dispatch a ", "say a", "delete a"]


async def test_a_plan_for_a_call_says_that_an_agent_is_expected() -> None:
    async with Acting(Plan(name="number +15550199")) as acting:
        acting.send("a", "")
        acting.world.caller("a")
        await acting.until(30.0)
    assert acting.books.done == ["dispatch a ", "say a", "delete a"]


async def zombie(acting: Acting, *, sends: bool | None) -> None:
    """An agent answers for a while, and then no more."""
    acting.send("a")
    acting.world.caller("a")
    stay = acting.world.agent("a")
    acting.world.change("a", "agent-1", audible=True)
    acting.world.answer("a")
    acting.books.voices["agent-1"] = sends
    await acting.until(20.0)
    acting.world.life[stay] = DEAD
    await acting.until(50.0)


async def test_an_agent_that_answers_nothing_and_sends_nothing_is_dead() -> None:
    async with Acting() as acting:
        await zombie(acting, sends=False)
    assert acting.books.done == ["remove a agent-1", "say a", "delete a"]
    assert acting.faults == ["agent.zombie"]
    assert acting.books.acts[1][0] <= 20.0 + 10.5


async def test_an_agent_that_answers_nothing_and_sends_its_voice_is_left_alone() -> None:
    """A data channel that is stuck is no dead agent: that takes a second kind of evidence."""
    async with Acting() as acting:
        await zombie(acting, sends=True)
    assert acting.books.acts == []
    assert acting.faults == []


async def test_an_agent_of_which_nothing_can_be_heard_is_asked_once_more() -> None:
    async with Acting() as acting:
        await zombie(acting, sends=None)
    assert acting.books.done == ["remove a agent-1", "say a", "delete a"]


async def test_an_agent_without_a_voice_is_asked_once_more_too() -> None:
    async with Acting() as acting:
        acting.world.caller("a")
        stay = acting.world.agent("a")
        acting.world.answer("a")
        acting.books.voices["agent-1"] = True  # of a track that it does not have
        await acting.until(20.0)
        acting.world.life[stay] = DEAD
        await acting.until(50.0)
    assert acting.books.done == ["remove a agent-1", "say a", "delete a"]


@pytest.mark.parametrize("sends", [False, True, None])
async def test_an_agent_that_no_server_knows_is_dead_if_it_is_not_in_the_room(
    sends: bool | None,
) -> None:
    """Its server was killed, and the list is that of before."""
    async with Acting() as acting:
        acting.world.caller("a")
        stay = acting.world.agent("a")
        acting.world.change("a", "agent-1", audible=True)
        acting.world.answer("a")
        acting.books.voices["agent-1"] = sends
        await acting.until(20.0)
        acting.world.life[stay] = ProbeResult.ABSENT
        await acting.until(60.0)
    rescued = ["remove a agent-1", "say a", "delete a"]
    assert acting.books.done == (rescued if sends is False else [])
    assert all(moment >= 35.0 for moment, _ in acting.books.acts)


async def test_an_agent_that_joins_again_after_its_server_was_restarted_keeps_its_caller() -> None:
    async with Acting() as acting:
        acting.world.caller("a")
        stay = acting.world.agent("a")
        acting.world.change("a", "agent-1", audible=True)
        acting.world.answer("a")
        acting.books.voices["agent-1"] = False
        await acting.until(20.0)
        acting.world.life[stay] = ProbeResult.ABSENT
        await acting.until(33.0)
        acting.world.life[stay] = ProbeResult.ANSWERED
        await acting.until(60.0)
    assert acting.books.acts == []


async def leased(acting: Acting, *, lives: bool, told: ProbeResult = DEAD) -> None:
    """A host with a call goes silent."""
    acting.send("a")
    acting.world.caller("a")
    stay = acting.world.agent("a")
    acting.world.change("a", "agent-1", audible=True)
    acting.world.answer("a")
    job = LeasedJob("a", "agent-1", "AJ_1")
    for second in range(10):
        await acting.until(float(second))
        acting.watch.receive(HostLease("host-1", 3.0, (job,)))
    if not lives:
        acting.world.life[stay] = told
    await acting.until(40.0)


@pytest.mark.parametrize("sends", [False, True, None])
async def test_where_nobody_can_be_asked_a_lost_host_is_known_by_a_voice_that_is_gone(
    sends: bool | None,
) -> None:
    """A server that knows no such question, or answers it too late, says nothing of anybody."""
    async with Acting() as acting:
        acting.books.voices["agent-1"] = sends
        await leased(acting, lives=False, told=ProbeResult.UNKNOWN)
    rescued = ["remove a agent-1", "say a", "delete a"]
    assert acting.books.done == (rescued if sends is False else [])


async def test_the_calls_of_a_lost_host_are_told_within_eight_seconds() -> None:
    async with Acting() as acting:
        await leased(acting, lives=False)
    assert acting.books.done == ["remove a agent-1", "say a", "delete a"]
    assert acting.faults == ["host.lost"]
    assert acting.books.acts[1][0] <= 9.0 + 8.0


async def test_a_host_whose_watchdog_alone_is_gone_keeps_its_calls() -> None:
    async with Acting() as acting:
        await leased(acting, lives=True)
    assert acting.books.acts == []
    assert acting.faults == []


async def test_a_call_that_is_too_long_is_told_and_ended_whoever_is_on_it() -> None:
    plan = Plan()
    async with Acting(replace(plan, limits=replace(plan.limits, max_call=30.0))) as acting:
        acting.world.caller("a")
        acting.world.agent("a")
        acting.world.change("a", "agent-1", audible=True)
        acting.world.answer("a")
        await acting.until(60.0)
    assert acting.books.done == ["say a", "delete a"]
    assert acting.faults == ["call.overlong"]
    assert 30.0 <= acting.books.acts[0][0] <= 33.0


async def test_a_caller_whom_everybody_has_left_is_released() -> None:
    async with Acting() as acting:
        acting.world.caller("a")
        acting.world.agent("a")
        acting.world.change("a", "agent-1", audible=True)
        acting.world.answer("a")
        await acting.until(20.0)
        acting.world.leave("a", "agent-1")
        await acting.until(50.0)
    assert acting.books.done == ["say a", "delete a"]
    assert acting.faults == ["call.abandoned_legs"]
    assert 28.0 <= acting.books.acts[0][0] <= 29.0


@pytest.mark.parametrize("limit", [None, 30.0])
async def test_two_callers_who_are_left_with_each_other_may_talk_for_as_long_as_the_plan_says(
    limit: float | None,
) -> None:
    plan = Plan()
    async with Acting(replace(plan, limits=replace(plan.limits, two_legs=limit))) as acting:
        acting.world.caller("a")
        acting.world.agent("a")
        acting.world.change("a", "agent-1", audible=True)
        acting.world.answer("a")
        acting.world.caller("a", LineState.ACTIVE, "sip_+15550111", {"sip.trunkID": "ST_2"})
        await acting.until(20.0)
        acting.world.leave("a", "agent-1")
        await acting.until(90.0)
    assert acting.books.done == ([] if limit is None else ["say a", "delete a"])
    assert acting.faults == ([] if limit is None else ["call.abandoned_legs"])


async def test_a_scanner_is_removed_without_a_word_or_a_dispatch() -> None:
    async with Acting() as acting:
        acting.send("a")
        acting.world.caller("a", attributes=SCANNER)
        await acting.until(30.0)
    assert acting.books.done == ["remove a sip_+15550100"]
    assert acting.scanners.removed == 1
    assert acting.faults == []


async def test_while_the_api_fails_nothing_is_done_and_all_is_when_it_is_back() -> None:
    async with Acting() as acting:
        acting.send("a")
        acting.world.caller("a")
        await acting.until(1.0)
        acting.books.fails = True
        await acting.until(40.0)
        assert acting.books.acts == []
        acting.books.fails = False
        await acting.until(70.0)
    assert acting.faults == ["agent.absent"]
    assert acting.books.done[-2:] == ["say a", "delete a"]


async def test_an_agent_that_comes_during_the_words_takes_the_call_over() -> None:
    async with Acting() as acting:
        acting.send("a")
        acting.world.caller("a")
        await acting.until(9.5)
        assert acting.books.done[-1] == "say a"
        acting.world.agent("a")
        acting.world.change("a", "agent-1", audible=True)
        await acting.until(30.0)
    assert endings(acting) == {"taken_over": 1}
    assert acting.books.done[-1] == "say a"


async def test_a_call_that_cannot_be_judged_keeps_no_other_from_being_rescued(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with Acting() as acting:
        choose = acting.plans.plan

        def plan(view: CallView) -> Plan:
            if view.room == "bad":
                raise RuntimeError("scripted")
            return choose(view)

        monkeypatch.setattr(acting.plans, "plan", plan)
        for room in ("a", "bad", "z"):
            acting.world.caller(room)
        await acting.until(30.0)
    assert sorted(act for act in acting.books.done if "delete" in act) == ["delete a", "delete z"]
    assert caplog.text.count("could not be judged") == 1


OUT = Outage("number", "+15550199", 10.0, 500.0, "ann", fallback="tel:+15550123")


async def test_in_an_outage_a_new_call_goes_straight_to_its_fallback() -> None:
    async with Acting() as acting:
        acting.switch(OUT)
        await acting.until(20.0)
        acting.send("a")
        acting.world.caller("a")
        await acting.until(20.3)
        acting.world.agent("a")
        acting.world.change("a", "agent-1", audible=True)
        acting.world.answer("a")
        await acting.until(40.0)
    assert acting.books.done[:2] == ["remove a agent-1", "say a"]
    assert "transfer a" in acting.books.done
    assert acting.books.acts[1][0] <= 23.0
    assert not any(act.startswith("dispatch") for act in acting.books.done)


async def test_an_outage_leaves_the_calls_that_were_there_before_to_their_agents() -> None:
    async with Acting() as acting:
        acting.world.caller("a")
        acting.world.agent("a")
        acting.world.change("a", "agent-1", audible=True)
        acting.world.answer("a")
        await acting.until(30.0)
        acting.switch(replace(OUT, since=30.0))
        await acting.until(90.0)
    assert acting.books.acts == []


async def test_of_very_many_callers_all_are_released_the_longest_silence_first() -> None:
    """Sixteen are spoken to at a time; who would wait for that too long is released without."""
    async with Acting() as acting:
        rooms = [f"room-{number:03}" for number in range(200)]
        for number, room in enumerate(rooms):
            await acting.until(number // 20 * 0.2)
            acting.world.caller(room)
        await acting.until(60.0)
    deleted = [act.removeprefix("delete ") for act in acting.books.done if "delete" in act]
    assert sorted(deleted) == rooms
    assert endings(acting) == {"released": 200}
    words = [act.removeprefix("say ") for act in acting.books.done if act.startswith("say")]
    batches = [rooms.index(room) // 20 for room in words]
    assert batches[:32] == sorted(batches[:32])
    assert 48 <= len(words) < 200
    assert max(at for at, _ in acting.books.acts) < 35.0


@pytest.mark.parametrize("ending", ["released"])
async def test_an_incident_has_one_terminal_outcome(ending: Ending) -> None:
    async with Acting() as acting:
        acting.send("a")
        acting.world.caller("a")
        await acting.until(30.0)
    (incident,) = acting.journal.incidents(10)
    closed = [e for e in acting.journal.entries(incident) if e.step is Step.CLOSED]
    assert [entry.subject for entry in closed] == [ending]


async def test_a_sentinel_that_does_not_lead_looks_on_and_knows_since_when_when_it_does() -> None:
    led: list[bool] = []
    async with Acting(leads=lambda: bool(led)) as acting:
        acting.send("a")
        acting.world.caller("a")
        await acting.until(20.0)
        assert acting.books.acts == []
        led.append(True)
        await acting.until(21.0)
        assert "say a" in acting.books.done
        await acting.until(30.0)
    assert endings(acting) == {"released": 1}


@pytest.mark.parametrize(("work", "pause"), [(0.0, 0.5), (0.3, 1.7), (60.0, 0.05)])
async def test_looking_at_all_calls_takes_its_share_of_the_time(work: float, pause: float) -> None:
    acting, now = Acting(), [100.0]
    slept: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def look(_: CallView) -> None:
        now[0] += work

    async def sleep(seconds: float) -> None:
        if seconds:
            slept.set_result(seconds)
            await asyncio.Event().wait()

    acting.table.take(RoomSeen("a", "RM_a"), now[0])
    watch = Watch(
        *(acting.table, acting.plans, acting.attendance, acting.second, acting.scanners),
        learn=look,
        ask=acting._ask,
        affordable=lambda: 0,
        clock=lambda: now[0],
        sleep=sleep,
    )
    rounds = asyncio.create_task(watch.rounds())
    try:
        assert await slept == pytest.approx(pause)
    finally:
        await end(rounds)
