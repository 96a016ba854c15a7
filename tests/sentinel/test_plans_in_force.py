from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from onhook.call import Call
from onhook.outages import OutageFile
from onhook.rungs import Transfer
from onhook.sentinel.call_view import CallView
from onhook.sentinel.outage import OutageSwitch
from onhook.sentinel.plans_file import PlansFile
from onhook.sentinel.plans_in_force import PlansInForce
from onhook.tasks import end

SUPPORT = CallView(
    call=Call("call-1"),
    caller={"sip.trunkPhoneNumber": "+15550100", "sip.trunkID": "ST_1"},
    metadata='{"tags": ["sales"]}',
)


async def changed(plans: PlansInForce) -> None:
    """Let it look once more."""
    watching = asyncio.create_task(plans.watch())
    await asyncio.sleep(0.3)
    await end(watching)


async def test_while_an_outage_is_on_its_calls_have_another_plan(tmp_path: Path) -> None:
    path = tmp_path / "outages.json"
    plans = PlansInForce(None, OutageFile(path), period=0.05)
    assert plans.outage(SUPPORT) is None
    switch = OutageSwitch(path)
    switch.on("number", "+15550100", seconds=60.0, by="ann", fallback="tel:+15550123")
    switch.on("all", seconds=60.0, by="ann", fallback="tel:+15550124")
    await changed(plans)
    (found,) = (r for r in plans.plan(SUPPORT).ladder.rungs if isinstance(r, Transfer))
    assert found.to == "tel:+15550123", "the most specific one counts"
    assert plans.limits(SUPPORT).second_dispatch is None
    switch.off("all", by="ann")
    await changed(plans)
    assert plans.outage(SUPPORT) is None


async def test_the_plans_of_a_file_are_in_force_as_the_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "plans.toml"
    file.write_text("")
    old = time.time() - 60
    plans = PlansInForce(PlansFile(file), OutageFile(tmp_path / "outages.json"), period=0.05)
    before = plans.plan(SUPPORT)
    file.write_text("this is no plan")
    os.utime(file, (old, old))
    await changed(plans)
    assert plans.problem
    assert plans.plan(SUPPORT) == before


@pytest.mark.parametrize("room", ["call-1", "call-2"])
async def test_without_files_every_call_has_the_built_in_plan(room: str, tmp_path: Path) -> None:
    plans = PlansInForce(None, OutageFile(tmp_path / "outages.json"))
    view = CallView(call=Call(room))
    assert plans.plan(view).name == "default"
    assert plans.limits(view).absent == 8.0
