"""Three agents, twenty calls, and an evening on which much goes wrong.

After each step it is printed what page, metrics, records and doctor tell, and compared with what
the phones had. Exits 1 where they tell another story.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

from rich.console import Console

from onhook.bench.phone import Ending, Phone
from onhook.bench.phone.call_report import Report
from onhook.bench.stack import Route, Stack
from onhook.redaction import masked_number
from tests.line.bench import Bench, Worker, worker
from tests.sentinel.evening.operator import Operator
from tests.sentinel.evening.prometheus_server import Prometheus, prometheus
from tests.sentinel.line.calls import PlainCall, call_to
from tests.sentinel.line.sentinels import free_port, sentinel

QUIET = 4.0
"""Seconds of a healthy call after its greeting."""
NOBODY = "+15559900"
"""A number that rings at an agent whose worker was never started."""
OUT = "+15559901"
"""The number of the outage."""


say = Console(highlight=False, soft_wrap=True, markup=False).print


class Evening:
    """One evening.

    Args:
        stack: The servers.
        operator: Looks at all of it.
        alerts: Judges by the alert rules.
    """

    def __init__(self, stack: Stack, operator: Operator, alerts: Prometheus) -> None:
        self.stack = stack
        self.operator = operator
        self.alerts = alerts
        self.reports: list[tuple[str, Report]] = []
        self.wrong: list[str] = []

    def check(self, what: str, holds: bool, seen: object = "") -> None:
        say(f"  {'ok ' if holds else 'NOT'} {what}" + ("" if holds else f": {seen}"))
        if not holds:
            self.wrong.append(what)

    async def healthy(self, front: Worker, bench: Bench) -> None:
        """Six calls, three at a time, which their callers end."""
        for turn in range(2):
            await asyncio.gather(
                self._plain_call(front, "front-desk", f"front-{turn}a"),
                self._plain_call(front, "front-desk", f"front-{turn}b"),
                self._guarded_call(bench),
            )

    async def healthy_again(self, front: Worker) -> None:
        """Three calls more, one after the other."""
        for turn in "xyz":
            await self._plain_call(front, "front-desk", f"front-{turn}")

    async def _plain_call(self, at: Worker, agent: str, name: str) -> None:
        async with call_to(self.stack, at, name, agent=agent) as call:
            await call.greeted()
            await asyncio.sleep(QUIET)
            await call.phone.hang_up()
            self.reports.append(("caller", call.phone.report()))

    async def _guarded_call(self, bench: Bench) -> None:
        scenario = bench.scenario("is_quiet", "default")
        async with Phone() as phone:
            call = await bench.call_in(phone, scenario)
            await bench.worker.wait("greeted", scenario["id"])
            await asyncio.sleep(QUIET)
            await call.hang_up()
            self.reports.append(("caller", call.report()))

    async def crash(self, bench: Bench) -> None:
        """An agent that raises in mid-call: its guard speaks, and hangs up."""
        scenario = bench.scenario("raises_after_answer", "default")
        async with Phone() as phone:
            call = await bench.call_in(phone, scenario)
            report = await call.ended(timeout=60)
        self.reports.append(("onhook", report))
        self.check("the caller of a crash was released", report.ending is Ending.BYE_RECEIVED)

    async def lost_host(self, billing: Worker) -> None:
        """A worker is killed with two calls on it; no onhook runs beside it."""
        async with contextlib.AsyncExitStack() as calls:
            held: list[PlainCall] = []
            for name in ("billing-a", "billing-b"):
                placed = call_to(self.stack, billing, name, agent="billing")
                held.append(await calls.enter_async_context(placed))
                await held[-1].greeted()
            os.killpg(billing.process.pid, signal.SIGKILL)
            for call in held:
                report = await call.phone.ended(timeout=60)
                self.reports.append(("onhook", report))
                self.check("a killed worker's caller is free", report.ending is not None)

    async def nobody(self) -> None:
        """Three calls to a number whose agent has no worker."""
        await self.stack.add_route(Route(NOBODY, "never-started", "{}"), ringing=180.0)
        for _ in range(3):
            await self._dial(NOBODY, "onhook")

    async def outage(self) -> None:
        """Two calls while the number's outage is on: they are told so, and released."""
        await self.stack.add_route(Route(OUT, "front-desk", '{"id": "out"}'), ringing=180.0)
        await self.operator.turn(
            "on",
            scope="number",
            value=OUT,
            by="evening",
            reason="billing is down",
            **{"for": "15m"},
        )
        await asyncio.sleep(3.0)  # two looks at the switch
        for _ in range(2):
            await self._dial(OUT, "onhook")

    async def _dial(self, number: str, ended_by: str) -> None:
        assert self.stack.sip_address
        async with Phone() as phone:
            call = await phone.dial(number, server=self.stack.sip_address)
            report = await call.ended(timeout=60)
        self.reports.append((ended_by, report))
        self.check(f"a caller of {number} is not left", report.ending is not None)

    async def deploy(self, bench: Bench) -> None:
        """The guarded worker drains with a call on it; it may be stopped only after that."""
        scenario = bench.scenario("is_quiet", "default")
        env = {"ONHOOK_RUNTIME_DIR": str(bench.worker.place.folder)}
        asker = Operator(self.operator.url, {**self.operator.env, **env}, self.operator.folder)
        async with Phone() as phone:
            call = await bench.call_in(phone, scenario)
            await bench.worker.wait("greeted", scenario["id"])
            code, said = await asker.run("drain")
            self.check("while a call is on, drain says no", code == 1, said)
            bench.worker.process.send_signal(signal.SIGTERM)
            waiting = asyncio.create_task(asker.run("drain", "--wait", "--timeout", "60"))
            await asyncio.sleep(6.0)
            report = call.report()
            self.check("the call goes on while its worker drains", report.ending is None)
            self.check("drain waits for it", not waiting.done())
            await call.hang_up()
            self.reports.append(("caller", call.report()))
        code, said = await waiting
        self.check("then drain says yes", code == 0, said)

    async def story(self, title: str, *shot: str) -> None:
        """Print what the operator sees now."""
        say(f"  {title}: {len(self.reports)} calls so far")
        for path in shot:
            await self.operator.photograph(f"/{path}", f"{len(self.reports):02}-{path}")

    async def expect(self, *names: str) -> None:
        """Compare the alerts that fire with those that should."""
        for name in names:
            await self.alerts.fires(name)
        fire = await self.alerts.alerts()
        self.check(f"alerts: {', '.join(sorted(fire)) or 'none'}", set(names) == fire, names)

    async def compare(self) -> None:
        """Compare the records with the phones' own reports."""
        expected = Counter(who for who, _ in self.reports)
        async with asyncio.timeout(30):
            while len(records := await self.operator.records()) < len(self.reports):  # noqa: ASYNC110 - another process
                await asyncio.sleep(1.0)
        told = Counter(str(record["ended_by"]) for record in records)
        self.check(f"records: one a call, {dict(told)}", told == expected, (told, expected))
        faults = Counter(str(record["fault"]) or "none" for record in records)
        say(f"  faults in the records: {dict(faults)}")


async def main() -> int:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="onhook-evening-"))
    for part in "fbg":
        (folder / part).mkdir(parents=True, exist_ok=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with contextlib.AsyncExitStack() as ends:
        stack = await ends.enter_async_context(Stack(webhooks=[f"{url}/webhook"]))
        enter = ends.enter_async_context
        one = {"ONHOOK_TEST_IDLE": "2"}
        front = await enter(
            worker(stack, folder / "f", "tests.agents.plain", ONHOOK_TEST_AGENT="front-desk", **one)
        )
        billing = await enter(
            worker(stack, folder / "b", "tests.agents.plain", ONHOOK_TEST_AGENT="billing", **one)
        )
        bookings = await enter(
            worker(stack, folder / "g", ONHOOK_SENTINEL=url, ONHOOK_TEST_DRAIN="120", **one)
        )
        listed = [
            option for each in (front, billing, bookings) for option in ("--worker", http_of(each))
        ]
        running = await enter(sentinel(stack, folder / "sentinel", port, *listed))
        alerts = await enter(prometheus(f"127.0.0.1:{port}", folder / "prometheus"))
        env = {
            **stack.env,
            "ONHOOK_SENTINEL": url,
            "ONHOOK_JOURNAL": str(running.path),
            "ONHOOK_OUTAGES": str(folder / "sentinel" / "outages.json"),
        }
        evening = Evening(stack, Operator(url, env, folder), alerts)
        await act(evening, front, billing, Bench(stack, bookings))
    say(f"screenshots: {folder}")
    say(f"{len(evening.wrong)} of the checks do not hold" if evening.wrong else "all checks hold")
    return 1 if evening.wrong else 0


async def act(evening: Evening, front: Worker, billing: Worker, bench: Bench) -> None:
    operator, check = evening.operator, evening.check
    say("before the first call")
    code, said = await operator.run("doctor", "--json")
    say(f"  doctor: exit {code}: {said[:2000]}")
    check("the sentinel is ready", await operator.ready() == 200)

    say("six healthy calls")
    await evening.healthy(front, bench)
    await evening.story("healthy", "calls")
    incidents = await operator.text("/incidents")
    await evening.expect()
    check("no incident is shown", "inc_" not in incidents, incidents[:300])

    say("three crashes")
    for _ in range(3):
        await evening.crash(bench)
    await evening.story("crashes", "incidents")
    await evening.expect("OnhookSilentCallRate")
    check("the page shows them", "entrypoint.raised" in await operator.text("/incidents"))

    say("a worker is killed with two calls on it")
    await evening.lost_host(billing)
    await evening.story("a lost host", "incidents", "workers")

    say("a number without a worker")
    await evening.nobody()
    await evening.story("nobody", "incidents")
    await evening.expect("OnhookSilentCallRate", "OnhookAgentAbsent")
    check("the page shows agent.absent", "agent.absent" in await operator.text("/incidents"))

    say("an outage")
    await evening.outage()
    await evening.story("an outage", "outages")
    check("the page shows the outage", masked_number(OUT) in await operator.text("/outages"))
    on = {k: v for k, v in (await operator.metrics()).items() if "outage" in k}
    check("the metrics tell of the outage", any(v == 1 for v in on.values()), on)
    await operator.turn("off", by="evening")

    say("a deploy")
    await evening.deploy(bench)
    say("three healthy calls more")
    await evening.healthy_again(front)
    await evening.compare()
    await evening.story("the end", "calls", "records")
    for name, value in sorted((await operator.metrics()).items()):
        if re.match(r"onhook_\w*(incidents|records|calls|outage)\w*(_total)?\{", name) and value:
            say(f"  {name} {value:g}")
    code, said = await operator.run("sentinel", "calls", "--since", "1h")
    say(said)


def http_of(running: Worker) -> str:
    """Return the address of a worker's HTTP port, as its log tells it."""
    found = re.search(r"HTTP server listening on ([\d.]+:\d+)", running.log.read_text())
    assert found, running.tail()
    return f"http://{found[1]}"


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
