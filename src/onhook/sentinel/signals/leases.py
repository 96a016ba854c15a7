"""The leases by which watchdogs answer for their hosts' calls, verified and decoded."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from onhook.sentinel.sightings import HostLease, LeasedJob
from onhook.sentinel.signals.refusals import Reason, RefusedError
from onhook.sentinel.signals.seen_ids import SeenIds
from onhook.sentinel.signals.signed_bodies import SignedBodies, Token
from onhook.sentinel.signals.watchdog_messages import LONGEST_TOKEN, WatchdogMessages

__all__ = ["Leases"]

_MOST_JOBS = 2_000
"""Calls of one host; a machine of 64 cores holds some hundreds of agents."""
_LONGEST_NAME = 512
"""Characters; livekit-server allows 256 bytes to a room's name and to an identity."""
_LONGEST_REASON = 512
_LONGEST_TTL = 60.0
_LONGEST_RESCUE = 600.0
"""Seconds. A lease is no way to keep a sentinel away from a call for ever."""
_SAME_SECOND = 2.0
"""Seconds for which the same token may come again: its times are whole seconds, so that of two
leases alike within one second is the same. What comes later is a recording, by which somebody could
keep a lost host among the living."""
_MOST_TOKENS = 20_000


class Leases(WatchdogMessages[HostLease]):
    """Verifies leases and decodes them.

    Args:
        signed: Verifies tokens and bodies.
        tolerance: Seconds by which the host's clock and ours may differ.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        signed: SignedBodies,
        *,
        tolerance: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(signed, HostLease, "lease", tolerance=tolerance, clock=clock)
        self._seen = SeenIds(keep=LONGEST_TOKEN + 2 * tolerance, most=_MOST_TOKENS)

    def receive(self, token: Token, body: bytes) -> HostLease:
        """Verify and decode a body.

        Args:
            token: Its token.
            body: As it came.

        Raises:
            RefusedError: It is not believed.
        """
        lease = self.decoded(token, body)
        _check(lease)
        lease = replace(lease, jobs=tuple(map(_bounded, lease.jobs)))
        now = self._clock()
        before = self._seen.add(token.signature, now)
        if before is not None and abs(now - before) > _SAME_SECOND:
            raise RefusedError(Reason.REPLAYED, f"its token came {now - before:.0f} s ago before")
        return lease


def _check(lease: HostLease) -> None:
    if len(lease.jobs) > _MOST_JOBS:
        raise RefusedError(
            Reason.OVERSIZED, f"it names {len(lease.jobs)} calls; {_MOST_JOBS} are the most"
        )
    goodbye = lease.ttl == 0 and not lease.jobs
    if not (goodbye or 0 < lease.ttl <= _LONGEST_TTL):
        raise RefusedError(
            Reason.MALFORMED,
            f"its ttl is {lease.ttl!r}; give 0 to {_LONGEST_TTL:.0f} s, and 0 without calls alone",
        )
    if not lease.host or len(lease.host) > _LONGEST_NAME or not all(map(_is_named, lease.jobs)):
        raise RefusedError(
            Reason.MALFORMED,
            "its host or one of its calls has no name, or one of more than "
            f"{_LONGEST_NAME} characters",
        )


def _is_named(job: LeasedJob) -> bool:
    longest = max(len(job.room), len(job.agent), len(job.job))
    return bool(job.room and job.job) and longest <= _LONGEST_NAME


def _bounded(job: LeasedJob) -> LeasedJob:
    """Cut what is too much: for a long word's sake no host is taken for lost."""
    until = min(max(job.rescue_until, 0.0), _LONGEST_RESCUE)
    if until == job.rescue_until and len(job.released) <= _LONGEST_REASON:
        return job
    return replace(job, released=job.released[:_LONGEST_REASON], rescue_until=until)
