"""Hosts that are lost with all that is on them, and agents that take long: `make sentinel-rows`."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import psutil
import pytest
import pytest_asyncio
from livekit import api

from onhook.bench.phone import Ending
from onhook.bench.phone.call_report import Report
from onhook.bench.stack import Stack
from onhook.livekit.credentials import Credentials
from onhook.livekit.voice_packets import sends_voice
from onhook.sinks.journal import Step
from tests.line.bench import Bench, Worker, phone_for, worker
from tests.sentinel.line.agent_host import AgentHost, agent_host, can_make_hosts
from tests.sentinel.line.calls import call_to, server
from tests.sentinel.line.conftest import Watched
from tests.sentinel.line.sentinels import RunningSentinel, free_port, sentinel
from tests.sentinel.line.test_rows import NOISE, last_words, tell

pytestmark = [pytest.mark.case, pytest.mark.asyncio(loop_scope="session")]

logger = logging.getLogger("tests.sentinel")

LOST = 8.0
"""Seconds from the loss of a host to the first word."""
SETUP = 10
WATCHED = 45.0
COUNTED = 5.0
"""Seconds until the sentinel has counted what the phone has heard already."""


async def test_everything_on_a_host_is_killed_at_once(
    watched: Watched, port: int, tmp_path: Path
) -> None:
    address = f"http://127.0.0.1:{port}"
    async with worker(watched.stack, tmp_path, ONHOOK_SENTINEL=address) as host:
        bench = Bench(watched.stack, host)
        scenario = bench.scenario("is_healthy", "default")
        async with phone_for("inbound") as phone:
            call = await bench.call_in(phone, scenario)
            await host.wait("greeted", scenario["id"])
            await leased(watched.sentinel)
            struck = kill_everything(host)
            report = await call.ended(timeout=40.0)
    safe_within(report, struck, LOST, "host killed", watched.sentinel)
    assert watched.sentinel.entries(Step.OPENED)[-1].subject == "host.lost"


async def test_a_worker_that_knows_nothing_of_onhook_is_killed_with_its_jobs(
    watched: Watched, tmp_path: Path
) -> None:
    async with (
        worker(watched.stack, tmp_path, "tests.agents.plain", ONHOOK_TEST_AGENT="lone") as host,
        call_to(watched.stack, host, "lone", agent="lone") as call,
    ):
        await call.greeted()
        await asyncio.sleep(6.0)
        struck = kill_everything(host)
        report = await call.phone.ended(timeout=40.0)
    safe_within(report, struck, LOST, "worker without onhook killed", watched.sentinel)
    assert watched.sentinel.entries(Step.OPENED)[-1].subject == "agent.zombie"


@pytest.mark.parametrize("guard", ["default", "off"])
async def test_everything_on_a_host_stands_still(
    watched: Watched, port: int, tmp_path: Path, guard: str
) -> None:
    """No connection is closed, and nothing comes any more: so it is when a cable is cut."""
    address = f"http://127.0.0.1:{port}"
    async with worker(watched.stack, tmp_path, ONHOOK_SENTINEL=address) as host:
        bench = Bench(watched.stack, host)
        scenario = bench.scenario("is_healthy", guard)
        async with phone_for("inbound") as phone:
            call = await bench.call_in(phone, scenario)
            await host.wait("greeted", scenario["id"])
            await asyncio.sleep(6.0)
            every = processes(host)
            struck = stopped(every)
            report = await call.ended(timeout=40.0)
            for process in every:
                process.kill()
    safe_within(report, struck, LOST, f"host stands still, guard {guard}", watched.sentinel)


async def leased(running: RunningSentinel) -> None:
    async with asyncio.timeout(20.0):
        while not (await running.status())["leases"]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
    await asyncio.sleep(2.0)


def kill_everything(host: Worker) -> float:
    """Kill the worker, its jobs and its watchdog at the same moment; return when."""
    every = processes(host)
    struck = stopped(every)
    for process in every:
        process.kill()
    return struck


def processes(host: Worker) -> list[psutil.Process]:
    leader = psutil.Process(host.process.pid)
    dog = host.watchdog()
    watchdog = [] if dog is None else [psutil.Process(dog)]
    return [leader, *leader.children(recursive=True), *watchdog]


def stopped(every: Sequence[psutil.Process]) -> float:
    """Stop processes at the same moment; return when."""
    struck = time.monotonic()
    for process in every:
        os.kill(process.pid, signal.SIGSTOP)
    return struck


def safe_within(
    report: Report, struck: float, bound: float, what: str, running: RunningSentinel
) -> None:
    words = last_words(report) - struck
    tell(f"{what}: words", words)
    assert words <= bound + NOISE, f"{words:.2f} s\n{running.tail()}"
    assert report.ending is Ending.BYE_RECEIVED


@pytest_asyncio.fixture(loop_scope="session")
async def cable() -> AsyncIterator[AgentHost]:
    if not await can_make_hosts():
        pytest.skip("this machine makes no network namespaces")
    async with agent_host() as host:
        yield host


@pytest.mark.parametrize("guard", ["default", "off"])
async def test_the_cable_of_a_host_is_cut(cable: AgentHost, guard: str, tmp_path: Path) -> None:
    port = free_port()
    hook = f"http://127.0.0.1:{port}/webhook"
    there = {cable.interface: cable.address}
    everywhere = ("--webhook", f"0.0.0.0:{port}")
    async with (
        Stack(folder=tmp_path / "stack", webhooks=[hook], also_at=there) as stack,
        sentinel(stack, tmp_path / "sentinel", port, *everywhere) as running,
        worker(
            stack,
            tmp_path,
            wrap=cable.wrap,
            LIVEKIT_URL=stack.url.replace("127.0.0.1", cable.address),
            ONHOOK_SENTINEL=f"http://{cable.address}:{port}",
        ) as host,
        phone_for("inbound") as phone,
    ):
        bench = Bench(stack, host)
        scenario = bench.scenario("is_healthy", guard)
        call = await bench.call_in(phone, scenario)
        await host.wait("greeted", scenario["id"])
        await asyncio.sleep(6.0)
        struck = time.monotonic()
        await cable.cut()
        report = await call.ended(timeout=40.0)
    safe_within(report, struck, LOST, f"cable cut, guard {guard}", running)


async def test_an_agent_that_sets_up_for_long_keeps_its_caller(
    watched: Watched, plain: Worker
) -> None:
    """Nothing is said to the caller, and a second agent that was sent meanwhile does not stay."""
    before = len(watched.sentinel.entries(Step.OPENED))
    async with call_to(watched.stack, plain, "slow", setup=SETUP) as call:
        answered = await call.phone.answered(timeout=30.0)
        assert answered - call.phone.report().invited_at >= SETUP
        await call.greeted()
        await asyncio.sleep(4.0)
        assert len(await call.agents()) == 1
        await asyncio.sleep(8.0)
        report = call.phone.report()
        await call.phone.hang_up()
    assert report.ending is None, report.how
    assert len(watched.sentinel.entries(Step.OPENED)) == before


async def test_packets_of_a_voice_arrive_while_an_agent_lives(
    watched: Watched, plain: Worker
) -> None:
    """Also where it says nothing for long: that is what the sentinel takes for its life."""
    credentials = Credentials.from_env(watched.stack.env)
    async with call_to(watched.stack, plain, "mute", mute=True) as call:
        await call.greeted()
        identity = str((plain.event("connected", "mute") or {})["agent"])
        await asyncio.sleep(3.0)
        for _ in range(5):
            began = time.monotonic()
            assert await sends_voice(credentials, call.room, identity)
            tell("a voice was found", time.monotonic() - began)
        await call.tell("kill")
        await asyncio.sleep(0.5)
        began = time.monotonic()
        assert await sends_voice(credentials, call.room, identity) is False
        tell("no voice was found", time.monotonic() - began)


async def test_a_healthy_call_is_left_alone(watched: Watched, plain: Worker) -> None:
    before = len(watched.sentinel.entries(Step.OPENED))
    async with call_to(watched.stack, plain, "long-and-well") as call:
        await call.greeted()
        await asyncio.sleep(WATCHED)
        report = call.phone.report()
        await call.phone.hang_up()
        await asyncio.sleep(12.0)
    assert report.ending is None, report.how
    assert len(watched.sentinel.entries(Step.OPENED)) == before


async def test_a_scanner_is_removed_and_never_answered(tmp_path: Path) -> None:
    """A dispatch rule that is for every trunk lets in calls that came by none."""
    port = free_port()
    hook = f"http://127.0.0.1:{port}/webhook"
    async with (
        Stack(folder=tmp_path / "stack", webhooks=[hook]) as stack,
        sentinel(stack, tmp_path / "sentinel", port) as running,
        phone_for("inbound") as phone,
    ):
        await without_trunks(stack)
        assert stack.sip_address
        call = await phone.dial("100", server=stack.sip_address)
        report = await call.ended(timeout=30.0)
        async with asyncio.timeout(COUNTED):
            # the phone knows it before the server has answered
            while not (told := await running.status())["scanners"]:  # noqa: ASYNC110 - a process
                await asyncio.sleep(0.1)
    tell("scanner: removed", (report.ended_at or math.inf) - report.invited_at)
    assert not report.answered
    assert report.how == "rejected 486"
    assert (told["scanners"], told["second_dispatches"]) == (1, 0)
    assert running.entries(Step.OPENED) == []


async def without_trunks(stack: Stack) -> None:
    """Take all trunks and rules away, and make a rule for everybody."""
    async with server(stack) as client:
        rules = await client.sip.list_dispatch_rule(api.ListSIPDispatchRuleRequest())
        for rule in rules.items:
            request = api.DeleteSIPDispatchRuleRequest(
                sip_dispatch_rule_id=rule.sip_dispatch_rule_id
            )
            await client.sip.delete_dispatch_rule(request)
        trunks = await client.sip.list_inbound_trunk(api.ListSIPInboundTrunkRequest())
        for trunk in trunks.items:
            await client.sip.delete_trunk(
                api.DeleteSIPTrunkRequest(sip_trunk_id=trunk.sip_trunk_id)
            )
        individual = api.SIPDispatchRuleIndividual(room_prefix="scan-")
        info = api.SIPDispatchRuleInfo(
            name="everybody",
            rule=api.SIPDispatchRule(dispatch_rule_individual=individual),
            room_config=api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name="desk")]),
        )
        await client.sip.create_dispatch_rule(api.CreateSIPDispatchRuleRequest(dispatch_rule=info))
