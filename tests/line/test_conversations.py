"""Inside the conversation, at the phone: each fault without onhook and with it, side by side.

The session, the openai plugin, silero and the phone are real; the provider is the simulator.
`DEAD_AIR` is that of the worker's policy "talk"; its `give_up` is a little longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from onhook.bench.phone import Call, Ending, Phone, PhoneError
from onhook.bench.simulator import ProviderFault, Script, Simulator, ToolCall
from tests.line.bench import Bench, all_well, full_form, short_form

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

NOISE = 1.0
DEAD_AIR = 3.0
END_OF_SPEECH = 0.6
"""Seconds of quiet after which silero takes the caller's words to be over."""
BOUND = DEAD_AIR + END_OF_SPEECH + NOISE
TURN = 3.0
"""Seconds from a caller's last word until a tool, a callback or another agent has the turn."""
WORDS = 12.0
REQUEST = "I would like a table for two please."
AGAIN = "Hello? Can you hear me? I said that I would like a table for two, this evening at eight."
ROWS_AT_ONCE = 2


@dataclass(frozen=True)
class Row:
    """One way in which a conversation goes silent.

    Args:
        name: What goes wrong.
        named: The faults by which onhook may call it.
        spoil: What the provider does from the caller's first words on: endpoint and fault.
        answers: What the model answers.
        scenario: What the agent's own code does.
        asks: Whether the caller has to ask for it.
        refused: Whether the provider's port is closed from the caller's first words on.
        repeats: Whether the caller says it again after the words: where nothing is under way, only
            that ends a call.
        warned: Whether there are soft words first.
        ends: Whether the call ends by it; a reply that is heard in part is an answer.
    """

    name: str
    named: tuple[str, ...]
    spoil: tuple[str, ProviderFault] | None = None
    answers: tuple[str | ToolCall, ...] = ("Certainly, a table for two it is.",)
    scenario: dict[str, Any] = field(default_factory=dict)
    asks: bool = True
    refused: bool = False
    repeats: bool = False
    warned: bool = True
    ends: bool = True


LLM, STT, TTS = "chat", "transcriptions", "speech"
LONG = "Certainly. " + "The table by the window is free from seven to nine this evening. " * 3
PROVIDER = [
    Row("llm stalls", ("llm.stalled",), (LLM, ProviderFault.stall())),
    Row("llm stalls in mid-stream", ("llm.stalled", "tts.stalled"), (LLM, ProviderFault.stall(2))),
    Row("llm 401", ("llm.failed",), (LLM, ProviderFault.error(401))),
    Row("llm 429", ("llm.failed", "llm.stalled"), (LLM, ProviderFault.error(429))),
    Row("llm 500", ("llm.failed", "llm.stalled"), (LLM, ProviderFault.error(500))),
    Row("llm empty", ("llm.empty",), (LLM, ProviderFault.empty()), ends=False),
    Row(
        "llm reset",
        ("llm.failed", "llm.stalled", "llm.empty"),
        (LLM, ProviderFault.reset(2)),
        ends=False,
    ),
    Row("tts stalls", ("tts.stalled",), (TTS, ProviderFault.stall())),
    Row(
        "tts stalls in mid-stream",
        ("tts.stalled",),
        (TTS, ProviderFault.stall(bytes=20_000)),
        answers=(LONG,),
    ),
    Row("tts 401", ("tts.failed", "tts.stalled"), (TTS, ProviderFault.error(401))),
    Row("tts 500", ("tts.failed", "tts.stalled"), (TTS, ProviderFault.error(500))),
    Row("tts mute", ("tts.mute", "tts.stalled"), (TTS, ProviderFault.mute())),
    Row("tts empty", ("tts.mute", "tts.failed", "tts.stalled"), (TTS, ProviderFault.empty())),
    Row("connection refused", ("stt.failed", "stt.deaf"), refused=True, repeats=True),
    Row("stt stalls", ("stt.deaf",), (STT, ProviderFault.stall()), repeats=True),
    Row("stt 401", ("stt.failed", "stt.deaf"), (STT, ProviderFault.error(401)), repeats=True),
    Row("stt empty", ("stt.deaf",), (STT, ProviderFault.empty()), repeats=True),
]
BOOK, HAND_OVER = (ToolCall("book"),), (ToolCall("hand_over"),)
OWN_CODE = [
    Row("tool hangs", ("turn.stuck",), answers=BOOK, scenario={"tool": "hangs"}),
    Row("on_turn raises", ("turn.stuck",), scenario={"on_turn": "raises"}),
    Row("on_turn hangs", ("turn.stuck",), scenario={"on_turn": "hangs"}),
    Row("handoff hangs", ("turn.stuck",), answers=HAND_OVER, scenario={"colleague": "hangs"}),
    Row("handoff raises", ("turn.stuck",), answers=HAND_OVER, scenario={"colleague": "raises"}),
    Row("voice raises", ("tts.mute", "tts.stalled"), scenario={"voice": "raises_oddly"}),
    Row(
        "on_enter raises",
        ("turn.stuck",),
        scenario={"on_enter": "raises", "greets": "never"},
        asks=False,
    ),
    Row(
        "on_enter hangs",
        ("turn.stuck",),
        scenario={"on_enter": "hangs", "greets": "never"},
        asks=False,
    ),
    Row(
        "the greeting stalls",
        ("llm.stalled",),
        (LLM, ProviderFault.stall()),
        scenario={"greets": "model"},
        asks=False,
    ),
    Row(
        "session.start fails",
        ("session.start_failed",),
        scenario={"start": "fails"},
        asks=False,
        warned=False,
    ),
]


@pytest.mark.parametrize(
    "rows",
    short_form(
        [
            (PROVIDER + OWN_CODE)[at : at + ROWS_AT_ONCE]
            for at in range(0, len(PROVIDER + OWN_CODE), ROWS_AT_ONCE)
        ],
        every=8,
    ),
    ids=lambda rows: ", ".join(row.name for row in rows),
)
async def test_the_silence_ends_within_dead_air(bench: Bench, rows: list[Row]) -> None:
    calls = [(row.name, guard(bench, row)) for guard in (unguarded, guarded) for row in rows]
    await all_well(calls)


async def unguarded(bench: Bench, row: Row) -> None:
    """Without onhook the silence is longer than all that onhook would have let pass."""
    async with placed(bench, row, "off") as talk:
        if talk.call.report().answered:
            await talk.call.heard_silence(BOUND, timeout=BOUND + WORDS)
        else:
            await asyncio.sleep(BOUND)  # ringing has nothing to hear
        report = talk.call.report()
        assert report.ending is None, f"released without onhook: {report.how}"
        await talk.call.hang_up()


async def guarded(bench: Bench, row: Row) -> None:
    async with placed(bench, row, "talk") as talk:
        silent_from = talk.struck
        if row.repeats:
            await talk.call.heard_sound(silent_from, timeout=BOUND, new=True)
            await talk.call.say(AGAIN)
            silent_from = time.monotonic()
        if not row.ends:
            await talk.call.heard_sound(silent_from, timeout=BOUND, new=True)
            assert await stays_up(talk.call, 2 * BOUND)
            return
        report = await talk.call.ended(timeout=2 * BOUND + WORDS)
        assert report.ending in (Ending.BYE_RECEIVED, Ending.REJECTED), report.how
        events = bench.worker.events_of("opened", talk.id)
        opened = [event for event in events if event["at"] >= talk.struck - 0.1]
        assert opened[0]["fault"] in row.named, opened
        assert opened[-1]["severity"] == "lost"
        assert opened[0]["severity"] == ("impaired" if row.warned else "lost"), opened
        assert len(opened) == 1 + row.warned, opened
        silence = report.hearing.longest_silence(silent_from, report.ended_at or 0.0)
        bound = BOUND + TURN if "turn.stuck" in row.named else BOUND
        assert silence <= bound, f"{silence:.1f} s of silence: {opened}"


async def stays_up(call: Call, seconds: float) -> bool:
    """Return whether a call is still up after some seconds."""
    with contextlib.suppress(PhoneError):
        await call.ended(timeout=seconds)
    return call.report().ending is None


@dataclass
class Talk:
    id: str
    call: Call
    struck: float


@contextlib.asynccontextmanager
async def placed(bench: Bench, row: Row, guard: str) -> AsyncIterator[Talk]:
    """RuntimeDir a call, and have the row's fault strike in it."""
    async with Simulator(Script(answers=row.answers)) as simulator, Phone() as phone:
        if row.spoil and not row.asks:
            simulator.fail(*row.spoil)
        scenario = bench.scenario("converses", guard, provider=simulator.base_url, **row.scenario)
        call = await bench.call_in(phone, scenario)
        if row.asks:
            await bench.worker.wait("greeted", scenario["id"])
            await call.answered()
            if row.spoil:
                simulator.fail(*row.spoil)
            if row.refused:
                await simulator.refuse()
            await call.say(REQUEST)
            struck = time.monotonic()
        if row.spoil:
            struck = await seen(simulator, row.spoil[0])
        elif not row.asks:
            struck = await bench.struck(scenario)
        yield Talk(scenario["id"], call, struck)


async def seen(simulator: Simulator, endpoint: str, *, deadline: float = 15.0) -> float:
    """Return when the provider was first asked for what it then spoilt."""
    async with asyncio.timeout(deadline):
        while True:
            for ask in simulator.requests:
                if ask.endpoint == endpoint and ask.fault:
                    return ask.at
            await asyncio.sleep(0.02)  # the simulator tells of requests by its list alone


@full_form
async def test_a_slow_answer_is_softened_and_the_call_goes_on(bench: Bench) -> None:
    async with Simulator() as simulator, Phone() as phone:
        scenario = bench.scenario("converses", "talk", provider=simulator.base_url)
        call = await bench.call_in(phone, scenario)
        await bench.worker.wait("greeted", scenario["id"])
        simulator.fail_next(LLM, ProviderFault.slow(4.5))
        await call.say(REQUEST)
        struck = await seen(simulator, LLM)
        await call.heard_sound(struck, timeout=BOUND, new=True)
        await call.heard_sound(struck + 4.5, timeout=BOUND, new=True)
        await call.heard_silence(3 * DEAD_AIR, timeout=20)
        assert call.report().ending is None, "a caller who says nothing is no fault"
        assert bench.worker.event("lost", scenario["id"]) is None
        await call.hang_up()


HEALTHY: dict[str, Callable[[], tuple[Script, dict[str, Any]]]] = {
    "plain talk": lambda: (Script(), {}),
    "a slow but living provider": lambda: (Script(pace=0.1), {}),
    "a long tool that tells the caller": lambda: (
        Script(answers=(ToolCall("book"), "The table is booked.")),
        {"tool_takes": 7.0, "busy": "I am checking the reservations."},
    ),
    "a handoff": lambda: (Script(answers=(ToolCall("hand_over"), "Done.")), {}),
}


async def test_conversations_that_go_well_are_never_touched(bench: Bench) -> None:
    await all_well([(name, healthy(bench, name)) for name in HEALTHY])


async def healthy(bench: Bench, name: str) -> None:
    script, more = HEALTHY[name]()
    async with Simulator(script) as simulator, Phone() as phone:
        scenario = bench.scenario("converses", "talk", provider=simulator.base_url, **more)
        call = await bench.call_in(phone, scenario)
        await bench.worker.wait("greeted", scenario["id"])
        await call.say(REQUEST)
        asked = time.monotonic()
        await call.heard_sound(asked, timeout=10, new=True)
        await call.heard_silence(3 * DEAD_AIR, timeout=40)
        report = call.report()
        assert report.ending is None
        assert bench.worker.event("opened", scenario["id"]) is None, bench.worker.events_of(
            "opened", scenario["id"]
        )
        if "busy" in more:
            assert report.hearing.longest_silence(asked, asked + more["tool_takes"]) < BOUND
        await call.hang_up()
