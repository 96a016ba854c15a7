"""What a guard tells in its agent's attributes, and that telling it changes nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from onhook.incident import Mode
from onhook.jobguard.attributes import Attributes
from onhook.ladder import Ladder
from onhook.livekit.api import ServerApi
from onhook.livekit.attribute_names import GUARD, LADDER, RELEASED, RESCUE
from onhook.livekit.credentials import Credentials
from onhook.policy import Policy
from onhook.rungs import HangUp, Say, Transfer
from tests.fakes import ROOM, FakeLine, call_of, caller, hangs
from tests.jobguard.fakes import ConnectedRoom, FakeRoom, FakeSession, answered_room
from tests.jobguard.guarded import Guarded, raising, waits

pytestmark = pytest.mark.looptime

SOON = 0.5


class Marks(ServerApi):
    """Notes which legs are marked."""

    def __init__(self, takes: float = 0.0) -> None:
        super().__init__(Credentials("ws://127.0.0.1:1", "key", "secret"), timeout=1.0)
        self.made: list[tuple[str, str, str]] = []
        self.takes = takes

    async def mark(self, room: str, identity: str, attribute: str, value: str) -> None:
        assert room == ROOM
        await asyncio.sleep(self.takes)
        self.made.append((identity, attribute, value))


@contextlib.asynccontextmanager
async def following(
    room: FakeRoom,
    policy: Policy | None = None,
    mode: Mode = "act",
    marks: Marks | None = None,
) -> AsyncIterator[Attributes]:
    attributes = Attributes(
        room,  # type: ignore[arg-type]
        ROOM,
        policy or Policy(),
        mode,
        open_api=lambda: marks or Marks(),
    )
    task = asyncio.create_task(attributes.follow())
    try:
        yield attributes
    finally:
        task.cancel()
        await asyncio.wait({task})
        await attributes.aclose()


def told(room: ConnectedRoom) -> dict[str, str]:
    return dict(room.local_participant.attributes)


async def test_once_in_its_room_an_agent_tells_that_it_is_guarded_and_what_by() -> None:
    room = ConnectedRoom(connected=False)
    async with following(room):
        await asyncio.sleep(SOON)
        room.connects()
        room.local_participant.attributes = {"lk.agent.state": "listening", "lk.agent_name": "x"}
        room.emit("connection_state_changed")
        await asyncio.sleep(SOON)
        attributes = told(room)
        assert Ladder.from_json(attributes.pop(LADDER)) == Ladder.of(Policy().lost)
        assert attributes.pop(GUARD)
        assert attributes == {"lk.agent.state": "listening", "lk.agent_name": "x"}
        assert len(room.attempts) == 1, "its own change wakes it, and there is nothing more to say"
        room.emit("participant_attributes_changed")
        await asyncio.sleep(SOON)
        assert len(room.attempts) == 1


async def test_a_long_ladder_stays_away() -> None:
    room = ConnectedRoom()
    async with following(room, Policy(lost=[Say("word " * 1000), HangUp()])):
        await asyncio.sleep(SOON)
        assert set(told(room)) == {GUARD}


async def test_a_ladder_that_names_a_number_is_told_only_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = Policy(lost=[Transfer("tel:+15550100"), HangUp()])
    for word, names in (("", {GUARD}), ("on", {GUARD, LADDER})):
        monkeypatch.setenv("ONHOOK_ATTRIBUTES", word)
        room = ConnectedRoom()
        async with following(room, policy):
            await asyncio.sleep(SOON)
            assert set(told(room)) == names


@pytest.mark.parametrize(
    ("word", "names"),
    [("off", set()), ("no-ladder", {GUARD}), ("on", {GUARD, LADDER}), ("nonsense", set())],
)
async def test_the_environment_says_what_is_told(
    word: str, names: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONHOOK_ATTRIBUTES", word)
    room, marks = answered_room(), Marks()
    async with following(room, marks=marks) as attributes:
        await asyncio.sleep(SOON)
        assert set(told(room)) == names
        attributes.release("a machine takes over")
        await asyncio.sleep(SOON)
        assert set(told(room)) == (names | {RELEASED} if names else set())
        assert bool(marks.made) == bool(names)


async def test_who_only_observes_tells_only_what_the_agent_itself_says() -> None:
    room, marks = answered_room(), Marks()
    async with following(room, mode="observe", marks=marks) as attributes:
        await asyncio.sleep(SOON)
        assert room.attempts == []
        attributes.release("a machine takes over")
        await asyncio.sleep(SOON)
        assert told(room) == {RELEASED: "a machine takes over"}
        assert marks.made == [("sip_1", RELEASED, "a machine takes over")]


async def test_a_rescue_is_told_for_as_long_as_it_lasts() -> None:
    room = answered_room()
    line = FakeLine(call_of(caller()), says=[hangs])
    guarded = Guarded(line, Policy(lost=[Say(deadline=5.0), HangUp(deadline=4.0)]), room=room)
    running = guarded.start(raising(RuntimeError("x")))
    await asyncio.sleep(1.0)
    incident, seconds = told(room)[RESCUE].split(";")
    assert guarded.watch.faults
    assert incident
    assert 9.0 <= float(seconds) <= 20.0
    with pytest.raises(RuntimeError):
        await running
    await asyncio.sleep(SOON)
    assert guarded.watch.outcomes[0].incident == incident
    assert RESCUE not in told(room)
    await guarded.job.end()


async def test_soft_words_are_told_to_nobody() -> None:
    room = answered_room()
    guarded = Guarded(FakeLine(call_of(caller())), Policy(dead_air=4.0), room=room)
    session = guarded.job.session = FakeSession()
    guarded.start(waits)
    await asyncio.sleep(10)
    session.takes_turn()
    await asyncio.sleep(6)
    assert guarded.watch.faults, "soft words"
    assert not any(RESCUE in attempt for attempt in room.attempts[1:])
    await guarded.job.end()


async def test_callers_are_marked_in_the_background_and_the_jobs_end_waits_for_that() -> None:
    room, marks = answered_room(), Marks(takes=1.0)
    async with following(room, marks=marks) as attributes:
        before = asyncio.get_running_loop().time()
        attributes.release("r" * 900)
        assert asyncio.get_running_loop().time() == before
    assert marks.made == [("sip_1", RELEASED, "r" * 200)]


async def test_a_server_that_hangs_holds_no_job_back() -> None:
    room, marks = answered_room(), Marks(takes=1000.0)
    async with following(room, marks=marks) as attributes:
        attributes.release("done")
        before = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - before < 3.0
    assert marks.made == []


async def test_an_agent_that_is_heard_answers_for_callers_whom_another_had_left() -> None:
    room, marks = ConnectedRoom(), Marks()
    room.caller_is("active")
    room.remote_participants["sip_1"].attributes[RELEASED] = "another agent left"
    async with following(room, marks=marks):
        await asyncio.sleep(SOON)
        assert marks.made == [], "a scribe is no agent that answers for a caller"
        room.publishes()
        await asyncio.sleep(SOON)
        room.emit("participant_attributes_changed")
        await asyncio.sleep(SOON)
        assert marks.made == [("sip_1", RELEASED, "")], "once"


async def test_who_released_does_not_take_its_own_mark_away() -> None:
    room, marks = answered_room(), Marks()
    async with following(room, marks=marks) as attributes:
        attributes.release("done")
        room.remote_participants["sip_1"].attributes[RELEASED] = "done"
        room.emit("participant_attributes_changed")
        await asyncio.sleep(SOON)
        assert marks.made == [("sip_1", RELEASED, "done")]


async def test_after_another_join_all_is_told_again() -> None:
    room = ConnectedRoom()
    async with following(room):
        await asyncio.sleep(SOON)
        room.local_participant.attributes = {}
        room.emit("reconnected")
        await asyncio.sleep(SOON)
        assert set(told(room)) == {GUARD, LADDER}


async def test_a_refusal_is_told_once_and_is_tried_less_and_less_often(
    caplog: pytest.LogCaptureFixture,
) -> None:
    room = ConnectedRoom()
    room.refuses = Exception("does not have permission to update own metadata")
    async with following(room):
        await asyncio.sleep(600)
    assert caplog.text.count("The guard does all the rest") == 1
    assert 5 <= len(room.attempts) <= 20


async def test_a_server_that_ignores_them_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    room = ConnectedRoom()
    room.ignores = True
    async with following(room):
        for _ in range(8):
            await asyncio.sleep(2.0)
            room.emit("track_published")
    assert caplog.text.count("The guard does all the rest") == 1
    assert len(room.attempts) == 1


async def test_a_fault_of_ours_keeps_no_agent_from_running(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> str:
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr(Ladder, "to_json", broken)
    room = answered_room()
    line = FakeLine(call_of(caller()))
    guarded = Guarded(line, room=room)
    with caplog.at_level(logging.ERROR, "onhook"), pytest.raises(RuntimeError, match="x"):
        await guarded.start(raising(RuntimeError("x")))
    assert line.asked == ["say", "delete"]
    await guarded.job.end()
