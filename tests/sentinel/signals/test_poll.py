from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from livekit.protocol.models import ParticipantInfo, Room
from livekit.protocol.room import ListParticipantsResponse, ListRoomsResponse

from onhook.call import LegKind
from onhook.errors import ApiError
from onhook.livekit import ServerApi
from onhook.sentinel.sightings import MembersListed, RoomSeen, RoomsListed, Sighting
from onhook.sentinel.signals.budget import Budget, Use
from onhook.sentinel.signals.poll import Poll
from tests.livekit.twirp import error, says, twirp


def failure(code: str = "transport") -> ApiError:
    return ApiError(f"scripted {code}", code=code, passing=True)


@dataclass
class Server:
    """Answers from its books; what is in `failing` is not answered."""

    rooms_there: Sequence[str] = ("a", "b")
    people: dict[str, list[ParticipantInfo]] = field(default_factory=dict)
    failing: dict[str, ApiError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    takes: float = 0.0
    now: float = 0.0

    async def rooms(self) -> Sequence[Room]:
        await self._answer("*")
        return [Room(name=name, sid=f"RM_{name}", num_participants=1) for name in self.rooms_there]

    async def participants(self, room: str) -> Sequence[ParticipantInfo]:
        await self._answer(room)
        return self.people.get(room, [])

    async def _answer(self, name: str) -> None:
        self.asked.append(name)
        self.now += self.takes
        await asyncio.sleep(0)
        if name in self.failing:
            raise self.failing[name]

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@dataclass
class Polled:
    server: Server = field(default_factory=Server)
    wanted: list[str] = field(default_factory=list)
    between: list[str] = field(default_factory=list)
    overdue: tuple[str, ...] = ()
    seen: list[Sighting] = field(default_factory=list)
    per_minute: int = 300
    leads: Callable[[], bool] = lambda: True

    @property
    def failing_since(self) -> float | None:
        return self.poll.failing_since

    def __post_init__(self) -> None:
        self.budget = Budget(self.per_minute, clock=self.server.clock)
        self.poll = Poll(
            self.server,
            self.seen.append,
            lambda: self.wanted,
            self.budget,
            between=lambda: self.between,
            overdue=lambda room: room in self.overdue,
            leads=self._leads,
            clock=self.server.clock,
            sleep=self.server.sleep,
        )

    def _leads(self) -> bool:
        return self.leads()

    async def run(self, seconds: float) -> None:
        """Let it poll for some seconds of its own clock."""
        end = self.server.now + seconds
        task = asyncio.create_task(self.poll.run())
        while self.server.now < end:  # noqa: ASYNC110 - its clock runs while it sleeps
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_all_rooms_are_listed_and_then_who_is_in_those_that_are_wanted() -> None:
    polled = Polled(wanted=["b", "nowhere", "b"])
    gone = ParticipantInfo(sid="PA_0", identity="x", state=ParticipantInfo.State.DISCONNECTED)
    caller = ParticipantInfo(sid="PA_1", identity="sip_1", kind=ParticipantInfo.Kind.SIP, version=4)
    hidden = ParticipantInfo(sid="PA_2", identity="ear")
    hidden.permission.hidden = True
    polled.server.people["b"] = [gone, caller, hidden]
    polled.server.now = 5.0
    assert await polled.poll.once()
    rooms, here, nowhere = polled.seen
    assert rooms == RoomsListed(
        5.0,
        (
            RoomSeen("a", "RM_a", members=1, publishers=0),
            RoomSeen("b", "RM_b", members=1, publishers=0),
        ),
    )
    assert isinstance(here, MembersListed)
    assert [(m.sid, m.version, m.leg.kind) for m in here.members] == [
        ("PA_1", 4, LegKind.CALLER),
        ("PA_2", 0, LegKind.OTHER),
    ]
    assert nowhere == MembersListed("nowhere", 5.0, ())
    assert polled.server.asked == ["*", "b", "nowhere"]
    assert polled.budget.spent == {Use.ROOMS: 1, Use.MEMBERS: 2}
    assert polled.poll.listed_at == 5.0


async def test_the_rooms_are_asked_for_each_period_and_the_question_bears_its_own_time() -> None:
    polled = Polled(server=Server(takes=0.25))
    await polled.run(10)
    asked = [s.asked for s in polled.seen if isinstance(s, RoomsListed)]
    assert asked[:4] == [0.0, 2.0, 4.0, 6.0]


async def test_those_that_are_wanted_between_two_lists_are_asked_for_half_way() -> None:
    polled = Polled(wanted=["a", "b"], between=["b"])
    await polled.run(3.5)
    assert [(s.room, s.asked) for s in polled.seen if isinstance(s, MembersListed)] == [
        *(("a", 0.0), ("b", 0.0), ("b", 1.0)),
        *(("a", 2.0), ("b", 2.0), ("b", 3.0)),
    ]
    polled.server.failing["b"] = failure()
    await polled.run(1.0)
    assert polled.failing_since == 4.0, "a failure half-way is no round that failed"


async def test_a_caller_who_waits_for_a_list_is_listed_although_rescues_took_all() -> None:
    polled = Polled(wanted=["waits", "well"], overdue=("waits",))
    polled.budget.spend(Use.RESCUE, 200)
    await polled.poll.once()
    assert polled.server.asked == ["*", "waits"]
    assert polled.budget.spent[Use.RESCUE] == 201


async def test_a_server_that_is_slow_is_not_asked_half_way_too() -> None:
    polled = Polled(server=Server(takes=0.6), wanted=["a"], between=["a"])
    await polled.run(3.9)
    assert polled.server.asked == ["*", "a", "*", "a"]


async def test_of_several_sentinels_one_asks_and_the_next_one_soon_when_it_leads() -> None:
    polled = Polled()
    polled.leads = lambda: polled.server.now >= 5.1
    await polled.run(10)
    asked = [s.asked for s in polled.seen if isinstance(s, RoomsListed)]
    assert asked[0] == pytest.approx(5.2)
    assert asked[1:3] == pytest.approx([7.2, 9.2])


async def test_the_most_urgent_come_first_where_the_budget_is_short() -> None:
    polled = Polled(wanted=[str(n) for n in range(500)], per_minute=120)
    await polled.poll.once()
    first = [s.room for s in polled.seen if isinstance(s, MembersListed)]
    assert first == [str(n) for n in range(len(first))]
    assert 10 < len(first) < 24
    await polled.run(60)
    assert polled.budget.spent[Use.ROOMS] >= 30  # never starved
    assert polled.budget.spent.total() <= 120 + 31
    assert polled.budget.left >= 8  # nor what a rescue needs


async def test_no_question_is_begun_after_the_round_is_over() -> None:
    polled = Polled(server=Server(takes=0.5), wanted=[str(n) for n in range(100)])
    assert await polled.poll.once(until=3.0)
    assert len(polled.server.asked) == 6
    assert len(polled.seen) == 6


@pytest.mark.parametrize("code", ["transport", "timeout", "internal", "malformed", "not_found"])
async def test_of_a_failed_list_nothing_is_told(code: str) -> None:
    polled = Polled(wanted=["a"])
    polled.server.failing["*"] = failure(code)
    polled.server.now = 7.0
    assert not await polled.poll.once()
    assert polled.seen == []
    assert polled.server.asked == ["*"]
    assert (polled.failing_since,) == (7.0,)
    polled.server.failing.clear()
    assert await polled.poll.once()
    assert polled.failing_since is None
    assert [type(s) for s in polled.seen] == [RoomsListed, MembersListed]


async def test_one_room_that_cannot_be_listed_keeps_no_other_from_it() -> None:
    polled = Polled(wanted=["ghost", "hung", "a", "b"])
    polled.server.failing = {"ghost": failure("internal"), "hung": failure("timeout")}
    for _ in range(3):
        assert await polled.poll.once()
    listed = [s.room for s in polled.seen if isinstance(s, MembersListed)]
    assert listed == ["a", "b"] * 3
    assert polled.failing_since is None


async def test_a_server_that_is_gone_is_not_asked_for_room_after_room() -> None:
    wanted = [str(n) for n in range(200)]
    polled = Polled(wanted=wanted)
    polled.server.failing = {room: failure() for room in wanted}
    assert not await polled.poll.once()
    assert len(polled.server.asked) <= 9
    assert polled.failing_since == 0.0


async def test_a_server_that_fails_is_asked_more_rarely_and_found_again_soon(
    caplog: pytest.LogCaptureFixture,
) -> None:
    polled = Polled()
    polled.server.failing["*"] = failure()
    with caplog.at_level(logging.WARNING, "onhook"):
        await polled.run(120)
        assert 120 / 8 <= len(polled.server.asked) <= 120 / 8 + 4
        polled.server.failing.clear()
        await polled.run(9)
    assert polled.failing_since is None
    assert len(polled.seen) >= 1
    assert len(caplog.records) == 2  # one when it began, one when it ended


async def test_a_server_that_wants_fewer_requests_gets_fewer() -> None:
    polled = Polled(wanted=["a", "b"])
    polled.server.failing["a"] = failure("resource_exhausted")
    assert not await polled.poll.once()
    assert not polled.budget.spend(Use.PROBE)
    assert polled.budget.spend(Use.RESCUE)
    polled.server.failing["*"] = failure("resource_exhausted")
    polled.server.asked.clear()
    await polled.run(600)
    assert 10 <= len(polled.server.asked) <= 16
    polled.server.failing.clear()
    await polled.run(61)
    assert polled.failing_since is None


async def test_who_cannot_take_a_sighting_does_not_end_the_poll(
    caplog: pytest.LogCaptureFixture,
) -> None:
    polled = Polled()
    broken = Poll(
        polled.server,
        lambda _: 1 / 0,  # type: ignore[arg-type]
        list,
        polled.budget,
        clock=polled.server.clock,
        sleep=polled.server.sleep,
    )
    polled.poll = broken
    await polled.run(5)
    assert polled.server.asked == ["*"] * 3
    assert "ZeroDivisionError" in caplog.text


async def test_with_the_api_client_a_half_answer_is_none() -> None:
    async def half() -> web.Response:
        body = ListRoomsResponse(rooms=[Room(name="a", sid="RM_a")]).SerializeToString()
        return web.Response(body=body[:-2], content_type="application/protobuf")

    rooms = says(ListRoomsResponse(rooms=[Room(name="a", sid="RM_a", num_participants=2)]))
    people = says(ListParticipantsResponse(participants=[ParticipantInfo(sid="P", identity="x")]))
    seen: list[Sighting] = []
    async with (
        twirp(ListRooms=[half, error(429, "x"), rooms], ListParticipants=[people]) as server,
        ServerApi(server.credentials, timeout=1.0) as api,
    ):
        poll = Poll(api, seen.append, lambda: ["a"], Budget(300))
        assert not await poll.once()
        assert not await poll.once()
        assert seen == []
        assert await poll.once()
    assert [type(s) for s in seen] == [RoomsListed, MembersListed]
