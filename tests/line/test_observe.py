"""Observe mode at the phone: beside each call that is rescued, the same one that is observed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

import pytest

from onhook.bench.phone import Call, Ending, Phone
from onhook.bench.simulator import Endpoint, ProviderFault, Simulator
from onhook.sinks.journal.case_file import Case
from tests.line.bench import Bench, all_well
from tests.line.test_conversations import REQUEST

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

ENDED = 20.0
"""Seconds within which the call that is rescued is released, words included."""
LONGER = 1.0
"""Seconds for which the observed caller waits after the other one was released."""
TAIL = 0.5
"""Seconds in which the agent's last sound still travels."""

ROWS = [
    ("raises_after_answer", [("entrypoint.raised", "lost", "guard")]),
    ("is_killed", [("job.died", "lost", "watchdog")]),
    ("ends_its_session", [("session.ended", "lost", "guard")]),
    ("converses", [("llm.stalled", "impaired", "guard"), ("llm.stalled", "lost", "guard")]),
]
"""What goes wrong, and what is judged of it: fault, severity and ring."""


async def test_the_same_is_judged_and_nothing_is_done(bench: Bench) -> None:
    calls: list[tuple[str, Awaitable[None]]] = []
    for fault, judged in ROWS:
        rescued = asyncio.Event()
        calls.append((f"{fault}, act", in_act_mode(bench, fault, judged, rescued)))
        calls.append((f"{fault}, observe", in_observe_mode(bench, fault, judged, rescued)))
    await all_well(calls)


async def in_act_mode(
    bench: Bench, fault: str, judged: list[tuple[str, str, str]], rescued: asyncio.Event
) -> None:
    try:
        async with Simulator() as simulator, Phone() as phone:
            call, room, _ = await struck(bench, fault, simulator, phone, "act")
            report = await call.ended(timeout=ENDED)
            assert report.ending is Ending.BYE_RECEIVED, report.how
            assert [told(case) for case in await closed(bench, room, len(judged))] == judged
    finally:
        rescued.set()


async def in_observe_mode(
    bench: Bench, fault: str, judged: list[tuple[str, str, str]], rescued: asyncio.Event
) -> None:
    async with Simulator() as simulator, Phone() as phone:
        call, room, at = await struck(bench, fault, simulator, phone, "observe")
        await rescued.wait()
        await asyncio.sleep(LONGER)
        cases = await closed(bench, room, len(judged))
        assert [told(case) for case in cases] == judged
        assert {case.ending for case in cases} == {"observed"}
        assert [len(case.entries) for case in cases] == [2] * len(cases), "no rung was begun"
        report = call.report()
        assert report.ending is None, f"released: {report.how}"
        assert report.hearing.first_sound(at + TAIL, new=True) is None, "somebody spoke"
        await call.hang_up()


async def struck(
    bench: Bench, fault: str, simulator: Simulator, phone: Phone, mode: str
) -> tuple[Call, str, float]:
    """Place a call, and have the fault strike; return the call, its room, and when it was."""
    talks = fault == "converses"
    more = {"provider": simulator.base_url} if talks else {}
    if fault == "is_killed":  # nobody rescues who is killed before the first watchdog has come up
        async with asyncio.timeout(ENDED):
            while bench.worker.watchdog() is None:  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.1)
    scenario = bench.scenario(fault, "talk" if talks else "default", mode=mode, **more)
    call = await bench.call_in(phone, scenario)
    if not talks:
        at = await bench.struck(scenario)
        if fault == "ends_its_session":
            told = (bench.worker.event("explained", scenario["id"]) or {})["text"]
            assert f"Mode {mode}: a turn judged impaired" in told
            assert "Next: nothing: no sound is owed to the caller" in told, told
        return call, str((bench.worker.event("fault", scenario["id"]) or {})["room"]), at
    await bench.worker.wait("greeted", scenario["id"])
    room = str((bench.worker.event("greeted", scenario["id"]) or {})["room"])
    simulator.fail(Endpoint.CHAT, ProviderFault.stall())
    await call.say(REQUEST)
    return call, room, time.monotonic()


async def closed(bench: Bench, room: str, count: int) -> list[Case]:
    """Wait until so many incidents of a room are closed; return all, oldest first."""
    journal = bench.worker.journal
    async with asyncio.timeout(ENDED):
        while True:
            cases = [Case(journal.entries(incident)) for incident in journal.incidents(50)]
            found = [case for case in reversed(cases) if case.opening.room == room]
            if len([case for case in found if case.closed]) >= count:
                return found
            await asyncio.sleep(0.05)  # other processes write the journal


def told(case: Case) -> tuple[str, str, str]:
    return case.fault, case.opening.severity, str(case.first.ring)
