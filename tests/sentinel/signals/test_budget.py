from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onhook.errors import PolicyError
from onhook.sentinel.signals.budget import Budget, Use


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def drained(budget: Budget, use: Use) -> int:
    sent = 0
    while budget.spend(use):
        sent += 1
    return sent


def test_looking_round_leaves_a_reserve_for_what_cannot_wait() -> None:
    budget = Budget(300, clock=Clock())
    assert drained(budget, Use.MEMBERS) == 36
    assert drained(budget, Use.PROBE) == 12
    assert drained(budget, Use.CONFIRM) == 11
    assert budget.left == 1, "for the next list of rooms"
    assert budget.spend(Use.ROOMS)
    assert budget.confirm(2)
    assert budget.spend(Use.RESCUE, 10)
    assert budget.spent == {
        Use.MEMBERS: 36,
        Use.PROBE: 12,
        Use.CONFIRM: 11,
        Use.ROOMS: 1,
        Use.RESCUE: 12,
    }
    assert budget.held_back == {Use.MEMBERS: 1, Use.PROBE: 1, Use.CONFIRM: 3}


def test_what_a_rescue_took_is_paid_back_by_what_can_wait() -> None:
    clock = Clock()
    budget = Budget(300, clock=clock)
    for _ in range(5000):
        assert budget.spend(Use.RESCUE)
    assert budget.left == -60
    clock.now = 15.0
    assert not budget.spend(Use.CONFIRM)
    clock.now = 16.0
    assert budget.spend(Use.CONFIRM)
    clock.now = 30.0
    assert budget.spend(Use.MEMBERS), "looking round goes on within half a minute"


def test_while_the_server_wants_less_only_what_must_be_is_sent() -> None:
    clock = Clock()
    budget = Budget(300, clock=clock)
    budget.hold(10)
    budget.hold(5)
    assert [use for use in Use if budget.spend(use)] == [Use.ROOMS, Use.RESCUE]
    clock.now = 10.0
    assert all(budget.spend(use) for use in Use)


MAY_WAIT = [Use.MEMBERS, Use.PROBE, Use.CONFIRM, Use.CANARY]
POLL = 2.0


@settings(max_examples=60)
@given(
    st.integers(60, 1000),
    st.lists(st.tuples(st.floats(0, 20), st.sampled_from(MAY_WAIT)), max_size=40),
)
def test_no_minute_sees_more_than_the_budget_whatever_is_asked_beside_the_polls(
    per_minute: int, moments: list[tuple[float, Use]]
) -> None:
    clock = Clock()
    budget = Budget(per_minute, clock=clock)
    sent: list[float] = []
    next_poll = 0.0
    for pause, use in moments:
        until = clock.now + pause
        while next_poll <= until:
            clock.now = next_poll
            assert budget.spend(Use.ROOMS)
            sent.append(clock.now)
            next_poll += POLL
        clock.now = until
        sent += [clock.now] * drained(budget, use)
    for at in sent:
        assert sum(at <= other < at + 60 for other in sent) <= per_minute


def test_a_budget_for_nothing_is_refused() -> None:
    with pytest.raises(PolicyError, match="at least 10"):
        Budget(9)


def test_what_is_spare_is_what_looking_round_may_spend() -> None:
    clock = Clock()
    budget = Budget(300, clock=clock)
    assert budget.spare == 36
    while budget.spend(Use.MEMBERS):
        pass
    assert budget.spare < 1
    assert budget.free(Use.PROBE) == pytest.approx(12)
    assert budget.spend(Use.PROBE, 12)
    assert budget.spare == 0
