"""What is due to a caller, from the speeches, tools and handoffs of a session."""

from __future__ import annotations

import asyncio

import pytest
from livekit.agents.llm import FunctionCall
from livekit.agents.voice.events import ToolCallEnded, ToolCallStarted

from onhook.jobguard.silence.conversation import Conversation
from onhook.jobguard.silence.silence_limits import Silence, SilenceLimits
from onhook.policy import Policy
from tests.jobguard.fakes import FakeSpeech

pytestmark = pytest.mark.looptime


def now() -> float:
    return asyncio.get_running_loop().time()


def conversation_of() -> Conversation:
    return Conversation(SilenceLimits(Policy()), now)


def speaks(conversation: Conversation, seconds: float = 1.0, *, audible: bool = True) -> None:
    conversation.agent_sends(now(), seconds, audible=audible)
    conversation.agent_is_done()


async def test_a_greeting_that_hangs_is_due_from_its_creation() -> None:
    conversation, greeting = conversation_of(), FakeSpeech()
    await asyncio.sleep(2)
    conversation.speech_began(greeting.handle, said=False)
    await asyncio.sleep(5)
    assert conversation.silence(transcribed=True) == Silence(2.0)
    assert conversation.work.speaking
    greeting.ends(interrupted=True)
    assert conversation.silence(transcribed=True) is None, "the caller cut in: it is their turn"


async def test_said_words_that_nobody_heard_are_an_answer_that_is_due() -> None:
    conversation, words = conversation_of(), FakeSpeech()
    speaks(conversation)
    await asyncio.sleep(10)
    conversation.speech_began(words.handle, said=True)
    await asyncio.sleep(1)
    words.ends()
    assert conversation.answered
    assert conversation.silence(transcribed=True) == Silence(10.0)


async def test_said_words_that_were_heard_leave_nothing_due() -> None:
    conversation, words = conversation_of(), FakeSpeech()
    await asyncio.sleep(1)
    conversation.speech_began(words.handle, said=True)
    speaks(conversation)
    words.ends()
    await asyncio.sleep(60)
    assert conversation.silence(transcribed=True) is None


async def test_an_empty_reply_of_the_model_later_in_a_call_is_due_to_nobody() -> None:
    conversation, reply = conversation_of(), FakeSpeech()
    speaks(conversation)
    await asyncio.sleep(10)
    conversation.speech_began(reply.handle, said=False)
    reply.ends()
    assert conversation.silence(transcribed=True) is None


@pytest.mark.parametrize("told", [True, False])
async def test_a_tool_is_known_and_whether_the_caller_was_told(told: bool) -> None:
    conversation = conversation_of()
    await asyncio.sleep(1)
    conversation.understood(whole=True)
    call = FunctionCall(call_id="c1", name="book", arguments="{}")
    conversation.tool_updated(ToolCallStarted(function_call=call))
    if told:
        speaks(conversation)
    await asyncio.sleep(5)
    since = 2.0 if told else 1.0
    assert conversation.silence(transcribed=True) == Silence(since, tools=True, told=told)
    conversation.answered = True
    conversation.tool_updated(ToolCallEnded(id="c1", call_id="c1", status="done"))
    assert not conversation.work.tools
    assert not conversation.answered, "that was the tool's call, and no answer"


async def test_an_agent_that_enters_is_silent_until_it_is_heard_or_need_not_speak() -> None:
    conversation = conversation_of()
    await asyncio.sleep(3)
    conversation.agent_entered()
    assert conversation.silence(transcribed=True) == Silence(3.0, "entry")
    conversation.entry_is_over()
    assert conversation.silence(transcribed=True) is None
    conversation.agent_entered()
    speaks(conversation)
    await asyncio.sleep(60)
    assert conversation.silence(transcribed=True) is None


async def test_what_raised_with_a_meaning_makes_an_answer_due() -> None:
    conversation, error = conversation_of(), RuntimeError("x")
    await asyncio.sleep(1)
    conversation.complained(error, "")
    assert conversation.silence(transcribed=True) is None
    conversation.complained(error, "on_enter raised")
    assert conversation.raised == (error, "on_enter raised RuntimeError('x')")
    assert conversation.silence(transcribed=True) == Silence(1.0)
    speaks(conversation)
    assert conversation.raised is None


async def test_where_nobody_is_nothing_is_due() -> None:
    conversation, speech = conversation_of(), FakeSpeech()
    conversation.speech_began(speech.handle, said=True)
    conversation.understood(whole=True)
    conversation.nobody_waits()
    speech.ends()
    assert conversation.silence(transcribed=True) is None
    assert not conversation.work.speaking


async def test_an_answer_that_was_due_before_a_hold_is_due_from_its_end() -> None:
    conversation = conversation_of()
    await asyncio.sleep(1)
    conversation.understood(whole=True)
    let_go = conversation.hold("a", now() + 100)
    await asyncio.sleep(20)
    assert conversation.patience.until(Silence(1.0)) == 101.0
    let_go()
    assert conversation.silence(transcribed=True) == Silence(21.0)
