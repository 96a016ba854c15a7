"""How many calls a host answers for: whether it is safe to stop it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from onhook.sentinel.host_leases import HostStanding

__all__ = ["HostCalls"]

_WATCHDOG = re.compile(r"(?P<host>.+)-\d+-[0-9a-f]{8}")
"""A watchdog's id: its host's name, its process and a word of its own (`daemon/lease.py`)."""
_LONGEST = 60
"""Characters of a host's name in it."""


@dataclass(frozen=True, slots=True)
class HostCalls:
    """What is known of one host.

    Args:
        host: Its name.
        calls: How many calls it answers for; `None` if that is not known.
        safe: Whether nobody would be cut off by its end; `None` if that is not known.
        why: Why not, in one sentence; empty where it is known.
    """

    host: str
    calls: int | None
    safe: bool | None
    why: str = ""

    @classmethod
    def of(cls, host: str, standings: Iterable[HostStanding]) -> HostCalls:
        """Add up what a host's watchdogs have told.

        Args:
            host: Its name, or the id of one of its watchdogs.
            standings: Those of all watchdogs that are known.
        """
        told = [one for one in standings if _is_of(one.name, host)]
        if not told:
            return cls(host, None, None, "no watchdog of this host has sent a lease of late")
        if silent := [one for one in told if not (one.covered or one.ended)]:
            names = ", ".join(one.name for one in silent[:3])
            return cls(host, None, None, f"its latest lease has lapsed: {names}")
        calls = sum(one.calls for one in told)
        return cls(host, calls, calls == 0)


def _is_of(watchdog: str, host: str) -> bool:
    found = _WATCHDOG.fullmatch(watchdog)
    return watchdog == host or (found is not None and found["host"] == host[:_LONGEST])
