from __future__ import annotations

import time
from typing import Any

import pytest

from onhook.sentinel.sightings import HostLease, LeasedJob
from onhook.sentinel.signals.leases import Leases
from onhook.sentinel.signals.refusals import Reason, RefusedError
from onhook.sentinel.signals.signed_bodies import SignedBodies
from tests.sentinel.signals.events import KEY, SECRET, event, lease, lease_token, signed


class Now:
    def __init__(self, at: float = 1764000000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def taken(body: bytes, header: str = "") -> HostLease:
    leases = Leases(SignedBodies({KEY: SECRET}))
    return leases.receive(leases.token(header or lease_token(body)), body)


def refused(body: bytes, header: str = "") -> Reason:
    with pytest.raises(RefusedError) as caught:
        taken(body, header)
    assert SECRET not in str(caught.value)
    return caught.value.reason


def test_a_lease_tells_of_its_calls() -> None:
    job = {"room": "r", "agent": "a", "job": "AJ_1", "released": "done", "rescue_until": 12.5}
    assert taken(lease(jobs=[job], of_tomorrow=1)) == HostLease(
        "h1", 3.0, (LeasedJob("r", "a", "AJ_1", "done", 12.5),)
    )
    assert taken(b'{"host": "h1", "ttl": 3}') == HostLease("h1", 3.0)
    assert taken(b'{"host": "h1", "ttl": 0, "jobs": []}') == HostLease("h1", 0.0), "a goodbye"


def test_for_a_long_word_no_host_is_taken_for_lost() -> None:
    job = {"room": "r", "agent": "a", "job": "j", "released": "x" * 9999, "rescue_until": 1e9}
    (kept,) = taken(lease(jobs=[job])).jobs
    assert (len(kept.released), kept.rescue_until) == (512, 600.0)


def test_a_lease_that_is_not_signed_for_its_body_is_forged() -> None:
    body = lease("r")
    assert refused(body, signed(body, secret="x" * 40)) is Reason.FORGED
    assert refused(body, lease_token(lease("s"))) is Reason.FORGED
    assert refused(body, signed(body, sha256=None, exp=int(time.time()) + 30)) is Reason.FORGED


def test_a_token_may_not_count_for_hours() -> None:
    body = lease("r")
    assert taken(body, lease_token(body, ttl=100)).host == "h1"
    assert refused(body, lease_token(body, ttl=3600)) is Reason.STALE


@pytest.mark.parametrize(
    "fields",
    [
        {"host": ""},
        {"host": "h" * 600},
        {"ttl": 0, "jobs": [{"room": "r", "agent": "a", "job": "j"}]},
        {"ttl": -1},
        {"ttl": 3600},
        {"ttl": "3"},
        {"jobs": [{"room": "", "agent": "a", "job": "j"}]},
        {"jobs": [{"room": "r", "agent": "a", "job": ""}]},
        {"jobs": [{"room": "r" * 600, "agent": "a", "job": "j"}]},
        {"jobs": [{"room": "r"}]},
        {"jobs": 7},
    ],
)
def test_what_is_no_lease_is_malformed(fields: dict[str, Any]) -> None:
    assert refused(lease(**fields)) is Reason.MALFORMED
    assert refused(event("room_finished")) is Reason.MALFORMED


def test_a_lease_of_more_calls_than_a_host_can_hold_is_oversized() -> None:
    assert len(taken(lease(*map(str, range(2000)))).jobs) == 2000
    assert refused(lease(*map(str, range(2001)))) is Reason.OVERSIZED
    assert refused(lease("x" * 2_000_000)) is Reason.OVERSIZED


def test_two_leases_alike_within_a_second_count_and_a_recording_does_not() -> None:
    now = Now()
    leases = Leases(SignedBodies({KEY: SECRET}), clock=now)
    body = lease("r")
    header = signed(body, nbf=int(now.at), exp=int(now.at) + 60)
    for later in (0.0, 0.9):
        now.at += later
        assert leases.receive(leases.token(header), body).host == "h1"
    now.at += 3
    with pytest.raises(RefusedError) as caught:
        leases.receive(leases.token(header), body)
    assert caught.value.reason is Reason.REPLAYED
    fresh = signed(body, nbf=int(now.at), exp=int(now.at) + 60)
    assert leases.receive(leases.token(fresh), body).host == "h1"
