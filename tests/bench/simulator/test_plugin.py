"""The real livekit-plugins-openai against the simulator: what is right, and every fault."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, APIStatusError, function_tool
from livekit.agents.llm import ChatContext, CollectedResponse
from livekit.plugins import openai

from onhook.bench.simulator import Endpoint, ProviderFault, Script, Simulator, ToolCall
from onhook.bench.simulator.speech import speak

ONCE = APIConnectOptions(max_retry=0, timeout=5.0)
STALLS = 1.0
FORMS = ["mp3", "wav", "pcm", "flac", "opus", "aac"]


@asynccontextmanager
async def client(kind: Any, simulator: Simulator, **options: Any) -> AsyncIterator[Any]:
    made = kind(base_url=simulator.base_url, api_key=simulator.api_key, **options)
    try:
        yield made
    finally:
        await made.aclose()
        await made._client.close()  # the plugin leaves its connections open


@function_tool
async def book(guests: int) -> str:
    """Book a table."""
    return f"booked for {guests}"


async def chat(simulator: Simulator, **options: Any) -> CollectedResponse:
    context = ChatContext.empty()
    context.add_message(role="user", content="A table, please.")
    async with client(openai.LLM, simulator) as llm:
        stream = llm.chat(chat_ctx=context, conn_options=ONCE, **options)
        answer: CollectedResponse = await stream.collect()
        return answer


async def speech(simulator: Simulator, **options: Any) -> rtc.AudioFrame:
    async with client(openai.TTS, simulator, **options) as tts:
        frame: rtc.AudioFrame = await tts.synthesize("One moment.", conn_options=ONCE).collect()
        return frame


async def words(text: str = "A table for two.") -> rtc.AudioFrame:
    samples = await speak(text, 16000)
    return rtc.AudioFrame(samples.tobytes(), 16000, 1, len(samples))


async def transcribe(simulator: Simulator, audio: rtc.AudioFrame | None = None) -> str:
    async with client(openai.STT, simulator) as stt:
        event = await stt.recognize(audio or await words(), conn_options=ONCE)
        return str(event.alternatives[0].text)


ASKS: dict[Endpoint, Callable[[Simulator], Awaitable[object]]] = {
    Endpoint.CHAT: chat,
    Endpoint.SPEECH: speech,
    Endpoint.TRANSCRIPTIONS: transcribe,
}


def loudest(frame: rtc.AudioFrame) -> int:
    return int(np.abs(np.frombuffer(frame.data, np.int16)).max(initial=0))


async def test_the_model_answers_its_script_word_by_word() -> None:
    async with Simulator(Script(answers=("First it is.", "Then this."))) as simulator:
        assert [(await chat(simulator)).text for _ in range(3)] == [
            *("First it is.", "Then this."),
            "Then this.",
        ]
        answer = await chat(simulator)
        assert answer.usage is not None
        assert simulator.requests[0].text == "A table, please."
        assert simulator.requests[0].model == "gpt-4.1"


async def test_the_model_asks_for_a_tool() -> None:
    script = Script(answers=(ToolCall("book", {"guests": 2}), "It is booked."))
    async with Simulator(script) as simulator:
        [call] = (await chat(simulator, tools=[book])).tool_calls
        assert (call.name, call.arguments) == ("book", '{"guests": 2}')
        assert (await chat(simulator, tools=[book])).text == "It is booked."


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("model", ["gpt-4o-mini-tts", "tts-1"])
async def test_speech_is_audible_in_every_form(simulator: Simulator, form: str, model: str) -> None:
    frame = await speech(simulator, response_format=form, model=model)
    assert frame.sample_rate == 24000
    assert 0.4 < frame.duration < 1.6
    assert loudest(frame) > 3000


async def test_speech_is_understood_and_silence_is_not(simulator: Simulator) -> None:
    assert await transcribe(simulator) == "I would like a table for two please."
    silence = rtc.AudioFrame.create(16000, 1, 16000)
    assert await transcribe(simulator, silence) == ""
    spoken, silent = simulator.requests
    assert spoken.level is not None
    assert silent.level is not None
    assert spoken.level > -30 > -100 > silent.level


@pytest.mark.parametrize("endpoint", list(Endpoint))
@pytest.mark.parametrize("status", [401, 429, 500])
async def test_an_error_is_the_error_of_the_plugin(
    simulator: Simulator, endpoint: Endpoint, status: int
) -> None:
    simulator.fail_next(endpoint, ProviderFault.error(status))
    with pytest.raises(APIStatusError) as caught:
        await ASKS[endpoint](simulator)
    assert caught.value.status_code == status
    assert caught.value.request_id == simulator.requests[0].id
    await ASKS[endpoint](simulator)  # the next request is as ever
    assert [ask.fault for ask in simulator.requests] == ["status", ""]


@pytest.mark.parametrize("endpoint", list(Endpoint))
async def test_refused_and_back_again(simulator: Simulator, endpoint: Endpoint) -> None:
    await ASKS[endpoint](simulator)
    url = simulator.base_url
    await simulator.refuse()
    with pytest.raises(APIConnectionError):
        await ASKS[endpoint](simulator)
    await simulator.listen()
    assert simulator.base_url == url
    await ASKS[endpoint](simulator)


@pytest.mark.parametrize("endpoint", list(Endpoint))
async def test_slow_headers(simulator: Simulator, endpoint: Endpoint) -> None:
    simulator.fail_next(endpoint, ProviderFault.slow(0.5))
    began = time.monotonic()
    await ASKS[endpoint](simulator)
    assert time.monotonic() - began >= 0.5


@pytest.mark.parametrize(
    ("endpoint", "fault"),
    [
        *((endpoint, ProviderFault.stall()) for endpoint in Endpoint),
        *((endpoint, ProviderFault.stall(bytes=10)) for endpoint in Endpoint),
        (Endpoint.CHAT, ProviderFault.stall(2)),
        (Endpoint.SPEECH, ProviderFault.stall(2)),
    ],
)
async def test_a_stall_has_no_end(
    simulator: Simulator, endpoint: Endpoint, fault: ProviderFault
) -> None:
    simulator.fail_next(endpoint, fault)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(STALLS):
            await ASKS[endpoint](simulator)


async def test_a_stall_in_mid_answer_comes_after_so_many_words(simulator: Simulator) -> None:
    simulator.fail_next(Endpoint.CHAT, ProviderFault.stall(3))
    async with (
        client(openai.LLM, simulator) as llm,
        llm.chat(chat_ctx=ChatContext.empty(), conn_options=ONCE) as stream,
    ):
        got = [(await anext(stream)).delta.content for _ in range(2)]
        assert got == ["Certainly, ", "a "]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), STALLS)


@pytest.mark.parametrize("endpoint", list(Endpoint))
async def test_a_reset_in_mid_stream(simulator: Simulator, endpoint: Endpoint) -> None:
    simulator.fail_next(endpoint, ProviderFault.reset(bytes=300))
    if endpoint is Endpoint.TRANSCRIPTIONS:
        simulator.heal()
        simulator.fail_next(endpoint, ProviderFault.reset(bytes=5))
    with pytest.raises(APIConnectionError):
        await ASKS[endpoint](simulator)


async def test_empty_successes(simulator: Simulator) -> None:
    for endpoint in Endpoint:
        simulator.fail(endpoint, ProviderFault.empty())
    assert (await chat(simulator)).text == ""
    assert await transcribe(simulator) == ""
    with pytest.raises(Exception, match="no audio frames"):
        await speech(simulator)


async def test_audio_of_zeros_is_as_long_as_the_speech(simulator: Simulator) -> None:
    simulator.fail_next(Endpoint.SPEECH, ProviderFault.mute())
    mute, spoken = await speech(simulator), await speech(simulator)
    assert loudest(mute) == 0
    assert mute.duration == pytest.approx(spoken.duration, abs=0.1)


@pytest.mark.parametrize("endpoint", list(Endpoint))
async def test_what_cannot_be_parsed_is_an_error(simulator: Simulator, endpoint: Endpoint) -> None:
    simulator.fail_next(endpoint, ProviderFault.malformed())
    with pytest.raises(Exception):  # noqa: B017, PT011 - which one is the plugin's affair
        await ASKS[endpoint](simulator)


async def test_the_wrong_rate_is_heard_as_another_voice(simulator: Simulator) -> None:
    simulator.fail_next(Endpoint.SPEECH, ProviderFault.wrong_rate(8000))
    wrong = await speech(simulator, response_format="pcm")
    right = await speech(simulator, response_format="pcm")
    assert wrong.duration == pytest.approx(right.duration / 3, rel=0.1)
