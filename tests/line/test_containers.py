"""Surroundings as in containers: a user whom nobody knows, no home or `/`, a read-only system."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from onhook.bench.phone import Phone
from onhook.bench.stack import Stack
from onhook.sinks.journal import SqliteJournal
from onhook.sinks.journal.case_file import Case
from tests.line.bench import Bench, all_well, worker

pytestmark = [
    pytest.mark.stack,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user"),
]

NOISE = 1.0
RAISED, DIED = 0.4, 1.0
"""Seconds until the caller hears the first word: the bounds of the fault matrix."""
QUIET = 3.0
STARTING = 60.0
"""Seconds for a job to start, in workers of several users at once."""

UNSET = [
    part
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "TMPDIR")
    for part in ("-u", name)
]
UNSET += ["-u", "ONHOOK_JOURNAL", "-u", "ONHOOK_RUNTIME_DIR"]
READ_ONLY = (
    *("unshare", "--mount", "sh", "-c"),
    'mount --bind /tmp /tmp && mount -o remount,ro,bind / && exec "$@"',
    "sh",
)
"""A system in which nothing but /tmp can be written to."""


def user(number: int) -> tuple[str, ...]:
    """Become a user whom nobody knows, and who may read all, such as the interpreter."""
    return (
        *("setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups"),
        *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
    )


SURROUNDINGS = {
    "nothing": (4251, (*READ_ONLY, "env", *UNSET, "-u", "HOME")),
    "root-home": (4252, ("env", *UNSET, "HOME=/")),
}


async def test_no_home_and_no_folder_of_its_own_cost_no_caller_anything(
    stack: Stack, tmp_path: Path
) -> None:
    await all_well(
        [
            (name, in_surroundings(stack, tmp_path / name, name, uid, wrap))
            for name, (uid, wrap) in SURROUNDINGS.items()
        ]
    )


async def in_surroundings(
    stack: Stack, folder: Path, name: str, uid: int, wrap: tuple[str, ...]
) -> None:
    kept = Path(f"/tmp/onhook-{uid}")  # noqa: S108 - the very folder is meant
    shutil.rmtree(kept, ignore_errors=True)
    folder.mkdir()
    os.chown(folder, uid, uid)
    env = {"ONHOOK_TEST_AGENT": name, "ONHOOK_TEST_IDLE": "2", "ONHOOK_RUNTIME_DIR": str(kept)}
    try:
        async with worker(stack, folder, wrap=(*wrap, *user(uid)), **env) as running:
            bench = Bench(stack, running, agent=name)
            await all_well(
                [
                    ("healthy", is_untouched(bench)),
                    ("killed", is_spoken_to(bench, "is_killed", DIED + NOISE)),
                ]
            )
            await is_spoken_to(bench, "raises_after_answer", RAISED + NOISE)
            log = running.log.read_text(errors="replace")
            assert log.count(f"incidents are kept in {kept}/incidents.db") == 3, "once for each job"
            assert f"{kept}/renderings" in log
            journal = SqliteJournal(kept / "incidents.db")
            rings = {Case(journal.entries(each)).rings for each in journal.incidents()}
            assert rings == {("guard",), ("watchdog",)}
    finally:
        shutil.rmtree(kept, ignore_errors=True)


async def is_untouched(bench: Bench) -> None:
    scenario = bench.scenario("is_quiet", "default")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        greeted = await bench.worker.wait("greeted", scenario["id"], deadline=STARTING)
        await asyncio.sleep(QUIET)  # that nothing is said takes time to hear
        report = call.report()
        assert report.ending is None, report.how
        assert report.hearing.first_sound(greeted + 0.5) is None, "nobody spoke to the caller"
        await call.hang_up()


async def is_spoken_to(bench: Bench, fault: str, bound: float) -> None:
    scenario = bench.scenario(fault, "default")
    async with Phone() as phone:
        call = await bench.call_in(phone, scenario)
        struck = await bench.worker.wait("fault", scenario["id"], deadline=STARTING)
        report = await call.ended(timeout=15 + bound)
        words = report.hearing.first_sound(struck + 0.1, new=True)
        assert words is not None, bench.worker.tail()
        took = words - struck
        print(f"\n{bench.agent} {fault}: words after {took:.2f} s")  # noqa: T201 - the figures
        assert took <= bound
