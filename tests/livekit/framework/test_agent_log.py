"""If a message changes, an agent's callback that raises is noticed by its silence only."""

from __future__ import annotations

import inspect
import logging

import pytest
from livekit.agents import Agent, AgentSession
from livekit.agents.utils.log import log_exceptions
from livekit.agents.voice import agent_activity, agent_session

from onhook.livekit.framework.agent_log import LOGGER, what_broke_the_turn


class Raises(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You greet.")

    async def on_enter(self) -> None:
        raise RuntimeError("the agent's own code")


async def test_an_on_enter_that_raises_is_logged_in_known_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    session: AgentSession[None] = AgentSession()
    await session.start(Raises())
    await session.aclose()
    told = [r for r in caplog.records if r.exc_info and r.name == LOGGER]
    assert [what_broke_the_turn(each.getMessage()) for each in told] == ["on_enter raised"]


async def test_a_coroutine_that_raises_is_named_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @log_exceptions(logger=logging.getLogger(LOGGER))
    async def _update_activity_task() -> None:
        raise RuntimeError("the next agent's own code")

    with pytest.raises(RuntimeError):
        await _update_activity_task()
    assert "handoff" in what_broke_the_turn(caplog.messages[-1])
    assert "def _update_activity_task" in inspect.getsource(agent_session)


def test_an_on_user_turn_completed_that_raises_is_logged_in_known_words() -> None:
    source = inspect.getsource(agent_activity)
    logged = [line for line in source.splitlines() if "logger.exception" in line]
    assert any("on_user_turn_completed" in what_broke_the_turn(line) for line in logged)
