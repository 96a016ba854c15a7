"""The guard is killed between a rung's intent and its outcome: the watchdog goes on with it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from onhook.bench.phone import Answer, CallTimeoutError, Ending, Phone, ReferAnswer
from onhook.sinks.journal import Step
from onhook.sinks.journal.case_file import Case
from tests.line.bench import Bench, all_well

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

NOISE = 1.0
DIED = 1.0
START = 5.0
"""Seconds for another job to start and to greet, on two busy cores."""
WORDS = 3.0
"""Seconds that the words of the apology take at least."""
AT_ONCE = 3


@dataclass(frozen=True)
class Cut:
    """Where a rescue is cut off.

    Args:
        rung: In which rung the guard is killed.
        guard: The policy.
        after: Seconds from the rung's intent to the kill.
        ending: How the watchdog ends the incident.
        words: Whether the caller hears rescue words after the kill.
        climbed: The rungs that are climbed after the kill.
    """

    rung: str
    guard: str
    after: float
    ending: str
    words: bool
    climbed: tuple[str, ...]


CUTS = [
    Cut("say", "default", 2.0, "released", True, ("say", "hang_up")),
    Cut("transfer", "transfer", 0.3, "transferred", False, ("transfer",)),
    Cut("redispatch", "redispatch", 0.3, "taken_over", True, ("redispatch",)),
    Cut("retry", "retry", 0.1, "released", True, ("retry", "say", "hang_up")),
    Cut("hang_up", "silent", 0.0, "released", False, ("hang_up",)),
    Cut("remove_callers", "callers", 0.0, "released", False, ("remove_callers",)),
    Cut("delete_room", "room", 0.0, "released", False, ("delete_room",)),
]


@pytest.mark.parametrize(
    "cuts",
    [CUTS[at : at + AT_ONCE] for at in range(0, len(CUTS), AT_ONCE)],
    ids=lambda cuts: ", ".join(cut.rung for cut in cuts),
)
async def test_it_is_finished_and_nothing_is_done_twice(bench: Bench, cuts: list[Cut]) -> None:
    await all_well([(cut.rung, finished(bench, cut)) for cut in cuts])


async def finished(bench: Bench, cut: Cut) -> None:
    scenario = bench.scenario(
        "raises_after_answer",
        cut.guard,
        then="is_healthy",
        killed_in=cut.rung,
        killed_after=cut.after,
    )
    refer = ReferAnswer(pause=0.5)
    async with Phone(on_refer=refer, answering=Answer(after=0.3)) as phone:
        call = await bench.call_in(phone, scenario)
        killed = await bench.worker.wait("killed", scenario["id"], deadline=15)
        if cut.ending == "taken_over":
            heard = await call.heard_sound(killed, timeout=START + NOISE + 5, new=True)
            assert heard - killed <= START + NOISE, f"silence for {heard - killed:.2f} s"
            with pytest.raises(CallTimeoutError):
                await call.ended(timeout=2.0)
            await call.hang_up()
        report = await call.ended(timeout=15)
        if cut.ending == "taken_over":
            assert report.ending is Ending.BYE_SENT
        elif cut.words:
            silence = report.hearing.longest_silence(killed, (report.ended_at or 0.0) - 0.5)
            assert silence <= DIED + NOISE, f"silence for {silence:.2f} s"
            assert (report.ended_at or 0.0) - killed > WORDS, "they are said from their beginning"
        else:
            patience = 2 * refer.pause + DIED if cut.rung == "transfer" else 0.0
            assert (report.ended_at or 0.0) - killed <= patience + DIED + NOISE
            assert report.hearing.first_sound(killed, new=True) is None
        assert len(report.refers) == (cut.rung == "transfer"), "nobody is referred twice"
    agents = bench.worker.events_of("took_over", scenario["id"])
    assert len(agents) == (cut.rung == "redispatch"), "one other agent at most"
    incident = (bench.worker.event("intent", scenario["id"]) or {})["incident"]
    case = Case(await bench.worker.closed_incident(incident))
    assert case.rings == ("guard", "watchdog"), "both halves stand under one id"
    assert case.ending == cut.ending
    (resumed,) = (e for e in case.entries if e.step is Step.RESUMED)
    assert resumed.subject == cut.rung
    assert "SIGKILL" in resumed.detail or "died" in resumed.detail
    done = [e.subject for e in case.entries if e.step is Step.RUNG and e.result == "done"]
    assert len(done) == len(set(done)), "no rung is done twice"
    assert f"{incident} is taken over" in bench.worker.watchdog_log()
    at = case.entries.index(resumed)
    assert tuple(e.subject for e in case.entries[at:] if e.step is Step.INTENT) == cut.climbed
