"""What breaks when a job of livekit-agents keeps its end, or its session, elsewhere."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from livekit import api, rtc
from livekit.agents import AgentServer, AgentSession, JobContext, JobExecutorType
from livekit.agents.ipc import job_proc_lazy_main
from livekit.agents.ipc.proto import InitializeRequest, StartJobRequest
from livekit.agents.job import JobAcceptArguments, RunningJobInfo
from livekit.protocol.agent import Job
from livekit.protocol.models import Room

from onhook.livekit.framework import versions
from onhook.livekit.framework.job_internals import (
    agent_identity,
    came_through_start,
    is_by_parent,
    is_by_worker,
    primary_session,
    serves,
    shutdown_reason,
)


class JobProcess(job_proc_lazy_main._JobProc):
    """The framework's own; only the job's task does nothing."""

    async def _run_job_task(self) -> None:
        await asyncio.Event().wait()


async def nothing(_: Any) -> None:
    """Stand in for the entrypoint."""


@pytest.fixture
async def process() -> AsyncIterator[Any]:
    known = inspect.signature(job_proc_lazy_main._JobProc).parameters
    more: dict[str, Any] = {"session_end_timeout": 1.0} if "session_end_timeout" in known else {}
    made: Any = JobProcess(
        lambda _: None, nothing, None, executor_type=JobExecutorType.PROCESS, **more
    )
    made.initialize(InitializeRequest(), cast(Any, None))
    made._exit_proc_flag = asyncio.Event()
    made._shutdown_fut = asyncio.get_running_loop().create_future()
    info = RunningJobInfo(
        accept_arguments=JobAcceptArguments(name="", identity="agent-1", metadata=""),
        job=Job(id="AJ_1", room=Room(name="call-1")),
        url="ws://127.0.0.1:1",
        token="",
        worker_id="AW_1",
        fake_job=False,
    )
    request = StartJobRequest()
    request.running_job = info
    made._start_job(request)
    yield made
    made._job_task.cancel()
    await asyncio.gather(made._job_task, return_exceptions=True)
    made._job_ctx._tempdir.cleanup()


async def test_the_end_of_a_job_is_known_at_its_first_moment(process: Any) -> None:
    """Else a caller waits for the session to close, which may take a minute, before any words."""
    ctx: JobContext = process._job_ctx
    assert shutdown_reason(ctx) is None
    ctx.shutdown("the agent is done")
    assert shutdown_reason(ctx) == "the agent is done"
    assert not is_by_worker("the agent is done")


@pytest.mark.parametrize("given", ["", "parent process shutdown"])
async def test_a_worker_that_ends_its_job_is_known(process: Any, given: str) -> None:
    process._shutdown_fut.set_result(job_proc_lazy_main._ShutdownInfo(False, given))
    assert is_by_parent(shutdown_reason(process._job_ctx))


async def test_a_room_that_is_gone_ends_the_job_by_the_worker(process: Any) -> None:
    room: rtc.Room = process._room
    room.emit("disconnected", "ROOM_DELETED")
    reason = shutdown_reason(process._job_ctx)
    assert reason is not None
    assert is_by_worker(reason)


async def test_the_agents_identity_is_that_of_its_token_also_where_that_is_kept_elsewhere(
    process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "s" * 32)
    for identity in ("agent-AJ_1", "Ä-1", "x" * 7):
        process._job_ctx._info.token = (
            api.AccessToken().with_identity(identity).with_grants(api.VideoGrants()).to_jwt()
        )
        assert agent_identity(process._job_ctx) == identity
        assert process._job_ctx.local_participant_identity == identity
    elsewhere: Any = SimpleNamespace(local_participant_identity="agent-2")
    assert agent_identity(elsewhere) == "agent-2"


async def test_a_job_that_keeps_its_end_elsewhere_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    versions.tell_once.cache_clear()
    for _ in range(2):
        assert shutdown_reason(cast(Any, object())) is None
        assert primary_session(cast(Any, object())) is None
        assert not serves(cast(Any, object()), print)
    assert caplog.text.count("the end of a job is noticed only when") == 1
    assert caplog.text.count("only sessions given to onhook.watch") == 1
    assert caplog.text.count("above @rtc_session is not refused") == 1


async def test_a_plain_function_is_taken_for_a_shutdown_callback(process: Any) -> None:
    """The guard's own is one; else no end of a job would be a rescue."""

    async def ends(reason: str) -> None:
        """Be told."""

    process._job_ctx.add_shutdown_callback(ends)
    assert process._job_ctx._shutdown_callbacks == [ends]


async def test_a_job_without_a_session_has_none(process: Any) -> None:
    assert primary_session(process._job_ctx) is None


async def test_an_exception_of_start_is_told_from_others() -> None:
    """Else it is an entrypoint that raised: the same rescue under another name."""
    with pytest.raises(Exception) as of_start:  # noqa: PT011 - whatever the framework raises
        await AgentSession[None]().start(cast(Any, None))
    assert came_through_start(of_start.value)
    with pytest.raises(ValueError, match="odd") as other:
        raise ValueError("odd")
    assert not came_through_start(other.value)


def test_what_a_server_serves_is_known() -> None:
    """Else `@onhook.guard` above `@rtc_session` is not refused, and guards nobody."""
    server = AgentServer()
    server.rtc_session()(nothing)
    assert serves(server, nothing)
    assert not serves(server, print)
