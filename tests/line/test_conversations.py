"""Inside the conversation, at the phone: each fault without onhook and with it, side by side.

The session, the openai plugin, silero and the phone are real; the provider is the simulator.
`DEAD_AIR` is that of the worker's policy "quick"; the escalation is as long again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from onhook.phone import Call, Ending, Phone
from onhook.simulator import ProviderFault, Script, Simulator, ToolCall
from tests.line.bench import Bench

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

NOISE = 1.0
DEAD_AIR = 2.0
WORDS = 12.0
REQUEST = "I would like a table for two please."
CALLS_AT_ONCE = 3


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
        at_once: Whether the session is lost without a warning.
    """

    name: str
    named: tuple[str, ...]
    spoil: tuple[str, ProviderFault] | None = None
    answers: tuple[str | ToolCall, ...] = ("Certainly, a table for two it is.",)
    scenario: dict[str, Any] = field(default_factory=dict)
    asks: bool = True
    at_once: bool = False


LLM, STT, TTS = "chat", "transcriptions", "speech"
LONG = "Certainly. " + "The table by the window is free from seven to nine this evening. " * 3
PROVIDER = [
    Row("llm stalls", ("llm.stalled",), (LLM, ProviderFault.stall())),
    Row("llm stalls in mid-stream", ("llm.stalled", "tts.stalled"), (LLM, ProviderFault.stall(2))),
    Row("llm 401", ("llm.failed",), (LLM, ProviderFault.error(401)), at_once=True),
    Row("llm 500", ("llm.failed", "llm.stalled"), (LLM, ProviderFault.error(500))),
    Row("llm empty", ("llm.empty",), (LLM, ProviderFault.empty())),
    Row("llm reset", ("llm.failed", "llm.stalled", "llm.empty"), (LLM, ProviderFault.reset(2))),
    Row("tts stalls", ("tts.stalled",), (TTS, ProviderFault.stall())),
    Row(
        "tts stalls in mid-stream",
        ("tts.stalled",),
        (TTS, ProviderFault.stall(bytes=20_000)),
        answers=(LONG,),
    ),
    Row("tts 401", ("tts.failed", "tts.stalled"), (TTS, ProviderFault.error(401))),
    Row("tts mute", ("tts.mute",), (TTS, ProviderFault.mute())),
    Row("tts empty", ("tts.mute", "tts.failed", "tts.stalled"), (TTS, ProviderFault.empty())),
    Row("stt stalls", ("stt.deaf",), (STT, ProviderFault.stall())),
    Row("stt 401", ("stt.failed", "stt.deaf"), (STT, ProviderFault.error(401))),
    Row("stt empty", ("stt.deaf",), (STT, ProviderFault.empty())),
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
        at_once=True,
    ),
]


@pytest.mark.parametrize(
    "rows",
    [
        (PROVIDER + OWN_CODE)[at : at + CALLS_AT_ONCE]
        for at in range(0, len(PROVIDER + OWN_CODE), CALLS_AT_ONCE)
    ],
    ids=lambda rows: ", ".join(row.name for row in rows),
)
async def test_the_silence_ends_within_dead_air(bench: Bench, rows: list[Row]) -> None:
    calls = [(row.name, guard(bench, row)) for guard in (unguarded, guarded) for row in rows]
    await all_well(calls)


async def all_well(calls: Sequence[tuple[str, Awaitable[None]]]) -> None:
    """Hold calls side by side, and tell of every one that went wrong."""
    outcomes = await asyncio.gather(*(call for _, call in calls), return_exceptions=True)
    wrong = [(name, o) for (name, _), o in zip(calls, outcomes, strict=True) if o is not None]
    assert not wrong, "\n".join(f"{name}: {error!r}" for name, error in wrong)


async def unguarded(bench: Bench, row: Row) -> None:
    """Without onhook the silence is longer than all that onhook would have let pass."""
    async with placed(bench, row, "off") as talk:
        patience = 2 * DEAD_AIR + NOISE
        await asyncio.sleep(max(0.0, talk.struck + patience - time.monotonic()))
        report = talk.call.report()
        assert report.ending is None, f"released without onhook: {report.how}"
        assert report.hearing.longest_silence(talk.struck) > DEAD_AIR + NOISE
        await talk.call.hang_up()


async def guarded(bench: Bench, row: Row) -> None:
    async with placed(bench, row, "quick") as talk:
        report = await talk.call.ended(timeout=2 * DEAD_AIR + WORDS)
        assert report.ending in (Ending.BYE_RECEIVED, Ending.REJECTED), report.how
        opened = bench.worker.events_of("opened", talk.id)
        assert opened[0]["fault"] in row.named, opened
        assert opened[-1]["severity"] == "lost"
        assert len(opened) == (1 if row.at_once else len(opened))
        ended = report.ended_at or 0.0
        silence = report.hearing.longest_silence(talk.struck, ended)
        assert silence <= DEAD_AIR + NOISE, f"{silence:.1f} s of silence: {opened}"
        lost = bench.worker.events_of("lost", talk.id)[0]["at"]
        assert lost - talk.struck <= 2 * DEAD_AIR + NOISE


@dataclass
class Talk:
    id: str
    call: Call
    struck: float


@contextlib.asynccontextmanager
async def placed(bench: Bench, row: Row, guard: str) -> AsyncIterator[Talk]:
    """Place a call, and have the row's fault strike in it."""
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


async def test_a_slow_answer_is_softened_and_the_call_goes_on(bench: Bench) -> None:
    async with Simulator() as simulator, Phone() as phone:
        scenario = bench.scenario("converses", "quick", provider=simulator.base_url)
        call = await bench.call_in(phone, scenario)
        await bench.worker.wait("greeted", scenario["id"])
        simulator.fail_next(LLM, ProviderFault.slow(3.5))
        await call.say(REQUEST)
        struck = await seen(simulator, LLM)
        await call.heard_sound(struck, timeout=DEAD_AIR + NOISE, new=True)
        await call.heard_sound(struck + 3.5, timeout=DEAD_AIR + NOISE, new=True)
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
        scenario = bench.scenario("converses", "quick", provider=simulator.base_url, **more)
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
            assert report.hearing.longest_silence(asked, asked + more["tool_takes"]) < 4.5
        await call.hang_up()
