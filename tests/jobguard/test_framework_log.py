"""What the framework only logs reaches the job that it belongs to, and no other."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from onhook.jobguard.detectors.framework_log import FrameworkLog

FRAMEWORK = logging.getLogger("livekit.agents")
ERROR = RuntimeError("the agent's own code")


def log(message: str, level: int = logging.ERROR) -> None:
    FRAMEWORK.log(level, message, exc_info=ERROR)


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        ("Error in _traceable_on_enter", "on_enter raised"),
        ("error in on_user_turn_completed", "on_user_turn_completed raised"),
        ("Error in _update_activity_task", "the handoff to another agent raised"),
        ("something else went wrong", ""),
    ],
)
async def test_an_exception_is_told_with_what_it_means(message: str, meaning: str) -> None:
    told: list[tuple[BaseException, str]] = []
    with FrameworkLog(lambda error, what: told.append((error, what))):
        log(message)
        FRAMEWORK.error("no exception in this one: _traceable_on_enter")
        log(message, logging.WARNING)
    log(message)
    assert told == [(ERROR, meaning)], "once: not without an exception, nor after the job"


async def test_another_jobs_log_in_the_same_process_is_none_of_ours() -> None:
    told: list[BaseException] = []

    async def elsewhere() -> None:
        log("Error in _traceable_on_enter")

    with FrameworkLog(lambda error, _: told.append(error)):
        for work in (lambda: asyncio.run(elsewhere()), lambda: log("on_user_turn_completed")):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
    assert told == []


async def test_a_listener_that_raises_does_not_disturb_who_logs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)

    def broken(error: BaseException, _: str) -> None:
        raise ValueError("a bug of ours")

    with FrameworkLog(broken):
        log("Error in _traceable_on_enter")
