"""A job without a server: what the guard reads of a `JobContext`, and a room that tells changes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

from livekit import rtc
from livekit.agents import JobContext

from onhook.line import Line
from onhook.types import Call

ROOM = "call-1"
AGENT = "agent-1"


class FakeRoom(rtc.EventEmitter[str]):
    """Not connected, as long as a job has not called `connect()`."""

    name = ROOM
    connection_state = rtc.ConnectionState.CONN_DISCONNECTED

    def isconnected(self) -> bool:
        return False


class FakeJob:
    """Stands in for `JobContext`."""

    def __init__(self) -> None:
        self.room = FakeRoom()
        self.job = SimpleNamespace(id="AJ_1", room=SimpleNamespace(name=ROOM))
        self.local_participant_identity = AGENT
        self.callbacks: list[Callable[[str], Awaitable[None]]] = []
        self.shutdowns: list[str] = []
        self.fake = False

    @property
    def primary_session(self) -> Any:
        raise RuntimeError("No AgentSession was started for this job")

    @property
    def ctx(self) -> JobContext:
        return cast(JobContext, self)

    def is_fake_job(self) -> bool:
        return self.fake

    def add_shutdown_callback(self, callback: Callable[[str], Awaitable[None]]) -> None:
        assert callback.__code__.co_argcount == 1
        self.callbacks.append(callback)

    def shutdown(self, reason: str = "user requested") -> None:
        self.shutdowns.append(reason)

    async def end(self, reason: str = "room disconnected") -> None:
        """End the job as livekit-agents does: run the shutdown callbacks."""
        for callback in self.callbacks:
            await callback(reason)


def opening(line: Line) -> Callable[[], contextlib.AbstractAsyncContextManager[Line]]:
    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Line]:
        yield line

    return opened


def empty_call() -> Call:
    return Call(ROOM, agent=AGENT, job="AJ_1")
