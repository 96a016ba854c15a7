"""Runs the chosen cases several at a time, against one stack; every test awaits its own."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import tempfile
import traceback
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from livekit import api

from tests.capacity import calls_at_once
from tests.cases.case import Case, Surroundings
from tests.cases.connector_leg import ConnectorLeg
from tests.cases.expected import Result
from tests.cases.incidents import Incident, incidents_of
from tests.cases.layout import Call, Ending, Simulator, Stack
from tests.cases.scene import Scene, agent_name
from tests.line.bench import Worker, worker

__all__ = ["MODULE", "OBSERVED", "SideBySide", "worker_env"]

AT_ONCE = int(os.environ.get("CASES_AT_ONCE", "0"))
"""Calls at a time; 0 for as many as the machine holds, 3 on two cores."""
OBSERVED = os.environ.get("ONHOOK_MODE", "").strip().lower() == "observe"
"""Whether the guards only observe: then the moments of the judgements count."""
LONGEST = 300.0
"""Seconds that one call may take."""
RELEASED = (Ending.BYE_RECEIVED, Ending.REJECTED, Ending.CANCELLED)
MODULE = "tests.cases.agents.worker"
_SETTLE = 0.5
"""Seconds in which what was done last is recorded."""


def worker_env(folder: Path, *, control: bool) -> dict[str, str]:
    """Return what a worker in that folder needs of its own."""
    env = {"CASES_AGENT": agent_name(folder), "XDG_STATE_HOME": str(folder / "state")}
    return {**env, "ONHOOK_ACTIVE": "0"} if control else env


class SideBySide:
    """The cases under way.

    Args:
        stack: The servers.
        cases: What will be asked for, in that order.
        folder: For logs, journals and what the phones heard.
        control: Whether the guards are switched off.
        journals: Where others than the workers' own record incidents.
    """

    def __init__(
        self,
        stack: Stack,
        cases: Sequence[Case],
        folder: Path,
        *,
        control: bool,
        journals: Sequence[Path] = (),
    ) -> None:
        self.control = control
        self._journals = tuple(journals)
        self.results: dict[Case, Result] = {}
        self._stack = stack
        self._folder = folder
        self._at_once = AT_ONCE or calls_at_once(3)
        self._places = asyncio.Semaphore(self._at_once)
        self._starting = asyncio.Lock()
        self._closing = contextlib.AsyncExitStack()
        self._shared: asyncio.Task[Worker] | None = None
        self._cases = sorted(cases, key=lambda each: each.alone)
        self._tasks: dict[Case, asyncio.Task[Result]] = {}
        self._plays = itertools.count(1)
        self._workers = itertools.count(1)
        self.workers: list[Worker] = []

    async def __aenter__(self) -> SideBySide:
        for each in self._cases:
            self._tasks[each] = asyncio.create_task(self._in_turn(each), name=each.name)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._closing.aclose()

    async def result(self, case: Case) -> Result:
        """Return what became of a case, as soon as it is over."""
        return await self._tasks[case]

    async def _in_turn(self, case: Case) -> Result:
        async with contextlib.AsyncExitStack() as places:
            for _ in range(self._at_once if case.alone else 1):
                await places.enter_async_context(self._places)
            result = self.results[case] = await self.play(case)
        return result

    async def play(self, case: Case) -> Result:
        """Hold one call now, and return what became of it."""
        folder = self._folder / f"{case.name}-{next(self._plays)}"
        folder.mkdir()
        async with contextlib.AsyncExitStack() as closing:
            simulator = await closing.enter_async_context(Simulator(case.script))
            try:
                running = await self._worker_for(case, closing)
            except Exception as error:  # one worker that does not start ends one case
                return Result(trouble=f"no worker: {error!r}")
            scene = Scene(case, self._stack, running, simulator, folder, self._starting, closing)
            scene.control = self.control
            trouble = ""
            try:
                async with asyncio.timeout(LONGEST):
                    await case.drive(scene)
            except Exception as error:  # what was heard until then is told all the same
                trouble = f"{type(error).__name__}: {error}".splitlines()[0]
                await asyncio.to_thread((folder / "trouble.txt").write_text, traceback.format_exc())
            return await self._look(scene, trouble)

    async def _look(self, scene: Scene, trouble: str) -> Result:
        """Take down what the phone and the journal have of a call, and end it."""
        if (call := scene.judged) is None:
            return Result(trouble=trouble or "nobody called")
        report = call.report()
        await asyncio.sleep(_SETTLE)
        journals = (scene.worker.log.parent / "incidents.db", *self._journals)
        incidents = [i for each in journals for i in await incidents_of(each, scene.room)]
        zero = scene.struck or report.answered_at or report.invited_at
        sounds = [report.hearing.first_sound(at, new=True) for i in incidents for at in i.spoke]
        spoken = min((at for at in sounds if at is not None), default=None)
        ended = report.ended_at if report.ending in RELEASED else None
        moments = (spoken, ended)
        if OBSERVED:
            moments = _judged(incidents)
        words, over = (None if at is None else at - zero for at in moments)
        result = Result(
            words=words,
            released=over,
            silence=report.hearing.longest_silence(zero),
            how=report.how,
            incidents=incidents,
            trouble=trouble,
        )
        if ended is not None and trouble:  # a caller can do no more when their call is over
            result.trouble = ""
            scene.unseen.append(trouble)
        if not OBSERVED or scene.case.expected.healthy:
            result.wrong = [*(f"not seen: {what}" for what in scene.unseen)]
        if OBSERVED:
            result.wrong += _done(scene.case, incidents, ended)
        result.wrong += scene.case.expected.check(result)
        with contextlib.suppress(Exception):  # a recording that cannot be written harms nothing
            await asyncio.to_thread(call.save, scene.folder / "heard.wav")
            await asyncio.to_thread(_write_requests, scene, zero)
        await self._end(scene, call)
        return result

    async def _end(self, scene: Scene, call: Call | ConnectorLeg) -> None:
        """Leave nothing of a call behind that would take the others' time."""
        with contextlib.suppress(Exception):
            await call.hang_up()
        with contextlib.suppress(Exception):
            async with scene.api() as server, asyncio.timeout(10):
                await server.room.delete_room(api.DeleteRoomRequest(room=scene.room))

    # -- workers

    async def _worker_for(self, case: Case, closing: contextlib.AsyncExitStack) -> Worker:
        if case.own is not None:
            async with self._starting:
                return await closing.enter_async_context(self._worker(case.own))
        if self._shared is None or self._is_over(self._shared):
            self._shared = asyncio.create_task(self._start_shared())
        return await asyncio.shield(self._shared)

    async def _start_shared(self) -> Worker:
        return await self._closing.enter_async_context(self._worker(Surroundings()))

    @staticmethod
    def _is_over(started: asyncio.Task[Worker]) -> bool:
        if not started.done():
            return False
        return started.exception() is not None or started.result().process.returncode is not None

    @contextlib.asynccontextmanager
    async def _worker(self, own: Surroundings) -> AsyncIterator[Worker]:
        folder = self._worker_folder(own)
        env = {name: text.replace("{folder}", str(folder)) for name, text in own.env.items()}
        wrap = [word.replace("{folder}", str(folder)) for word in own.wrap]
        env |= worker_env(folder, control=self.control)
        async with worker(self._stack, folder, MODULE, wrap=wrap, **env) as running:
            self.workers.append(running)
            yield running

    def _worker_folder(self, own: Surroundings) -> Path:
        name = f"w{next(self._workers)}"  # short, as the path of a socket must be
        if own.owner is None:
            folder = self._folder / name
            folder.mkdir()
        else:  # the folders of pytest are for the user who runs it
            folder = Path(tempfile.mkdtemp(prefix=f"onhook-{name}-"))
            self._closing.callback(shutil.rmtree, folder, ignore_errors=True)
        (folder / "run").mkdir(mode=0o700)
        if own.owner is not None:
            for path in (folder, folder / "run"):
                os.chown(path, own.owner, own.owner)
        return folder


def _judged(incidents: Sequence[Incident]) -> tuple[float | None, float | None]:
    """Return when words would have been said first, and when the call would have been ended."""
    acts = [each for each in incidents if each.acts]
    words = (each.at for each in acts if each.speaks)
    ends = (each.at for each in acts if each.severity != "impaired")
    return min(words, default=None), min(ends, default=None)


def _done(case: Case, incidents: Sequence[Incident], ended: float | None) -> Iterator[str]:
    """Tell what was done to a call that was only to be observed."""
    for each in incidents:
        if each.acts and not each.observed:
            yield f"{', '.join(each.rungs)} was done about {each.fault}"
    if ended is not None and not case.expected.healthy:
        yield "the call was ended"


def _write_requests(scene: Scene, zero: float) -> None:
    """Write down what the agent asked its provider for, in seconds since the fault."""
    lines = [
        f"{each.at - zero:7.2f} {each.endpoint} {each.fault} {each.text!r}"
        for each in scene.simulator.requests
    ]
    (scene.folder / "requests.txt").write_text("\n".join([scene.room, *lines]))
