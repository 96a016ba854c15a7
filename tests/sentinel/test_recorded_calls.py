"""The calls of a real server, judged as recorded: with webhooks, without, with unreliable ones."""

from __future__ import annotations

import random
from collections.abc import Iterator

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onhook.sentinel.calls import CallTable
from onhook.sentinel.detectors import suspicion
from onhook.sentinel.limits import Limits
from onhook.sentinel.sightings import Sighting
from tests.sentinel.recorded_log import FOLDER, Line, load

LIMITS = Limits()
STEP = 0.25
LINES = load(FOLDER / "calls.jsonl")
POLL = 4
"""Of so many lists of rooms one is used: they were asked for every half second, not every two."""

Arrivals = list[tuple[float, tuple[Sighting, ...]]]


def polls() -> Iterator[Line]:
    count, used = 0, False
    for line in LINES:
        if line.kind == "rooms":
            count, used = count + 1, count % POLL == 0
        if used and line.kind in ("rooms", "members"):
            yield line


POLLS: Arrivals = [(line.at, line.sightings) for line in polls()]
WEBHOOKS: Arrivals = [(line.at, line.sightings) for line in LINES if line.kind == "webhook"]
NOTES = {line.content["text"]: line.at for line in LINES if line.kind == "note"}
KILLED = NOTES["an agent's process was killed in mid-call"]
RINGS = NOTES["a caller rings, and no worker is registered"]


def suspected(arrivals: Arrivals) -> dict[tuple[str, str], float]:
    """Return what is suspected of which room, and when first."""
    table = CallTable()
    coming = sorted(arrivals, key=lambda arrival: arrival[0])
    found: dict[tuple[str, str], float] = {}
    now, at = LINES[0].at, 0
    while at < len(coming):
        while at < len(coming) and coming[at][0] <= now:
            for sighting in coming[at][1]:
                table.take(sighting, now)
            at += 1
        for view in table.views(now):
            if (found_now := suspicion(view, now, LIMITS)) is not None:
                found.setdefault((view.room, str(found_now.fault)), now)
        now += STEP
    return found


ALL = suspected([*POLLS, *WEBHOOKS])


def test_the_two_broken_calls_are_suspected_and_the_two_healthy_ones_are_not() -> None:
    faults = sorted(fault for _, fault in ALL)
    assert faults == ["agent.absent", "call.abandoned_legs"]
    (absent, abandoned) = (ALL[key] for key in sorted(ALL, key=lambda key: key[1]))
    assert 8.0 <= absent - RINGS <= 9.0
    # LiveKit notices the death after 20 s; until then the agent is there by its books
    assert 20.0 + 8.0 <= abandoned - KILLED <= 31.0


def test_without_webhooks_the_same_is_found_a_poll_later_at_most() -> None:
    found = suspected(POLLS)
    assert found.keys() == ALL.keys()
    assert all(ALL[key] - STEP <= at <= ALL[key] + 2.5 for key, at in found.items())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False))
def test_lost_doubled_late_and_shuffled_webhooks_change_no_verdict(chance: random.Random) -> None:
    kept = [each for each in WEBHOOKS if chance.random() >= 0.3]
    kept += [each for each in kept if chance.random() < 0.3]
    late = [(at + chance.random() * 3, told) for at, told in kept]
    found = suspected([*POLLS, *late])
    assert found.keys() == ALL.keys()
    assert all(ALL[key] - STEP <= at <= ALL[key] + 3.5 for key, at in found.items())
