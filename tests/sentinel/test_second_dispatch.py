from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec
import pytest

from onhook.call import Call, Direction, Leg, LegKind, LineState
from onhook.errors import OnhookError
from onhook.line import Dispatch
from onhook.livekit.attribute_names import GUARD
from onhook.sentinel.call_view import AgentView, CallView
from onhook.sentinel.plans import Plan
from onhook.sentinel.repeated_dispatch import Superfluous, superfluous, to_repeat
from onhook.sentinel.second_dispatch import SecondDispatches
from onhook.takeover import SECOND_DISPATCH
from tests.fakes import agent, caller, human

ROOM, PLAN = "call-1", Plan()
FIRST, OURS = Dispatch("AD_1", "support", "{}"), Dispatch("AD_2", "support", "{}")
RINGING = caller(LineState.RINGING)


def call_of(*legs: Leg) -> Call:
    return Call(ROOM, legs, direction=Direction.INBOUND)


WAITS = CallView(
    call=call_of(RINGING),
    caller={"sip.trunkID": "ST_1"},
    first_seen=0.0,
    no_agent_since=0.0,
    ringing_since=0.0,
)


def with_job(dispatch: Dispatch, number: int) -> Dispatch:
    return replace(dispatch, jobs=(f"AJ_{number}",), agents=(f"agent-AJ_{number}",))


def there(number: int, *, audible: bool = False) -> Leg:
    return agent(f"agent-AJ_{number}", audible=audible)


@pytest.mark.parametrize(
    ("sent", "plan", "chosen"),
    [
        ([FIRST], PLAN, ("support", "{}")),
        ([with_job(FIRST, 1)], PLAN, None),
        ([FIRST, OURS], PLAN, None),
        ([replace(FIRST, attributes={SECOND_DISPATCH: "1"})], PLAN, None),
        ([FIRST, Dispatch("AD_3", "scribe")], PLAN, None),
        ([], PLAN, None),
        ([], Plan(agent="night"), ("night", "")),
        ([FIRST], Plan(agent="night"), ("night", "{}")),
    ],
    ids=[
        "lost",
        "taken",
        "twice",
        "marked",
        "two agents",
        "none",
        "the plan's",
        "the plan's, with its data",
    ],
)
def test_the_dispatch_that_nobody_has_taken_is_repeated_once(
    sent: list[Dispatch], plan: Plan, chosen: tuple[str, str] | None
) -> None:
    assert to_repeat(sent, plan) == chosen


@pytest.mark.parametrize(
    ("legs", "sent", "verdict"),
    [
        ((), [FIRST, OURS], Superfluous()),
        ((), [with_job(FIRST, 1), OURS], Superfluous("AD_2", settled=True)),
        (
            (),
            [with_job(FIRST, 1), with_job(OURS, 2)],
            Superfluous("AD_2", ("agent-AJ_2",), settled=True),
        ),
        ((there(1),), [with_job(FIRST, 1), OURS], Superfluous("AD_2", settled=True)),
        ((there(2),), [FIRST, with_job(OURS, 2)], Superfluous()),
        ((there(2),), [with_job(FIRST, 1), with_job(OURS, 2)], Superfluous()),
        (
            (there(1), there(2)),
            [with_job(FIRST, 1), with_job(OURS, 2)],
            Superfluous("AD_2", ("agent-AJ_2",), settled=True),
        ),
        (
            (there(1), there(2, audible=True)),
            [with_job(FIRST, 1), with_job(OURS, 2)],
            Superfluous("AD_1", ("agent-AJ_1",), settled=True),
        ),
        (
            (there(1, audible=True), there(2, audible=True)),
            [with_job(FIRST, 1), with_job(OURS, 2)],
            Superfluous("AD_2", ("agent-AJ_2",), settled=True),
        ),
        ((there(1),), [with_job(FIRST, 1)], Superfluous(settled=True)),
    ],
    ids=[
        *("nobody yet", "first on its way", "both on their way", "first there"),
        *("second there", "second there, first on its way", "both there", "second is heard"),
        *("both heard", "taken back by somebody else"),
    ],
)
def test_of_two_agents_one_stays(
    legs: tuple[Leg, ...], sent: list[Dispatch], verdict: Superfluous
) -> None:
    assert superfluous(call_of(RINGING, *legs), sent, "AD_2", {}) == verdict


@pytest.mark.parametrize("audible", [True, False])
@pytest.mark.parametrize(("later", "goes"), [(1, "AD_1"), (2, "AD_2")])
def test_of_two_who_are_alike_the_one_who_came_first_stays(
    later: int, goes: str, *, audible: bool
) -> None:
    call = call_of(RINGING, there(1, audible=audible), there(2, audible=audible))
    came = {f"agent-AJ_{number}": float(number == later) for number in (1, 2)}
    verdict = superfluous(call, [with_job(FIRST, 1), with_job(OURS, 2)], "AD_2", came)
    assert verdict.dispatch == goes


def test_a_call_without_a_caller_needs_nothing_more() -> None:
    assert superfluous(call_of(), [FIRST, OURS], "AD_2", {}) == Superfluous(settled=True)


@dataclass
class Room:
    """A room of the server: its line, and what the sentinel's table says of it."""

    call: Call = field(default_factory=lambda: call_of(RINGING))
    sent: list[Dispatch] = field(default_factory=lambda: [FIRST])
    asked: list[str] = field(default_factory=list)
    guarded: bool = False
    fails: bool = False

    async def picture(self) -> Call:
        if self.fails:
            raise OnhookError("scripted")
        return self.call

    async def dispatches(self) -> list[Dispatch]:
        return list(self.sent)

    async def dispatch(self, agent_name: str, metadata: str, attributes: Mapping[str, str]) -> str:
        self.asked.append(f"dispatch {agent_name} {metadata} {SECOND_DISPATCH in attributes}")
        self.sent.append(OURS)
        return OURS.id

    async def remove(self, identity: str) -> None:
        self.asked.append(f"remove {identity}")
        legs = (leg for leg in self.call.legs if leg.identity != identity)
        self.call = replace(self.call, legs=tuple(legs))

    async def withdraw(self, dispatch: str) -> None:
        self.asked.append(f"withdraw {dispatch}")
        gone = {a for d in self.sent if d.id == dispatch for a in d.agents}
        self.sent = [d for d in self.sent if d.id != dispatch]
        self.call = replace(
            self.call, legs=tuple(leg for leg in self.call.legs if leg.identity not in gone)
        )

    def view(self, _: str) -> CallView | None:
        now = asyncio.get_running_loop().time()
        attributes = {GUARD: "1"} if self.guarded else {}
        agents = tuple(
            AgentView(leg.identity, f"PA_{leg.identity}", now, now, attributes)
            for leg in self.call.legs
            if leg.kind is LegKind.AGENT
        )
        if not self.call.callers:
            return None
        return msgspec.structs.replace(WAITS, call=self.call, agents=agents)

    def join(self, *legs: Leg) -> None:
        self.call = replace(self.call, legs=(*self.call.legs, *legs))

    def assign(self, number: int, job: int) -> None:
        self.sent[number] = with_job(self.sent[number], job)


def sending(room: Room) -> SecondDispatches:
    @contextlib.asynccontextmanager
    async def line(_: str, __: float) -> AsyncIterator[Room]:
        yield room

    return SecondDispatches(line, room.view, clock=asyncio.get_running_loop().time)


async def served_before_the_original_comes(
    room: Room, second: SecondDispatches, *, late: float
) -> asyncio.Task[None]:
    """Let the repetition bring an agent that is heard, and the original another so much later."""
    sent = asyncio.create_task(second.send(WAITS, PLAN))
    await asyncio.sleep(0.5)
    room.assign(1, 2)
    room.join(there(2, audible=True))
    await asyncio.sleep(late)
    room.assign(0, 1)
    room.join(there(1))
    return sent


@pytest.mark.looptime
async def test_a_lost_dispatch_is_repeated_and_its_agent_stays() -> None:
    room = Room()
    second = sending(room)
    sent = asyncio.create_task(second.send(WAITS, PLAN))
    await asyncio.sleep(0.5)
    room.assign(1, 2)
    room.join(there(2, audible=True))
    await sent
    assert room.asked == ["dispatch support {} True"]
    assert second.sent == 1


@pytest.mark.looptime
async def test_an_agent_that_sets_itself_up_slowly_keeps_its_call() -> None:
    """Its job is listed 5 s late: the second one is taken back, and let in no more."""
    room = Room()
    sent = asyncio.create_task(sending(room).send(WAITS, PLAN))
    await asyncio.sleep(3.0)
    room.assign(0, 1)
    room.assign(1, 2)
    await asyncio.sleep(3.5)
    assert room.asked == ["dispatch support {} True", "withdraw AD_2"]
    await asyncio.sleep(3.5)
    room.join(there(1, audible=True))
    await asyncio.sleep(2.5)
    room.join(there(2, audible=True))
    await sent
    assert room.asked[2:] == ["remove agent-AJ_2"]
    assert [leg.identity for leg in room.call.legs] == ["sip_1", "agent-AJ_1"]


@pytest.mark.looptime
async def test_the_first_one_comes_after_all_and_the_second_is_taken_back_at_once() -> None:
    room = Room()
    sent = asyncio.create_task(sending(room).send(WAITS, PLAN))
    await asyncio.sleep(1.0)
    room.assign(0, 1)
    room.join(there(1))
    await asyncio.sleep(0.6)
    assert room.asked == ["dispatch support {} True", "withdraw AD_2"]
    await sent


@pytest.mark.looptime
async def test_a_late_first_one_leaves_before_it_greets_a_caller_who_is_served() -> None:
    room = Room()
    sent = await served_before_the_original_comes(room, sending(room), late=12.0)
    await sent
    assert room.asked == ["dispatch support {} True", "withdraw AD_1"]
    assert [leg.identity for leg in room.call.legs] == ["sip_1", "agent-AJ_2"]


@pytest.mark.looptime
async def test_a_guarded_one_gives_way_by_itself() -> None:
    room = Room(guarded=True)
    sent = await served_before_the_original_comes(room, sending(room), late=5.0)
    await asyncio.sleep(1.5)
    room.call = call_of(RINGING, there(2, audible=True))
    await sent
    assert room.asked == ["dispatch support {} True"]


@pytest.mark.parametrize(
    "room",
    [
        Room(call=call_of()),
        Room(call=call_of(caller())),
        Room(call=call_of(RINGING, there(1))),
        Room(call=call_of(RINGING, human())),
        Room(call=replace(call_of(RINGING), complete=False)),
        Room(sent=[with_job(FIRST, 1)]),
        Room(fails=True),
    ],
    ids=["gone", "answered", "agent", "company", "unseen", "taken", "API fails"],
)
@pytest.mark.looptime
async def test_the_server_is_asked_first_and_nothing_sent_in_vain(room: Room) -> None:
    await sending(room).send(WAITS, PLAN)
    assert room.asked == []


@pytest.mark.looptime
async def test_a_pool_that_is_dying_gets_no_herd_of_them() -> None:
    room = Room()
    second = sending(room)
    for _ in range(8):
        room.sent = [FIRST]
        await second.send(WAITS, PLAN)
    assert second.paused
    assert len(room.asked) == 4


@pytest.mark.looptime
async def test_a_pool_that_is_slow_gets_no_herd_of_them() -> None:
    """The first agents were on their way each time: their jobs are listed late."""
    room = Room()
    second = sending(room)
    for _ in range(8):
        room.sent = [FIRST]
        sent = asyncio.create_task(second.send(WAITS, PLAN))
        await asyncio.sleep(3.0)
        room.sent = [with_job(FIRST, 1), *room.sent[1:]]
        await sent
    assert second.paused
    assert sum(act.startswith("dispatch") for act in room.asked) == 4


@pytest.mark.looptime
async def test_a_repetition_was_of_use_where_the_original_came_late_and_was_taken_back() -> None:
    room = Room()
    second = sending(room)
    for _ in range(5):
        room.call, room.sent = call_of(RINGING), [FIRST]
        sent = await served_before_the_original_comes(room, second, late=5.5)
        await sent
    assert room.asked.count("withdraw AD_1") == 5
    assert not second.paused


@pytest.mark.looptime
async def test_of_several_sentinels_one_sends_it() -> None:
    room = Room()
    asked: list[str] = []

    async def once(key: str) -> bool:
        asked.append(key)
        return False

    @contextlib.asynccontextmanager
    async def line(_: str, __: float) -> AsyncIterator[Room]:
        yield room

    clock = asyncio.get_running_loop().time
    await SecondDispatches(line, room.view, once=once, clock=clock).send(WAITS, PLAN)
    assert (room.asked, asked) == ([], ["room:call-1"])
