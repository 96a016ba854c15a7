"""The guard in every form that agents in the wild use, in real workers of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from onhook.bench.phone import Phone
from onhook.bench.stack import Stack
from onhook.livekit.framework.command_line import start_command
from tests.line.bench import Bench, short_form, worker

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize(
    ("form", "by_run_app"),
    short_form(
        [
            ("decorated", True),
            ("imported", False),
            ("decorated", False),
            ("options", True),
            ("thread", False),
        ],
        every=2,
    ),
)
async def test_the_guard_travels_to_the_job(
    stack: Stack, tmp_path: Path, form: str, by_run_app: bool
) -> None:
    module = "tests.agents.forms"
    command = module if by_run_app else start_command(module)
    async with worker(stack, tmp_path, command, ONHOOK_FORM=form) as running:
        bench = Bench(stack, running, agent="formal")
        scenario = bench.scenario("raises_after_connect", form)
        async with Phone() as phone:
            call = await bench.call_in(phone, scenario)
            struck = await bench.struck(scenario)
            report = await call.ended(timeout=2.0)
            assert report.how == "rejected 486"
            assert (report.ended_at or 0.0) - struck < 1.5
