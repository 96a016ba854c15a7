"""One guarded job on a fake line, and who watches its incidents."""

from __future__ import annotations

import asyncio

from onhook.incident import Incident, Mode, Outcome, RungReport
from onhook.jobguard.job import GuardedJob
from onhook.policy import Policy
from onhook.sinks.journal import MemoryJournal
from tests.fakes import FakeLine
from tests.jobguard.fakes import FakeJob, FakeRoom, opening


class Watch:
    def __init__(self) -> None:
        self.faults: list[str] = []
        self.outcomes: list[Outcome] = []
        self.errors: list[BaseException | None] = []

    def opened(self, incident: Incident) -> None:
        self.faults.append(str(incident.fault))
        self.errors.append(incident.failure.error)

    def intent(self, incident: Incident, rung: str) -> None: ...

    def climbed(self, incident: Incident, report: RungReport) -> None: ...

    def closed(self, incident: Incident, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


class Guarded:
    """One guarded job on a fake line."""

    def __init__(
        self,
        line: FakeLine,
        policy: Policy | None = None,
        journal: MemoryJournal | None = None,
        room: FakeRoom | None = None,
        mode: Mode = "act",
    ) -> None:
        self.job = FakeJob()
        self.job.room = room or self.job.room
        self.watch = Watch()
        loop = asyncio.get_running_loop()
        self.guard = GuardedJob(
            self.job.ctx,
            policy or Policy(),
            [self.watch],
            journal,
            clock=loop.time,
            open_line=opening(line),
            mode=mode,
        )

    def start(self, entrypoint: object, *, reraise: bool = True) -> asyncio.Task[None]:
        return asyncio.create_task(self.guard.run(entrypoint, reraise=reraise))  # type: ignore[arg-type]


async def returns(_: object) -> None:
    return


async def waits(_: object) -> None:
    await asyncio.Event().wait()


def raising(error: BaseException) -> object:
    async def entrypoint(_: object) -> None:
        raise error

    return entrypoint
