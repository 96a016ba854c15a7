from __future__ import annotations

from onhook.sentinel.breaker import Breaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def seconds_open(breaker: Breaker, clock: Clock) -> float:
    began = clock.now
    while breaker.open:
        clock.now += 0.5
    return clock.now - began


def test_it_opens_after_some_failures_for_longer_each_time_and_one_success_closes_it() -> None:
    clock = Clock()
    breaker = Breaker(failures=3, pause=1.0, longest=5.0, clock=clock)
    lengths: list[float] = []
    for _ in range(7):
        breaker.failed()
        lengths.append(seconds_open(breaker, clock))
    assert lengths == [0.0, 0.0, 1.0, 2.0, 4.0, 5.0, 5.0]
    breaker.failed()
    breaker.succeeded()
    assert seconds_open(breaker, clock) == 0.0
    breaker.failed()
    assert seconds_open(breaker, clock) == 0.0
