"""What breaks when a session of livekit-agents tells in another way what it does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    Agent,
    AgentSession,
    function_tool,
    llm,
    stt,
    tts,
)
from livekit.agents.voice import SpeechHandle

from onhook.faults import Fault
from onhook.livekit.framework.session_internals import (
    RunningTool,
    detects_machines,
    error_of,
    is_closing,
    linked_identity,
    provider_error,
    running_tools,
    tells_of_tools,
    tool_update,
    turn_detection,
)

CAUSE = ConnectionError("gone")


class CallsTheTool(llm.LLM[Any]):
    """Calls the tool `book` once, and then has nothing to say."""

    called = False

    def chat(self, *, chat_ctx: Any, tools: Any = None, **_: Any) -> llm.LLMStream:
        return _Answer(
            self,
            chat_ctx=chat_ctx,
            tools=tools or [],
            conn_options=DEFAULT_API_CONNECT_OPTIONS,
        )


class _Answer(llm.LLMStream):
    async def _run(self) -> None:
        model = self._llm
        assert isinstance(model, CallsTheTool)
        if model.called:
            return
        model.called = True
        call = llm.FunctionToolCall(name="book", arguments="{}", call_id="c1")
        delta = llm.ChoiceDelta(role="assistant", tool_calls=[call])
        self._event_ch.send_nowait(llm.ChatChunk(id="1", delta=delta))


class Books(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You book tables.")
        self.began, self.may_end = asyncio.Event(), asyncio.Event()

    @function_tool
    async def book(self) -> None:
        """Book a table."""
        self.began.set()
        await self.may_end.wait()


async def test_a_tool_that_runs_is_known_by_its_event_or_its_task() -> None:
    """Else a tool is a silence like any other: words after `dead_air` and not `tool_limit`."""
    told: list[RunningTool | None] = []
    session: AgentSession[None] = AgentSession(llm=CallsTheTool())
    session.on("tool_execution_updated", lambda event: told.append(tool_update(event)))
    agent = Books()
    await session.start(agent)
    reply = session.generate_reply(user_input="a table for two")
    await asyncio.wait_for(agent.began.wait(), 5)
    if tells_of_tools():
        running = [tool for tool in told if tool is not None]
    else:
        running = list(running_tools())
        assert running[0].speech is reply
    assert [(tool.call_id, tool.name, tool.ended) for tool in running] == [("c1", "book", False)]
    agent.may_end.set()
    await asyncio.wait_for(reply.wait_for_playout(), 5)
    if tells_of_tools():
        assert told[-1] == RunningTool("c1", ended=True)
    assert not list(running_tools())
    await session.aclose()


async def test_a_session_that_begins_to_close_is_known_before_it_has() -> None:
    """Else a caller whose session is ended waits for its `close` event, for up to a minute."""
    session: AgentSession[None] = AgentSession()
    await session.start(Agent(instructions="."))
    assert not is_closing(session)
    session.shutdown()
    assert is_closing(session)
    await session.aclose()


async def test_a_session_without_a_room_listens_to_nobody_known() -> None:
    session: AgentSession[None] = AgentSession()
    assert linked_identity(session) is None
    assert not detects_machines(session)


async def test_turns_by_hand_are_known_of_agent_and_session() -> None:
    """Else a caller who dictates is taken for one who waits."""
    by_hand: AgentSession[None] = AgentSession(turn_detection="manual")
    assert turn_detection(by_hand, None) == "manual"
    own = Agent(instructions=".", turn_detection="vad")
    assert turn_detection(by_hand, own) == "vad"


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (llm.LLMError, Fault.LLM_FAILED),
        (llm.RealtimeModelError, Fault.LLM_FAILED),
        (stt.STTError, Fault.STT_FAILED),
        (tts.TTSError, Fault.TTS_FAILED),
    ],
)
def test_a_providers_error_is_known_by_its_type(kind: Any, fault: Fault) -> None:
    """Else an incident names the silence only, and not who is to blame."""
    error = kind(timestamp=1.0, label="x", error=CAUSE, recoverable=False)
    assert provider_error(error) == (fault, CAUSE)
    assert provider_error(CAUSE) is None


async def test_what_a_speech_ended_with_is_known_where_the_version_tells() -> None:
    speech = SpeechHandle.create()
    if not hasattr(speech, "exception"):
        speech._mark_done()
        assert error_of(speech) is None
        pytest.skip("this version of livekit-agents does not tell what a speech ended with")
    speech._mark_done(error=CAUSE)
    assert error_of(speech) is CAUSE
