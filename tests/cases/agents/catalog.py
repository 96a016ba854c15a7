"""All agents of the cases: importing this registers them."""

from __future__ import annotations

from tests.cases.agents import (
    broken,
    company,
    deaf_and_mute,
    ends,
    hiccups,
    outbound,
    own_feedback,
    realtime,
    silences,
    starts,
    tasks,
    turns,
)

__all__ = [
    "broken",
    "company",
    "deaf_and_mute",
    "ends",
    "hiccups",
    "outbound",
    "own_feedback",
    "realtime",
    "silences",
    "starts",
    "tasks",
    "turns",
]
