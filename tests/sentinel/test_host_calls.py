from __future__ import annotations

import pytest

from onhook.sentinel.host_calls import HostCalls
from onhook.sentinel.host_leases import HostLeases, HostStanding
from onhook.sentinel.sightings import HostLease, LeasedJob

NAME = "worker-7-4711-0123abcd"


def lease(*jobs: LeasedJob, host: str = NAME, ttl: float = 3.0) -> HostLease:
    return HostLease(host=host, ttl=ttl, jobs=jobs)


def job(room: str, released: str = "") -> LeasedJob:
    return LeasedJob(room=room, agent="agent", job=f"AJ_{room}", released=released)


def asked(leases: HostLeases, now: float, host: str = "worker-7") -> HostCalls:
    return HostCalls.of(host, leases.standings(now))


def test_a_host_with_calls_is_not_safe_and_one_without_is() -> None:
    leases = HostLeases()
    leases.take(lease(job("a"), job("b")), 10.0)
    assert asked(leases, 11.0) == HostCalls("worker-7", 2, False)
    leases.take(lease(job("b")), 12.0)
    assert asked(leases, 12.5) == HostCalls("worker-7", 1, False)
    leases.take(lease(), 13.0)
    assert asked(leases, 13.5) == HostCalls("worker-7", 0, True)


def test_a_call_that_its_agent_has_left_on_purpose_needs_no_host() -> None:
    leases = HostLeases()
    leases.take(lease(job("a", released="a colleague has it")), 10.0)
    assert asked(leases, 11.0).safe


def test_a_lease_that_has_lapsed_says_nothing() -> None:
    leases = HostLeases()
    leases.take(lease(), 10.0)
    told = asked(leases, 13.5)
    assert (told.calls, told.safe) == (None, None)
    assert "lapsed" in told.why


def test_one_that_has_said_goodbye_has_no_calls() -> None:
    leases = HostLeases()
    leases.take(lease(job("a")), 10.0)
    leases.take(lease(ttl=0.0), 11.0)
    assert asked(leases, 20.0) == HostCalls("worker-7", 0, True)


def test_all_watchdogs_of_a_host_count() -> None:
    """One that was told to end watches its last calls, beside the next one."""
    leases = HostLeases()
    leases.take(lease(job("a"), host="worker-7-1-00000001"), 10.0)
    leases.take(lease(job("b"), host="worker-7-2-00000002"), 10.0)
    leases.take(lease(job("c"), host="worker-70-3-00000003"), 10.0)
    assert asked(leases, 11.0).calls == 2
    assert asked(leases, 11.0, "worker-7-2-00000002").calls == 1


@pytest.mark.parametrize("host", ["", "worker", "worker-7-4711", "other"])
def test_nobody_answers_for_a_host_that_is_not_known(host: str) -> None:
    told = HostCalls.of(host, [HostStanding(NAME, covered=True, ended=False, calls=0)])
    assert (told.calls, told.safe) == (None, None)


def test_a_long_name_is_found_by_what_its_watchdog_tells_of_it() -> None:
    long = "h" * 80
    standing = HostStanding(f"{long[:60]}-1-00000001", covered=True, ended=False, calls=3)
    assert HostCalls.of(long, [standing]).calls == 3
