"""Through the real openai plugin: the first provider fails in every way, the second answers."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from livekit.agents import APIError, function_tool
from livekit.agents.llm import ChatContext
from prometheus_client import REGISTRY

from onhook.bench.simulator import Endpoint, ProviderFault, Script, ToolCall
from tests.fallback.pair import (
    BETWEEN,
    DEAD_AIR,
    DEADLINE,
    FIRST,
    HEARD_FIRST,
    HEARD_SECOND,
    OWN,
    SECOND,
    SENTENCE,
    Pair,
    answer,
    loud_seconds,
    sound,
    timed,
    transcript,
)

KINDS = {"stt": Endpoint.TRANSCRIPTIONS, "llm": Endpoint.CHAT, "tts": Endpoint.SPEECH}
QUICK = {
    "401": ProviderFault.error(401),
    "429": ProviderFault.error(429),
    "500": ProviderFault.error(500),
    "malformed": ProviderFault.malformed(),
}
STALLS = {"headers": ProviderFault.slow(30), "body": ProviderFault.stall()}


@pytest.mark.parametrize("name", [*QUICK, *STALLS, "reset", "refused", "empty"])
async def test_the_second_model_answers(pair: Pair, name: str) -> None:
    arguments = pair.arguments("llm")
    await fail(pair, Endpoint.CHAT, name)
    text, seconds = await timed(partial(answer, arguments))
    assert text == SECOND
    assert seconds <= (DEADLINE if name in STALLS else 0) + OWN
    assert [(each.place, each.available) for each in pair.changes[:1]] == [(0, False)]
    assert pair.changes[0].detail
    assert pair.errors == []


@pytest.mark.parametrize("name", [*QUICK, *STALLS, "reset", "refused", "empty", "mute"])
async def test_the_second_voice_speaks(pair: Pair, name: str) -> None:
    arguments = pair.arguments("tts")
    await fail(pair, Endpoint.SPEECH, name)
    frame, seconds = await timed(partial(sound, arguments))
    assert loud_seconds(frame) > 2
    assert seconds <= (DEADLINE if name in STALLS else 0) + OWN
    assert [each.text for each in pair.second.requests] == [SENTENCE]
    assert [(each.place, each.available) for each in pair.changes[:1]] == [(0, False)]
    assert pair.errors == []


@pytest.mark.parametrize("name", [*QUICK, *STALLS, "reset", "refused"])
async def test_the_second_recogniser_hears_the_same_words(pair: Pair, name: str) -> None:
    arguments = pair.arguments("stt")
    await fail(pair, Endpoint.TRANSCRIPTIONS, name)
    text, seconds = await timed(partial(transcript, arguments))
    assert text == HEARD_SECOND
    assert seconds <= (DEADLINE if name in STALLS else 0) + OWN
    assert [(each.place, each.available) for each in pair.changes[:1]] == [(0, False)]
    assert pair.errors == []


async def test_an_empty_transcript_is_no_failure(pair: Pair) -> None:
    arguments = pair.arguments("stt")
    pair.first.fail(Endpoint.TRANSCRIPTIONS, ProviderFault.empty())
    assert await transcript(arguments) == ""
    assert pair.second.requests == []


@pytest.mark.parametrize("fault", [ProviderFault.stall(3), ProviderFault.reset(3)])
async def test_an_answer_that_stops_is_begun_again_by_the_second(
    pair: Pair, fault: ProviderFault
) -> None:
    arguments = pair.arguments("llm")
    pair.first.fail(Endpoint.CHAT, fault)
    text, seconds = await timed(partial(answer, arguments))
    assert text == f"The first  … {SECOND}"
    assert seconds <= BETWEEN + OWN


async def test_an_answer_that_has_called_a_tool_is_not_asked_for_twice(pair: Pair) -> None:
    @function_tool
    async def book(guests: int) -> str:
        """Book a table."""
        return f"booked for {guests}"

    pair.first.follow(Script(answers=(ToolCall("book", {"guests": 2}),)))
    pair.first.fail(Endpoint.CHAT, ProviderFault.stall(4))
    arguments = pair.arguments("llm")
    stream = arguments["llm"].chat(
        chat_ctx=ChatContext.empty(),
        tools=[book],
        conn_options=arguments["conn_options"].llm_conn_options,
    )
    collected = await stream.collect()
    assert [call.name for call in collected.tool_calls] == ["book"]
    assert pair.second.requests == []


@pytest.mark.parametrize(
    ("fault", "beginning"), [(ProviderFault.stall(8), 0.2), (ProviderFault.reset(8), 0.0)]
)
async def test_a_sentence_that_stops_is_said_again_by_the_second(
    pair: Pair, fault: ProviderFault, beginning: float
) -> None:
    arguments = pair.arguments("tts")
    whole = loud_seconds(await sound(arguments))
    pair.first.fail(Endpoint.SPEECH, fault)
    cut = loud_seconds(await sound(arguments))
    assert cut >= whole + beginning, "the beginning by the first, and all of it by the second"
    assert [each.text for each in pair.second.requests] == [SENTENCE]
    assert [(each.place, each.available) for each in pair.changes[:1]] == [(0, False)]


@pytest.mark.parametrize(("kind", "ask"), [("stt", transcript), ("llm", answer), ("tts", sound)])
@pytest.mark.parametrize("name", ["headers", "body", "500"])
async def test_all_down_is_one_error_within_the_budget(
    pair: Pair, kind: str, ask: Any, name: str
) -> None:
    arguments = pair.arguments(kind)
    for simulator in (pair.first, pair.second):
        simulator.fail(KINDS[kind], {**QUICK, **STALLS}[name])

    async def failing() -> None:
        with pytest.raises(APIError):
            await ask(arguments)

    _, seconds = await timed(failing)
    assert seconds <= (2 * DEADLINE if name in STALLS else DEADLINE) + OWN
    assert [each.recoverable for each in pair.errors] == [False]
    assert [(each.place, each.available) for each in pair.changes[:2]] == [(0, False), (1, False)]


@pytest.mark.parametrize(
    ("kind", "ask", "again"), [("stt", transcript, HEARD_FIRST), ("llm", answer, FIRST)]
)
async def test_the_first_is_asked_again_when_it_is_back(
    pair: Pair, kind: str, ask: Any, again: str
) -> None:
    arguments = pair.arguments(kind)
    pair.first.fail_next(KINDS[kind], ProviderFault.error(500), ProviderFault.error(500))
    await ask(arguments)  # fails over; the probe fails too
    await ask(arguments)  # the second answers; the probe succeeds
    async with asyncio.timeout(5):
        while not pair.changes[-1].available:  # noqa: ASYNC110 - the adapter's task finds it
            await asyncio.sleep(0.01)
    assert await ask(arguments) == again
    assert [each.available for each in pair.changes] == [False, True]


async def test_the_first_voice_is_asked_again_when_it_is_back(pair: Pair) -> None:
    arguments = pair.arguments("tts")
    pair.first.fail_next(Endpoint.SPEECH, ProviderFault.mute(), ProviderFault.mute())
    await sound(arguments)
    await sound(arguments)
    async with asyncio.timeout(5):
        while not pair.changes[-1].available:  # noqa: ASYNC110 - the adapter's task finds it
            await asyncio.sleep(0.01)
    asked = len(pair.second.requests)
    await sound(arguments)
    assert len(pair.second.requests) == asked


@pytest.mark.parametrize(("kind", "ask"), [("stt", transcript), ("llm", answer), ("tts", sound)])
async def test_one_provider_alone_is_asked_again_after_a_passing_failure(
    pair: Pair, kind: str, ask: Any
) -> None:
    arguments = pair.arguments(kind, pair.first)
    pair.first.fail_next(KINDS[kind], ProviderFault.error(500))
    await ask(arguments)
    assert pair.changes == []
    assert pair.errors == []


@pytest.mark.parametrize(("kind", "ask"), [("stt", transcript), ("llm", answer), ("tts", sound)])
async def test_one_provider_alone_that_stalls_is_an_error_within_its_deadline(
    pair: Pair, kind: str, ask: Any
) -> None:
    arguments = pair.arguments(kind, pair.first)
    pair.first.fail(KINDS[kind], ProviderFault.stall())

    async def failing() -> None:
        with pytest.raises(APIError):
            await ask(arguments)

    _, seconds = await timed(failing)
    assert seconds <= DEADLINE + OWN
    assert [each.recoverable for each in pair.errors] == [False]


async def test_nothing_happens_where_nothing_fails(pair: Pair) -> None:
    arguments = pair.arguments("llm")
    pair.first.fail(Endpoint.CHAT, ProviderFault.slow(DEADLINE / 2))
    for _ in range(3):
        assert await answer(arguments) == FIRST
    assert (pair.changes, pair.errors, pair.second.requests) == ([], [], [])


async def test_a_failover_is_counted_and_logged(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    labels = {"kind": "llm", "provider": pair.first.base_url.split("/")[2], "model": "gpt-4.1"}
    arguments = pair.arguments("llm")
    pair.first.fail(Endpoint.CHAT, ProviderFault.error(401))
    await answer(arguments)
    counted = REGISTRY.get_sample_value(
        "onhook_provider_changes_total", {**labels, "available": "false"}
    )
    assert counted == 1
    [record] = [each for each in caplog.records if each.name == "onhook"]
    assert "401" in record.getMessage()
    assert vars(record)["onhook_kind"] == "llm"


async def test_what_on_change_raises_is_not_the_callers_affair(pair: Pair) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("the pager is down")

    arguments = pair.arguments("llm", on_change=broken)
    pair.first.fail(Endpoint.CHAT, ProviderFault.error(500))
    assert await answer(arguments) == SECOND


async def fail(pair: Pair, endpoint: Endpoint, name: str) -> None:
    """Let the first provider fail for good."""
    if name == "refused":
        await pair.first.refuse()
        return
    more = {
        "reset": ProviderFault.reset(),
        "empty": ProviderFault.empty(),
        "mute": ProviderFault.mute() if endpoint is Endpoint.SPEECH else ProviderFault.empty(),
    }
    pair.first.fail(endpoint, {**QUICK, **STALLS, **more}[name])


assert DEAD_AIR * 0.8 >= 2 * DEADLINE
