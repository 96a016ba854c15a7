"""A sentinel's whole application at a real port, with calls, incidents and files as a test asks."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.applications import Starlette

from onhook import settings
from onhook.call import LegKind, LineState
from onhook.faults import Fault
from onhook.livekit import Credentials
from onhook.rescue.events import Ring
from onhook.sentinel.parts import Parts
from onhook.sentinel.records.call_record import CallRecord
from onhook.sentinel.records.record_store import RecordStore
from onhook.sentinel.sentinel_settings import Address, SentinelSettings
from onhook.sentinel.service import Sentinel
from onhook.sentinel.sightings import MembersListed
from onhook.sentinel.signals.serving import serve
from onhook.sentinel.web.page import Page
from onhook.sinks.journal import Entry, Opening, SqliteJournal, Step
from onhook.tasks import end
from tests.sentinel.signals.events import KEY, SECRET
from tests.sentinel.world import INBOUND, World

TOKEN = "correct-horse-battery-staple"
EVIL = "\"><img src=x onerror=alert(1)><script>alert('xss')</script>{{7*7}}"
TURNED = "safe\u202egnp.exe"
HEBREW = "חדר שיחות 12"
TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "agent.py", line 12, in entrypoint\n'
    "    await session.start(room=ctx.room)\n"
    f"RuntimeError: the caller +15550100123 said {EVIL}\n"
)


@dataclass
class ServedPage:
    """What a test has at hand."""

    page: Page
    parts: Parts
    folder: Path
    app: Starlette
    port: int = 0
    world: World | None = None
    serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve, at the same port as before."""
        begun = asyncio.Event()

        def started(port: int) -> None:
            self.port = port
            begun.set()

        serving = serve(self.app, "127.0.0.1", self.port, started=started)
        self.serving = asyncio.create_task(serving)
        await asyncio.wait_for(begun.wait(), 10)

    async def stop(self) -> None:
        """Serve no longer; what is open is cut."""
        if self.serving is not None:
            await end(self.serving)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def journal(self) -> SqliteJournal:
        return SqliteJournal(self.folder / "incidents.db")

    def calls(self, *, healthy: int = 0, ringing: int = 0, alone: int = 0, room: str = "") -> None:
        """Add calls, each of which the server has listed."""
        table, now = self.parts.table, self.parts.clock()
        self.world = world = self.world or World()
        world.now = now
        states = ["healthy"] * healthy + ["ringing"] * ringing + ["alone"] * alone
        for place, state in enumerate(states):
            name = f"{room or 'call'}-{state}-{place}"
            number = f"+1555010{place:04d}"
            told = {**INBOUND, "sip.phoneNumber": number}
            line = LineState.RINGING if state == "ringing" else LineState.ACTIVE
            world.caller(name, line, f"sip_{number}", told)
            if state == "healthy":
                world.agent(name, f"agent-{place}")
        for _, sighting in world.events:
            table.take(sighting, now)
        world.events.clear()
        for name, held in world.rooms.items():
            table.take(MembersListed(name, now, tuple(held.members.values())), now)

    def call(self, room: str, agent: str, caller: str = "+15550100123") -> None:
        """Add one call with names of its own."""
        table, now = self.parts.table, self.parts.clock()
        self.world = world = self.world or World()
        world.now = now
        told = {**INBOUND, "sip.phoneNumber": caller}
        world.caller(room, LineState.ACTIVE, "sip_x", told)
        if agent:
            world.join(room, "agent-x", LegKind.AGENT, may_speak=False, lk__agent__name=agent)
        for _, sighting in world.events:
            table.take(sighting, now)
        world.events.clear()
        table.take(MembersListed(room, now, tuple(world.rooms[room].members.values())), now)

    def incident(
        self, name: str = "inc_1", *, room: str = "call-1", at: float = 0.0, detail: str = "boom"
    ) -> None:
        """Record an incident of a guard: words, a transfer that failed, words, the release."""
        wall = time.time() - 60 + at
        opening = Opening(
            room,
            job="AJ_1",
            call_id="SCL_1",
            direction="inbound",
            traceback=TRACEBACK,
            evidence={
                "seen": "12.0 s before: the line was answered, or the session began\n"
                "  4.5 s before: the agent's last sound ended"
            },
        )
        steps = (
            (0.0, Step.OPENED, str(Fault.ENTRYPOINT_RAISED), "", detail),
            (0.1, Step.INTENT, "say", "", ""),
            (2.4, Step.RUNG, "say", "done", "said 'One moment please.' (built-in)"),
            (2.5, Step.INTENT, "transfer", "", ""),
            (6.0, Step.RUNG, "transfer", "failed", "486 busy: +15550124999 is taken"),
            (6.1, Step.INTENT, "say", "", ""),
            (9.3, Step.RUNG, "say", "done", "said 'I am sorry.' (built-in)"),
            (9.3, Step.INTENT, "hang_up", "", ""),
            (9.6, Step.RUNG, "hang_up", "done", "the caller is gone"),
            (9.6, Step.CLOSED, "released", "", "the caller was told, and released"),
        )
        with contextlib.closing(self.journal) as journal:
            for after, step, subject, result, said in steps:
                journal.record(
                    Entry(
                        name,
                        step,
                        1000.0 + after,
                        subject,
                        result,
                        said,
                        wall=wall + after,
                        ring=Ring.GUARD,
                        opening=opening if step is Step.OPENED else None,
                    )
                )

    def record(self, name: str = "RM_1/PA_1", **values: object) -> None:
        """Keep a call record."""
        wall = time.time()
        told: dict[str, object] = {
            "room": "call-1",
            "began_at": wall - 100,
            "answered_at": wall - 90,
            "ended_at": wall - 10,
            "number": "+15550199000",
            "caller": "+15550100123",
            "agent": "front-desk",
            **values,
        }
        path = settings.records()
        assert path is not None
        with contextlib.closing(RecordStore(path)) as records:
            records.keep(CallRecord(id=name, **told))  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def served_page(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    token: str = TOKEN,
    plans: Path | None = None,
    workers: tuple[str, ...] = (),
    local: bool = True,
    mounted: Callable[[Starlette], Starlette] = lambda app: app,
) -> AsyncIterator[ServedPage]:
    """Serve a sentinel's application beside its parts, which watch nothing by themselves."""
    monkeypatch.setenv(settings.JOURNAL, str(folder / "incidents.db"))
    monkeypatch.delenv(settings.RECORDS, raising=False)
    given = SentinelSettings(
        webhook=Address(port=0),
        journal=folder / "incidents.db",
        outages=folder / "outages.json",
        plans=plans,
        token=token,
        workers=workers,
    )
    sentinel = Sentinel(given, Credentials("http://127.0.0.1:1", KEY, SECRET))
    page, parts = sentinel._page, sentinel._parts
    served = ServedPage(page, parts, folder, mounted(sentinel.app))
    tasks = [asyncio.create_task(page.run(local=local)), asyncio.create_task(parts.plans.watch())]
    await served.start()
    try:
        yield served
    finally:
        await page.aclose()
        await served.stop()
        await end(*tasks)
        await parts.aclose()
