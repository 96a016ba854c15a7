"""The bench for whole calls: real servers, a real worker, a real phone, one clock."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from _pytest.mark.structures import ParameterSet
from livekit import api

from onhook.bench.phone import Answer, Call, Phone, Ring
from onhook.bench.stack import Route, Stack
from onhook.livekit.credentials import Credentials
from onhook.sinks.journal import Entry, SqliteJournal, Step
from onhook.watchdog.client.command import ask, running_pid
from onhook.watchdog.runtime_dir import RuntimeDir, WatchdogFiles

T = TypeVar("T")

AGENT = "faulty"
WORKER_START = 60.0
API = 10.0
FAULT = 30.0

full_form = pytest.mark.case
"""Marks what `make rows` takes and the suite does not."""
_numbers = itertools.count(5550100)
_POLL = 0.02
_AT_ONCE = 2
"""Calls side by side that two cores hold also where others use them."""


def next_number() -> str:
    """Return a number that has no route yet."""
    return f"+1{next(_numbers)}"


@dataclass
class Worker:
    """A worker process and the events its jobs write."""

    process: asyncio.subprocess.Process
    events: Path
    log: Path
    place: WatchdogFiles
    """Where its watchdog is: no other worker's jobs connect there."""

    def event(self, name: str, scenario: str = "") -> dict[str, Any] | None:
        return next(iter(self.events_of(name, scenario)), None)

    def events_of(self, name: str, scenario: str = "") -> list[dict[str, Any]]:
        if not self.events.exists():
            return []
        whole, _, _ = self.events.read_text().rpartition("\n")  # a job may be writing its next one
        events = (json.loads(line) for line in whole.splitlines())
        return [event for event in events if event["event"] == name and event["id"] == scenario]

    async def wait(self, name: str, scenario: str = "", *, deadline: float = FAULT) -> float:
        """Wait until an event is written; return when it was."""
        try:
            async with asyncio.timeout(deadline):
                while (event := self.event(name, scenario)) is None:
                    assert self.process.returncode is None, f"the worker died:\n{self.tail()}"
                    await asyncio.sleep(_POLL)  # jobs are other processes: their file is all we see
        except TimeoutError:
            raise AssertionError(f"no event {name!r} in {deadline} s:\n{self.tail()}") from None
        return float(event["at"])

    @property
    def journal(self) -> SqliteJournal:
        """What the worker's jobs and their watchdog have recorded."""
        return SqliteJournal(self.log.parent / "incidents.db")

    async def closed_incident(self, incident: str, *, deadline: float = FAULT) -> Sequence[Entry]:
        """Wait until the watchdog has closed an incident; return all that is recorded of it."""
        async with asyncio.timeout(deadline):
            while True:
                entries = self.journal.entries(incident)
                if any(e.step is Step.CLOSED and str(e.ring) == "watchdog" for e in entries):
                    return entries
                await asyncio.sleep(_POLL)  # the watchdog is another process

    def watchdog(self) -> int | None:
        """Return the process id of the watchdog of this worker's jobs, if one runs."""
        return running_pid(self.place.socket)

    def watched(self) -> int:
        """Return how many jobs are watched."""
        status = ask(self.place.socket, "status")
        return 0 if status is None else int(status["count"])

    def watchdog_log(self) -> str:
        return self.place.log.read_text() if self.place.log.exists() else ""

    def end_watchdog(self) -> None:
        if (pid := self.watchdog()) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@contextlib.asynccontextmanager
async def worker(
    stack: Stack,
    folder: Path,
    module: str | Sequence[str] = "tests.agents.worker",
    *,
    wrap: Sequence[str] = (),
    **env: str,
) -> AsyncIterator[Worker]:
    """Run a real worker until the context is left, by another command where `wrap` gives one.

    A module starts by the deprecated `cli.run_app`; give a command for any other way.
    """
    log, events = folder / "worker.log", folder / "events.jsonl"
    runtime = Path(env.get("ONHOOK_RUNTIME_DIR", folder / "run"))
    place = RuntimeDir(runtime).of(Credentials.from_env({**stack.env, **env}))
    variables = {
        **os.environ,
        **stack.env,
        "ONHOOK_TEST_EVENTS": str(events),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "ONHOOK_WATCHDOG": "",  # the policy decides
        "ONHOOK_RUNTIME_DIR": str(place.folder),
        "ONHOOK_JOURNAL": str(folder / "incidents.db"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        **env,
    }
    command = [sys.executable, "-m", module, "start"] if isinstance(module, str) else module
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(*wrap, *command),
            env=variables,
            stdout=out,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    running = Worker(process, events, log, place)
    try:
        await running.wait("registered", deadline=WORKER_START)
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        running.end_watchdog()


@dataclass(frozen=True)
class Story:
    """What the engine says it did."""

    ending: str
    text: str
    raised: str
    closed_at: float


@dataclass
class Bench:
    """Places calls that fail as they are told to."""

    stack: Stack
    worker: Worker
    agent: str = AGENT
    ids: itertools.count[int] = field(default_factory=itertools.count)

    def scenario(self, fault: str, guard: str, **more: object) -> dict[str, Any]:
        return {"id": f"s{next(self.ids)}", "fault": fault, "guard": guard, **more}

    async def call_in(self, phone: Phone, scenario: Mapping[str, Any]) -> Call:
        """Dial a number that rings at the faulty agent."""
        number = next_number()
        await self.stack.add_route(Route(number, self.agent, json.dumps(scenario)))
        assert self.stack.sip_address
        return await phone.dial(number, server=self.stack.sip_address)

    async def call_out(self, phone: Phone, scenario: Mapping[str, Any]) -> Call:
        """Let the faulty agent dial the phone."""
        await self.dispatch(phone, scenario)
        return await phone.next_call(timeout=FAULT)

    async def dispatch(self, phone: Phone, scenario: Mapping[str, Any]) -> None:
        """Send the faulty agent to a room of its own, with the phone to call."""
        trunk = await self.stack.add_outbound_trunk("{}:{}".format(*phone.address))
        metadata = json.dumps({**scenario, "trunk": trunk, "callee": phone.number})
        async with self.api() as server, asyncio.timeout(API):
            await server.agent_dispatch.create_dispatch(
                api.CreateAgentDispatchRequest(
                    agent_name=self.agent, room=f"out-{scenario['id']}", metadata=metadata
                )
            )

    async def place(self, direction: str, phone: Phone, scenario: Mapping[str, Any]) -> Call:
        return await (self.call_in if direction == "inbound" else self.call_out)(phone, scenario)

    async def struck(self, scenario: Mapping[str, Any]) -> float:
        """Wait until the fault has struck; return when it did."""
        return await self.worker.wait("fault", scenario["id"])

    async def ready(self, scenario: Mapping[str, Any]) -> str:
        """Wait until an agent that waits for a signal has greeted; return its room."""
        await self.worker.wait("ready", scenario["id"])
        return str((self.worker.event("ready", scenario["id"]) or {})["room"])

    async def signal(self, scenario: Mapping[str, Any]) -> None:
        """Let the fault strike."""
        room = await self.ready(scenario)
        async with self.api() as server, asyncio.timeout(API):
            await server.room.send_data(
                api.SendDataRequest(room=room, data=b"go", kind=api.DataPacket.Kind.RELIABLE)
            )

    async def story(self, scenario: Mapping[str, Any]) -> Story:
        """Wait until the engine has closed the incident."""
        at = await self.worker.wait("closed", scenario["id"])
        event = self.worker.event("closed", scenario["id"]) or {}
        return Story(event["ending"], event["text"], event["raised"], at)

    @property
    def http_url(self) -> str:
        return self.stack.url.replace("ws://", "http://")

    @contextlib.asynccontextmanager
    async def api(self) -> AsyncIterator[api.LiveKitAPI]:
        env = self.stack.env
        async with api.LiveKitAPI(
            env["LIVEKIT_URL"], env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"]
        ) as server:
            yield server


def short_form(groups: Sequence[T], every: int) -> list[T | ParameterSet]:
    """Return parameters of which the suite takes each n-th, and `make rows` all.

    Args:
        groups: The parameters; a tuple holds several.
        every: n.
    """
    return [
        group if number % every == 0 else pytest.param(*_each(group), marks=full_form)
        for number, group in enumerate(groups)
    ]


def _each(group: object) -> tuple[object, ...]:
    return group if isinstance(group, tuple) else (group,)


def phone_for(direction: str, *, never_answers: bool = False) -> Phone:
    """Return a phone that calls, or that is called and answers or rings on."""
    rings_on = direction == "outbound" and never_answers
    return Phone(answering=Ring() if rings_on else Answer(after=0.3))


async def all_well(calls: Sequence[tuple[str, Awaitable[None]]]) -> None:
    """Hold calls side by side, and tell of all that went wrong."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def held(call: Awaitable[None]) -> None:
        async with slots:
            await call

    outcomes = await asyncio.gather(*(held(call) for _, call in calls), return_exceptions=True)
    wrong = [(name, o) for (name, _), o in zip(calls, outcomes, strict=True) if o is not None]
    assert not wrong, "\n".join(f"{name}: {error!r}" for name, error in wrong)
