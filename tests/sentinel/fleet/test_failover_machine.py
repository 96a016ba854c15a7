"""Three sentinels that lose sight of what they share, each when it likes, in every order."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from onhook.incident import Ending
from onhook.sentinel.fleet.claims import Claim, ClaimLostError, Finished
from onhook.sentinel.fleet.link import Link
from tests.sentinel.fleet.telling import intent, opened, outcome
from tests.sentinel.fleet.test_failover import RESCUE, TTL, Fleet

NAMES = ("a", "b", "c")
CALLS = ("RM_1", "RM_2")

_T = TypeVar("_T")


class FailoverMachine(RuleBasedStateMachine):
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.fleet = Fleet(*NAMES)
        self.accepted: dict[str, set[str]] = {}
        """By call: who was told that its outcome is kept."""
        self.finished: dict[str, Finished] = {}
        self.count = 0

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self.loop.run_until_complete(work)

    @initialize()
    def start(self) -> None:
        self.run(self.fleet.start())

    @rule(target=claims, who=st.integers(0, 2), call=st.sampled_from(CALLS))
    def claim(self, who: int, call: str) -> Any:
        node = self.fleet.nodes[who]
        knows = node.name in self.accepted.get(call, ())
        way = node.way
        reached = node.claims.health.link is Link.REACHED and not (way.cut or way.loses_answer)
        answer = self.run(node.claim(call))
        if not isinstance(answer, Claim):
            return multiple()
        assert not knows, "begun again by who had finished it"
        assert not (reached and call in self.finished), "begun again although it was finished"
        return (who, answer)

    @rule(pair=claims)
    def renew(self, pair: tuple[int, Claim]) -> None:
        who, claim = pair
        self.count += 1
        told = [opened(claim.call), intent(claim.call, at=float(self.count))]
        try:
            renewed = self.run(self.fleet.nodes[who].claims.renew(claim, TTL, told))
        except ClaimLostError:
            return
        assert renewed.token == claim.token
        assert renewed.until == self.fleet.clock.now + TTL

    @rule(pair=consumes(claims), ending=st.sampled_from(["released", "transferred"]))
    def finish(self, pair: tuple[int, Claim], ending: Ending) -> None:
        who, claim = pair
        node = self.fleet.nodes[who]
        told = outcome(claim.call, ending, node.name)
        try:
            self.run(node.claims.release(claim, told, [opened(claim.call)]))
        except ClaimLostError:
            return
        self.accepted.setdefault(claim.call, set()).add(node.name)

    @rule(pair=consumes(claims))
    def give_back(self, pair: tuple[int, Claim]) -> None:
        who, claim = pair
        try:
            self.run(self.fleet.nodes[who].claims.release(claim, None))
        except ClaimLostError:
            return

    @rule(who=st.integers(0, 2), cut=st.booleans())
    def cut_or_mend(self, who: int, cut: bool) -> None:
        self.fleet.nodes[who].way.cut = cut

    @rule(who=st.integers(0, 2))
    def lose_the_next_answer(self, who: int) -> None:
        self.fleet.nodes[who].way.loses_answer = True

    @rule(who=st.integers(0, 2))
    def probe(self, who: int) -> None:
        self.run(self.fleet.nodes[who].claims.probe())

    @rule(seconds=st.sampled_from([0.5, 2.0, 5.0, TTL, RESCUE + TTL]))
    def time_passes(self, seconds: float) -> None:
        self.fleet.clock.now += seconds

    @invariant()
    def an_outcome_never_changes(self) -> None:
        for call in CALLS:
            done = self.run(self.fleet.shared.done(call))
            if done is None:
                assert call not in self.finished, "an outcome has gone"
                continue
            known = self.finished.setdefault(call, done)
            assert (known.token, known.ending, known.detail) == (
                *(done.token, done.ending, done.detail),
            )

    def teardown(self) -> None:
        try:
            self.come_together()
        finally:
            self.loop.close()
            asyncio.set_event_loop(None)

    def come_together(self) -> None:
        """All is told in the end, and nothing that was accepted is lost."""
        for node in self.fleet.nodes:
            node.way.cut = node.way.loses_answer = False
        for _ in range(3):  # an answer that was lost ends, its call is claimed again, and that ends
            self.run(self.fleet.settle())
            self.fleet.clock.now += RESCUE + TTL  # who holds a call has died
        for node in self.fleet.nodes:
            health = node.claims.health
            assert (health.link, health.owed) == (Link.REACHED, 0), node.name
        for call, names in self.accepted.items():
            done = self.run(self.fleet.shared.done(call))
            assert done, f"the outcome of {names} is lost"
            assert done.detail in names, "an outcome that nobody has told"
        self.an_outcome_never_changes()


FailoverMachine.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestFailoverMachine = FailoverMachine.TestCase
