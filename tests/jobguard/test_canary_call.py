"""A canary is answered in the agent's place, and nothing of the agent's runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from livekit.agents import AutoSubscribe

import onhook
from onhook.jobguard.canary_call import is_canary
from onhook.jobguard.decorator import guard
from onhook.livekit.attribute_names import GUARD
from onhook.takeover import CANARY, CANARY_ROOM
from tests.jobguard.fakes import ConnectedRoom, FakeJob

pytestmark = pytest.mark.looptime


class CanaryJob(FakeJob):
    def __init__(self, fails: Exception | None = None) -> None:
        super().__init__()
        self.room: ConnectedRoom = ConnectedRoom(connected=False)
        self.job.room.name = f"{CANARY_ROOM}1"
        self.job.attributes = {CANARY: "1"}
        self.subscribes: list[Any] = []
        self.fails = fails

    async def connect(self, *, auto_subscribe: AutoSubscribe) -> None:
        self.subscribes.append(auto_subscribe)
        if self.fails is not None:
            raise self.fails
        self.room.connects()


async def guarded(job: FakeJob) -> list[str]:
    ran: list[str] = []

    async def entrypoint(_: Any) -> None:
        ran.append("ran")

    await guard(entrypoint)(job.ctx)
    return ran


async def test_it_is_seen_in_the_room_until_that_is_deleted() -> None:
    job = CanaryJob()

    async def deletes() -> None:
        await asyncio.sleep(0.7)
        job.room.connected = False
        job.room.emit("connection_state_changed")

    deleting = asyncio.create_task(deletes())
    assert await guarded(job) == []
    await deleting
    assert asyncio.get_running_loop().time() == pytest.approx(0.7, abs=0.05)
    assert job.subscribes == [AutoSubscribe.SUBSCRIBE_NONE]
    assert set(job.room.local_participant.attributes) == {GUARD}, "a guard has answered"
    assert job.shutdowns == ["the canary was answered"]


async def test_a_room_that_nobody_deletes_is_left() -> None:
    job = CanaryJob()
    assert await guarded(job) == []
    assert asyncio.get_running_loop().time() == pytest.approx(15.0, abs=0.1)
    assert len(job.shutdowns) == 1


async def test_a_room_that_cannot_be_joined_ends_the_job(caplog: pytest.LogCaptureFixture) -> None:
    job = CanaryJob(Exception("room is gone"))
    assert await guarded(job) == []
    assert len(job.shutdowns) == 1
    assert "could not be answered" in caplog.text


async def test_guards_that_are_off_answer_too() -> None:
    onhook.set_active(False)
    try:
        job = CanaryJob(Exception("room is gone"))
        assert await guarded(job) == []
    finally:
        onhook.set_active(None)


async def test_both_the_dispatch_and_the_room_must_say_so() -> None:
    job = CanaryJob()
    job.job.room.name = "call-1"
    assert not is_canary(job.ctx)
    job = CanaryJob()
    job.job.attributes = {}
    assert not is_canary(job.ctx)
    assert is_canary(CanaryJob().ctx)
