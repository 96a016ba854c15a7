"""How a sentinel is: for `onhook sentinel status`, and for who asks whether it works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onhook import settings as places
from onhook.sentinel.parts import Parts
from onhook.sentinel.signals.receiver import Receiver
from onhook.sinks.journal.case_file import iso

__all__ = ["failing", "status"]


def failing(parts: Parts) -> list[str]:
    """Return what keeps a sentinel from its work now."""
    found = []
    if parts.poll.error is not None:
        found.append(f"LiveKit's API: {parts.poll.error}")
    if parts.attendance.breaker.open:
        found.append("LiveKit's API fails too often: suspicions are not followed for a while")
    if parts.plans.problem:
        found.append(f"the file of plans: {parts.plans.problem}")
    if parts.records.keeper.problem:
        found.append(f"call records: {parts.records.keeper.problem}")
    if (health := parts.fleet.health) is not None and health.degraded:
        found.append(f"this sentinel goes on alone since {iso(health.since)}: {health.why}")
    return found


def status(parts: Parts, receiver: Receiver, since: float) -> Mapping[str, Any]:
    """Return how a sentinel is, for `onhook sentinel status`; nothing secret.

    Args:
        parts: It.
        receiver: What it has heard.
        since: When it was started, in seconds since 1970.
    """
    now = parts.clock()
    polled = parts.poll.listed_at
    return {
        "since": round(since),
        "mode": "observe" if parts.given.observe else "act",
        "calls": len(parts.table),
        "callers_waiting": sum(1 for _ in parts.table.uneasy(now)),
        "incidents": {
            "under_way": len(parts.attendance.pool),
            "endings": dict(parts.attendance.endings),
            "faults": dict(parts.attendance.faults),
            "unconfirmed": parts.attendance.unconfirmed,
        },
        "api_spent": {str(use): count for use, count in parts.budget.spent.items()},
        "api_held_back": {str(use): count for use, count in parts.budget.held_back.items()},
        "webhooks": dict(receiver.events),
        "refused": {source: dict(r.counts) for source, r in receiver.refused.items()},
        "leases": receiver.lease_count,
        "polls": {"last": None if polled is None else f"{now - polled:.1f} s ago"},
        "second_dispatches": parts.second.sent,
        "scanners": parts.scanners.removed,
        "canaries": {agent: str(r.state) for agent, r in parts.canaries.latest.items()},
        "outages": [outage.what for outage in parts.plans.outages],
        "records": parts.records.status(),
        "journal": str(parts.given.journal or places.places().journal or "none"),
        "fleet": parts.fleet.status(),
        "failing": failing(parts),
    }
