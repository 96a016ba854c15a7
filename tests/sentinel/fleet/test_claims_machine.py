"""SQLite and Redis compared with memory, under every order of requests and lapses."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from onhook.incident import Ending
from onhook.rescue.events import RescueEvent
from onhook.sentinel.fleet.claims import Claim, ClaimLostError, Finished, LocalClaims, Refused
from onhook.sentinel.fleet.memory_claims import MemoryClaims
from onhook.sentinel.fleet.redis_claims import RedisClaims
from onhook.sentinel.fleet.redis_client import RedisClient, Script
from onhook.sentinel.fleet.sqlite_claims import SqliteClaims
from tests.sentinel.fleet.redis_server import RedisServer
from tests.sentinel.fleet.telling import climbed, intent, opened, outcome

CALLS = ("RM_1", "RM_2")
OWNERS = ("a", "b", "c")
EVENTS: tuple[RescueEvent, ...] = (opened(), intent(), climbed(), intent(rung="hang_up", at=4.0))
TTLS = st.sampled_from([100.0, 1000.0])
ENDINGS: tuple[Ending, ...] = ("released", "taken_over")

_T = TypeVar("_T")

_SHIFT = Script(
    """
-- time passes for every lease, since nobody can set the server's clock
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local call = ARGV[2] .. name
  redis.call('ZINCRBY', KEYS[1], -tonumber(ARGV[1]), name)
  local there = redis.call('HGET', call, 'until')
  if there then
    redis.call('HSET', call, 'until', string.format('%.0f', tonumber(there) - tonumber(ARGV[1])))
  end
end
return {}
"""
)


class Fixture:
    """One back end beside the model, both under one clock.

    Args:
        kind: Which.
        url: Of the Redis server.
        folder: For the file.
    """

    def __init__(self, kind: str, url: str, folder: Path) -> None:
        self.now = 5000.0
        self.kind = kind
        self.fleet = uuid.uuid4().hex
        self.client = RedisClient(url) if kind == "redis" else None
        self.claims: LocalClaims
        if self.client is not None:
            self.claims = RedisClaims(self.client, fleet=self.fleet, clock=lambda: self.now)
        else:
            path = folder / f"{self.fleet}.db"
            self.claims = SqliteClaims(path, clock=lambda: self.now)
        self.model = MemoryClaims(clock=lambda: self.now)

    async def passes(self, seconds: float) -> None:
        self.now += seconds
        if self.client is not None:
            prefix = f"{{onhook:{self.fleet}}}:"
            keys = [prefix + "open"]
            await self.client.run(_SHIFT, keys, int(seconds * 1000), prefix + "call:")

    async def aclose(self) -> None:
        if self.client is not None:
            await self.client.aclose()
        elif isinstance(self.claims, SqliteClaims):
            await self.claims.aclose()


class ClaimsMachine(RuleBasedStateMachine):
    """A claim is kept as a pair: of the model, and of the back end."""

    kind = ""
    url = ""
    folder = Path()

    pairs = Bundle("pairs")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.fixture = Fixture(self.kind, self.url, self.folder)
        self.greatest: dict[str, int] = {}
        self.outcomes: dict[tuple[str, int], tuple[str, str]] = {}

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self.loop.run_until_complete(work)

    def both(self, method: str, first: Any, second: Any, *more: Any) -> tuple[Any, Any]:
        """Ask both the same; an error is an answer."""
        answers = []
        for claims, claim in ((self.fixture.model, first), (self.fixture.claims, second)):
            try:
                answers.append(self.run(getattr(claims, method)(claim, *more)))
            except ClaimLostError as error:
                answers.append(str(error).removesuffix("; Redis may have lost its data"))
        return answers[0], answers[1]

    @rule(
        target=pairs, call=st.sampled_from(CALLS), owner=st.sampled_from(OWNERS), ttl=TTLS,
        beyond=st.booleans(),
    )  # fmt: skip
    def claim(self, call: str, owner: str, ttl: float, beyond: bool) -> Any:
        answers: list[Any] = []
        for claims in (self.fixture.model, self.fixture.claims):
            known = self.run(claims.done(call)) if beyond else None
            least = known.token if known else 0
            answers.append(self.run(claims.claim(call, owner, ttl, beyond=least)))
        model, real = answers
        assert type(model) is type(real)
        if isinstance(real, Claim):
            assert real.until == model.until
            assert real.token > self.greatest.get(call, 0)
            self.greatest[call] = real.token
            return (model, real)
        assert isinstance(real, Refused)
        assert model.owner == real.owner
        assert model.until == pytest.approx(real.until, abs=2.0)
        self.same(model.finished, real.finished)
        return multiple()

    @rule(pair=pairs, ttl=TTLS, events=st.lists(st.sampled_from(EVENTS), max_size=3))
    def renew(self, pair: tuple[Claim, Claim], ttl: float, events: list[RescueEvent]) -> None:
        model, real = self.both("renew", *pair, ttl, events)
        if isinstance(model, Claim):
            assert isinstance(real, Claim), real
            assert real.until == model.until
        else:
            assert model == real

    @rule(pair=pairs, ending=st.sampled_from(ENDINGS), events=st.booleans())
    def finish(self, pair: tuple[Claim, Claim], ending: Ending, events: bool) -> None:
        call = pair[0].call
        told = outcome(call, ending)
        model, real = self.both("release", *pair, told, EVENTS[:1] if events else ())
        assert model == real

    @rule(pair=consumes(pairs))
    def give_back(self, pair: tuple[Claim, Claim]) -> None:
        model, real = self.both("release", *pair, None)
        assert model == real

    @rule(call=st.sampled_from(CALLS))
    def forget(self, call: str) -> None:
        self.both("forget", call, call)
        self.outcomes = {key: kept for key, kept in self.outcomes.items() if key[0] != call}

    @rule(seconds=st.sampled_from([50.0, 100.0, 500.0, 1000.0]))
    def time_passes(self, seconds: float) -> None:
        self.run(self.fixture.passes(seconds))

    @invariant()
    def what_is_read_is_the_same(self) -> None:
        for call in CALLS:
            model, real = self.both("done", call, call)
            self.same(model, real)
            if real is not None:
                told = (real.incident, real.ending)
                assert self.outcomes.setdefault((call, real.token), told) == told
            first, second = self.both("events", call, call)
            assert list(first) == list(second)
        for method in ("lapsed", "recent"):
            first, second = self.both(method, 10, 10)
            if method == "lapsed":  # at the same moment, in any order
                first, second = sorted(first), sorted(second)
            assert first == second, method

    def same(self, model: Finished | None, real: Finished | None) -> None:
        assert (model is None) == (real is None)
        if model is not None and real is not None:
            for name in ("incident", "ending", "detail", "owner"):
                assert getattr(model, name) == getattr(real, name)

    def teardown(self) -> None:
        self.run(self.fixture.aclose())
        self.loop.close()
        asyncio.set_event_loop(None)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_like_the_model(kind: str, redis_server: RedisServer) -> None:
    with tempfile.TemporaryDirectory() as folder:
        machine = type("Machine", (ClaimsMachine,), {
            "kind": kind, "url": redis_server.url, "folder": Path(folder),
        })  # fmt: skip
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=40,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
