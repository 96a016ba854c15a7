"""Conversations that go well, beside a long call: nothing may happen.

ONHOOK_SOAK_SECONDS says for how long, ONHOOK_SOAK_SEED repeats one. `make soak` holds them side by
side with healthy calls of all other kinds (tests/cases/test_soak.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from onhook.bench.phone import Call, Phone
from onhook.bench.simulator import Endpoint, ProviderFault, Script, Simulator, ToolCall
from tests.line.bench import Bench

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

SECONDS = float(os.environ.get("ONHOOK_SOAK_SECONDS", "45"))
SEED = int(os.environ.get("ONHOOK_SOAK_SEED", "1"))
GUARD, DEAD_AIR = "default", 6.0
TURNS = 5
ANSWER = 15.0
"""Seconds in which an answer is heard; a silence that long is the soak's own failure."""
TOOL = 7.0
REQUEST = "I would like a table for two please."
LONG = "Certainly. " + "The table by the window is free from seven to nine this evening. " * 3
LAST_TURN = 30.0


@dataclass
class Talk:
    """One call, and what its caller does in it."""

    call: Call
    simulator: Simulator
    counts: Counter[str]
    told: list[str] = field(default_factory=list)

    async def ask(self, *answers: str | ToolCall, pace: float = 0.0) -> float:
        self.simulator.follow(Script(answers=answers, heard=(REQUEST,), pace=pace))
        await self.call.say(REQUEST)
        return time.monotonic()

    async def answered(self, after: float, within: float = ANSWER) -> None:
        await self.call.heard_sound(after, timeout=within, new=True)
        await self.call.heard_silence(1.0, timeout=30, after=after + 0.1)

    async def plain(self) -> None:
        await self.answered(await self.ask("Certainly, a table for two it is."))

    async def slow_model(self) -> None:
        self.simulator.fail_next(Endpoint.CHAT, ProviderFault.slow(2.5))
        await self.answered(await self.ask("Certainly, a table for two it is.", pace=0.1))

    async def slow_voice(self) -> None:
        self.simulator.fail_next(Endpoint.SPEECH, ProviderFault.slow(2.0))
        await self.answered(await self.ask("Certainly, a table for two it is."))

    async def slow_tool(self) -> None:
        asked = await self.ask(ToolCall("book"), "The table is booked.")
        await self.answered(asked)  # the words of `busy`
        await self.answered(asked + TOOL, ANSWER + TOOL)

    async def handoff(self) -> None:
        await self.answered(await self.ask(ToolCall("hand_over"), "Done."))

    async def interruption(self) -> None:
        asked = await self.ask(LONG)
        heard = await self.call.heard_sound(asked, timeout=ANSWER, new=True)
        await self.call.heard_sound(heard + 1.5, timeout=ANSWER)
        await self.plain()

    async def silence(self) -> None:
        await self.call.heard_silence(1.2 * DEAD_AIR, timeout=60, after=time.monotonic())

    async def run(self, draw: random.Random, until: float) -> None:
        """Take some turns, in an order of their own, until the time is up."""
        turns: list[Callable[[], Awaitable[None]]] = [
            *(self.plain, self.slow_model, self.slow_voice),
            *(self.slow_tool, self.interruption, self.silence),
        ]
        chosen = draw.sample(turns, TURNS - 1)
        chosen.insert(draw.randint(2, len(chosen)), self.handoff)
        handed_over = False
        for turn in chosen:
            if time.monotonic() >= until:
                return
            if turn == self.slow_tool and handed_over:
                turn = self.plain  # noqa: PLW2901 - the colleague has no tools
            handed_over = handed_over or turn == self.handoff
            self.told.append(turn.__name__)
            await turn()
            self.counts[turn.__name__] += 1


@dataclass
class Soak:
    """Places calls until the time is up, and keeps count."""

    bench: Bench
    seconds: float
    counts: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    wrong: list[str] = field(default_factory=list)
    interventions: list[str] = field(default_factory=list)
    starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while an agent starts: several at once on two cores are late to greet."""

    async def run(self) -> None:
        until = time.monotonic() + self.seconds
        seeds = itertools.count(SEED * 1000)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._plain_call(until))
            group.create_task(self._one_after_the_other(until, seeds))

    async def _one_after_the_other(self, until: float, seeds: itertools.count[int]) -> None:
        while time.monotonic() < until:
            seed = next(seeds)
            async with self._call("converses", tool_takes=TOOL, busy="I am looking.") as talk:
                try:
                    draw = random.Random(seed)  # noqa: S311 - a script, no secret
                    await talk.run(draw, until)
                    assert talk.call.report().ending is None, talk.call.report().how
                except Exception as error:  # the soak goes on, and tells of it
                    self.wrong.append(f"call {seed}, after {talk.told}: {error!r}")

    async def _plain_call(self, until: float) -> None:
        """Hold the call of an agent that just talks, as long as the soak lasts."""
        async with self._call("is_healthy") as talk:
            await asyncio.sleep(max(0.0, until - time.monotonic()))  # the passing of time is tested
            report = talk.call.report()
            silence = report.hearing.longest_silence(report.answered_at or 0.0)
            if report.ending is not None or silence >= DEAD_AIR:
                self.wrong.append(f"the plain call: {report.how}, {silence:.1f} s of silence")

    @contextlib.asynccontextmanager
    async def _call(self, fault: str, **more: Any) -> AsyncIterator[Talk]:
        async with Simulator(Script(heard=(REQUEST,))) as simulator, Phone() as phone:
            scenario = self.bench.scenario(fault, GUARD, provider=simulator.base_url, **more)
            async with self.starting:
                call = await self.bench.call_in(phone, scenario)
                await self.bench.worker.wait("greeted", scenario["id"])
            await call.answered()
            self.calls += 1
            yield (talk := Talk(call, simulator, self.counts))
            for event in self.bench.worker.events_of("opened", scenario["id"]):
                self.interventions.append(f"{event}, in {talk.told}")
            await call.hang_up()


@pytest.mark.timeout(SECONDS + LAST_TURN + 60)
async def test_healthy_conversations_are_never_touched(bench: Bench) -> None:
    soak = Soak(bench, SECONDS)
    await soak.run()
    turns = ", ".join(f"{count} {name}" for name, count in sorted(soak.counts.items()))
    print(  # noqa: T201 - the figures are what a soak is for
        f"\n{soak.calls} calls, {soak.counts.total()} turns ({turns}), "
        f"{len(soak.interventions)} interventions"
    )
    assert not soak.interventions, "\n".join(soak.interventions)
    assert not soak.wrong, "\n".join(soak.wrong)
    assert len(soak.counts) > min(TURNS, SECONDS // 20), soak.counts
