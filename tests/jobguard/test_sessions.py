"""Which sessions are followed, and from when on."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any, cast

import pytest

from onhook.incident import Failure
from onhook.jobguard.detectors.sessions import Sessions
from onhook.jobguard.rescuer import Rescuer
from onhook.policy import Policy
from tests.jobguard.fakes import FakeSession, answered_room

pytestmark = pytest.mark.looptime


class FakeRescuer:
    """Is rescuing until it is told that the agent has recovered."""

    def __init__(self) -> None:
        self.state = SimpleNamespace(lost=True, over=True)
        self.observed = False
        self.recovered = asyncio.Event()
        self.softened: list[Failure] = []

    async def settled(self) -> None:
        await self.recovered.wait()

    async def soften(self, failure: Failure, settled: asyncio.Task[None]) -> None:
        self.softened.append(failure)
        settled.cancel()


@contextlib.asynccontextmanager
async def following(rescuer: FakeRescuer, lost: list[str]) -> Any:
    session = FakeSession()
    sessions = Sessions(
        cast(Any, answered_room()),
        cast(Rescuer, rescuer),
        Policy(dead_air=4.0),
        asyncio.get_running_loop().time,
        primary=lambda: cast(Any, session),
        lost=lost.append,
    )
    task = asyncio.create_task(sessions.follow())
    await asyncio.sleep(1.0)
    try:
        yield SimpleNamespace(session=session, task=task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_session_that_a_retry_has_started_is_followed() -> None:
    """It starts while the rescue that retries is still under way."""
    rescuer = FakeRescuer()
    async with following(rescuer, []) as it:
        assert not it.task.done()
        rescuer.state.lost = rescuer.state.over = False
        rescuer.recovered.set()
        await asyncio.sleep(1.0)
        it.session.takes_turn()
        await asyncio.sleep(4.5)
        assert [str(failure.fault) for failure in rescuer.softened] == ["llm.stalled"]


async def test_a_session_of_a_call_that_was_rescued_is_left() -> None:
    rescuer, lost = FakeRescuer(), list[str]()
    async with following(rescuer, lost) as it:
        rescuer.recovered.set()
        await asyncio.sleep(1.0)
        it.session.takes_turn()
        await asyncio.sleep(60)
        assert rescuer.softened == []
        assert lost == [], "it was not this session that was lost"
        assert not it.task.done()
