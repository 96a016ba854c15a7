"""Sentinels that are killed and stopped at random while they rescue: what becomes of the calls?

`python -m tests.sentinel.fleet.chaos [--incidents 200] [--rounds 1] [--seed N] [--redis]` runs
three processes of `chaos_sentinel` on one real Redis, sends kill -9 and SIGSTOP/SIGCONT to them,
and prints what was seen. With `--redis`, Redis is killed and started again too: then two sentinels
may rescue a call that neither sees the other rescue, and what each then tells is of one outcome.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import random
import signal
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from onhook.incident import Result
from onhook.rescue.events import Climbed, Closed, Opened, RescueEvent
from onhook.sentinel.fleet.claims import Finished, FleetUnavailableError
from onhook.sentinel.fleet.redis_claims import RedisClaims
from onhook.sentinel.fleet.redis_client import RedisClient
from tests.sentinel.fleet.chaos_line import API_TIMEOUT, Act, LineServer
from tests.sentinel.fleet.chaos_sentinel import names
from tests.sentinel.fleet.redis_server import RedisServer

__all__ = ["Chaos", "Figures"]

TTL = API_TIMEOUT + 1.0
RUNGS = {"say": 2, "hang_up": 1}


@dataclass(slots=True)
class Figures:
    """What was seen; `wrong` says what must not be."""

    incidents: int
    seconds: float = 0.0
    kills: int = 0
    stops: int = 0
    redis_kills: int = 0
    outcomes: int = 0
    endings: dict[str, int] = field(default_factory=dict)
    taken_over: int = 0
    acts: int = 0
    repeated_on_the_wire: int = 0
    """Acts done again because nobody knew that they had been done: its rescuer died of it."""
    repeated_alone: int = 0
    """Acts done again by a sentinel that could not see who had the call: Redis was gone."""
    superseded: int = 0
    """Outcomes that were told while Redis was gone, and were not the first."""
    retried: int = 0
    """Acts that a sentinel did again itself, since no answer had come in time."""
    late_acts: int = 0
    """Acts of a stopped sentinel that were sent after another had the call: not to be fenced."""
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        told = asdict(self)
        return "\n".join(f"{name:>22}: {value}" for name, value in told.items())


@dataclass(slots=True)
class Sentinel:
    """One process, and what was done to it."""

    owner: str
    process: asyncio.subprocess.Process

    def send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    async def end(self) -> None:
        self.send(signal.SIGCONT)
        self.send(signal.SIGKILL)
        await self.process.wait()


class Chaos:
    """One run.

    Args:
        folder: For Redis.
        incidents: Calls to rescue.
        seed: Decides who is killed, and when.
        longest: Seconds that an act may take.
        every: Seconds between two blows, on the average.
        blows: Seconds from the first act on for which something is done to the sentinels.
        deadline: Seconds for everything.
        redis: Whether Redis is killed too; it writes down every change at once.
    """

    def __init__(
        self,
        folder: Path,
        *,
        incidents: int,
        seed: int,
        longest: float = 0.3,
        every: float = 0.5,
        blows: float = 60.0,
        deadline: float = 120.0,
        redis: bool = False,
    ) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - no secret
        self._redis = RedisServer(folder, kept=redis)
        self._folder = folder
        self._redis_too = redis
        self._over = False
        self._server = LineServer(random.Random(seed + 1), longest)  # noqa: S311 - no secret
        self._every = every
        self._blows = blows
        self._deadline = deadline
        self._fleet = uuid.uuid4().hex
        self._calls = names(incidents)
        self._hit: set[str] = set()
        """Owners that were killed or stopped."""
        self._stopped: set[str] = set()
        self._asleep: set[str] = set()
        self._number = 0
        self._outcomes: dict[str, Finished] = {}
        self.figures = Figures(incidents)

    async def run(self) -> Figures:
        """Run it to the end, and judge."""
        began = time.monotonic()
        self._redis.start()
        client = RedisClient(self._redis.url, connect_timeout=5, read_timeout=5)
        claims = RedisClaims(client, fleet=self._fleet)
        await self._server.start()
        sentinels = [await self._start(place) for place in range(3)]
        try:
            blows = asyncio.create_task(self._strike(sentinels))
            try:
                async with asyncio.timeout(self._deadline):
                    await self._watch(claims, sentinels)
            except TimeoutError:
                self.figures.wrong.append(f"not finished within {self._deadline:g} s")
            self._over = True
            await blows  # Redis is there again after it
            for one in sentinels:  # who was stopped may wake now, and must change nothing
                one.send(signal.SIGCONT)
            await asyncio.sleep(1.0)
            await self._look(claims, self._calls)
            self.figures.seconds = round(time.monotonic() - began, 1)
            await self._judge(claims)
        finally:
            for one in sentinels:
                await one.end()
            await self._server.aclose()
            await client.aclose()
            self._redis.kill()
        return self.figures

    async def _start(self, place: int) -> Sentinel:
        """Start one; who comes after one that was killed finds what that one kept for itself."""
        self._number += 1
        owner = f"s{self._number}"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.sentinel.fleet.chaos_sentinel"),
            *(self._redis.url, self._fleet, str(self._server.port), owner),
            *(str(len(self._calls)), "8", str(TTL)),
            str(self._folder / f"claims-{place}.db"),
            cwd=Path(__file__).parents[3],
            stderr=asyncio.subprocess.DEVNULL,
        )
        return Sentinel(owner, process)

    async def _strike(self, sentinels: list[Sentinel]) -> None:
        waking: set[asyncio.Task[None]] = set()
        await self._first_act()
        until = time.monotonic() + self._blows
        while time.monotonic() < until and not self._over:
            await asyncio.sleep(self._rng.uniform(0.2, 1.8) * self._every)
            if self._redis_too and self._rng.random() < 0.2:
                await self._strike_redis()
            if (place := self._busy(sentinels)) is None:
                continue
            hit = sentinels[place]
            self._hit.add(hit.owner)
            if self._rng.random() < 0.5:
                self.figures.kills += 1
                await hit.end()
                sentinels[place] = await self._start(place)
            else:
                self.figures.stops += 1
                self._stopped.add(hit.owner)
                self._asleep.add(hit.owner)
                hit.send(signal.SIGSTOP)
                waking.add(asyncio.create_task(self._wake(hit)))

    async def _strike_redis(self) -> None:
        self.figures.redis_kills += 1
        self._redis.kill()
        await asyncio.sleep(self._rng.uniform(0.1, 3.0))
        await asyncio.to_thread(self._redis.start)

    def _busy(self, sentinels: Sequence[Sentinel]) -> int | None:
        """Choose one that is just acting: who only starts, or is stopped, has nothing to lose."""
        acting = {act.owner for act in self._server.acts if not act.ended} - self._asleep
        places = [place for place, one in enumerate(sentinels) if one.owner in acting]
        return self._rng.choice(places) if places else None

    async def _first_act(self) -> None:
        while not self._server.acts:  # noqa: ASYNC110 - a server tells nobody
            await asyncio.sleep(0.02)

    async def _wake(self, hit: Sentinel) -> None:
        await asyncio.sleep(self._rng.choice([0.1, TTL - 0.5, TTL, TTL + 0.5, TTL + 1.0]))
        hit.send(signal.SIGCONT)
        self._asleep.discard(hit.owner)

    async def _watch(self, claims: RedisClaims, sentinels: list[Sentinel]) -> None:
        """Wait until every call has an outcome, looking at each again and again."""
        while len(self._outcomes) < len(self._calls):
            with contextlib.suppress(FleetUnavailableError):
                await self._look(claims, self._calls)
            await asyncio.sleep(0.25)
            for place, one in enumerate(sentinels):
                if one.process.returncode not in (None, 0, -signal.SIGKILL):
                    self.figures.wrong.append(f"{one.owner} ended by {one.process.returncode}")
                    sentinels[place] = await self._start(place)

    async def _look(self, claims: RedisClaims, calls: Sequence[str]) -> None:
        for call in calls:
            found = await claims.done(call)
            known = self._outcomes.get(call)
            if found is None:
                if known is not None:
                    self.figures.wrong.append(f"{call}: its outcome has gone")
                continue
            there = (found.token, found.incident, found.ending, found.owner)
            if known is None:
                self._outcomes[call] = found
            elif there != (known.token, known.incident, known.ending, known.owner):
                self.figures.wrong.append(f"{call}: its outcome has changed: {known} {found}")

    async def _judge(self, claims: RedisClaims) -> None:
        figures, server = self.figures, self._server
        figures.outcomes = len(self._outcomes)
        figures.endings = dict(Counter(one.ending for one in self._outcomes.values()))
        figures.taken_over = server.taken_over
        figures.acts = len(server.acts)
        figures.late_acts = sum(act.late for act in server.acts)
        for call in self._calls:
            self._judge_call(call, await claims.events(call))
        for act in server.acts:
            if act.late and act.owner not in self._stopped and not self._redis_too:
                figures.wrong.append(f"{act}: late, and its sentinel was never stopped")

    def _judge_call(self, call: str, events: Sequence[RescueEvent]) -> None:
        wrong = self.figures.wrong
        if call not in self._outcomes:
            wrong.append(f"{call}: no outcome; told: {[type(one).__name__ for one in events]}")
            return
        told = self._server.finished[call]
        self.figures.superseded += max(0, len(told) - 1)
        if len(told) > 1 and not self._redis_too:
            wrong.append(f"{call}: {told} were told that theirs is the outcome")
        released = self._outcomes[call].ending == "released"  # else the machine was too slow
        if released and call not in self._server.released:
            wrong.append(f"{call}: its caller is still there: {self._outcomes[call]}")
        kinds = Counter(type(one) for one in events)
        if (kinds[Opened], kinds[Closed]) != (1, 1) and not self._redis_too:
            wrong.append(f"{call}: opened {kinds[Opened]}, closed {kinds[Closed]} times")
        done = Counter(
            one.report.rung
            for one in events
            if isinstance(one, Climbed) and one.report.result is Result.DONE
        )
        for rung, most in RUNGS.items():
            if done[rung] > most and not self._redis_too:
                wrong.append(f"{call}: {rung} was done, known to be, and done again: {done}")
        acts = [act for act in self._server.acts if act.call == call]
        for rung in {act.rung for act in acts}:
            self._judge_repeats([act for act in acts if act.rung == rung])

    def _judge_repeats(self, acts: Sequence[Act]) -> None:
        """Every act that another did again was of a sentinel that was killed or stopped."""
        for act, again in itertools.pairwise(acts):
            if act.token == again.token:
                self.figures.retried += 1
                continue
            if self._redis_too and act.owner not in self._hit:
                self.figures.repeated_alone += 1
                continue
            if not (act.late or again.late):
                self.figures.repeated_on_the_wire += 1
            if act.owner not in self._hit:
                self.figures.wrong.append(f"{act}: done again, and nothing was done to its owner")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--incidents", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--redis", action="store_true", help="kill Redis too")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    wrong = 0
    for number in range(given.rounds):
        seed = given.seed + number
        with tempfile.TemporaryDirectory() as folder:
            chaos = Chaos(
                Path(folder),
                incidents=given.incidents,
                seed=seed,
                longest=0.6,
                deadline=400.0,
                redis=given.redis,
            )
            figures = asyncio.run(chaos.run())
        sys.stdout.write(f"round {number + 1}, seed {seed}\n{figures}\n\n")
        sys.stdout.flush()
        wrong += len(figures.wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
