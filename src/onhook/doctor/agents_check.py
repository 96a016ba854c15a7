"""Whether the agents of the rules are there: asked, and judged."""

from __future__ import annotations

import asyncio
import difflib
import os
from collections.abc import MutableSequence, Sequence
from typing import TYPE_CHECKING

from onhook.doctor.api_probe import ApiProbe
from onhook.doctor.findings import Finding, Unchecked
from onhook.doctor.rules import agents_of
from onhook.doctor.server_probe import Routes, waiting_calls
from onhook.doctor.workers import (
    canary_answers,
    judge_canaries,
    judge_names,
    judge_unnamed,
    judge_waiting,
    judge_workers,
    worker_answer,
)
from onhook.livekit import Credentials, ServerApi
from onhook.sentinel.canary import Canaries, CanaryState
from onhook.sentinel.canary_settings import CanarySettings

if TYPE_CHECKING:
    from onhook.doctor.examination import Order

__all__ = ["check_agents"]

_MOST_CANARIES = 10
_ALIKE = 0.8
"""How alike two names are of which one is the other, misspelled."""


async def check_agents(
    order: Order,
    probe: ApiProbe,
    credentials: Credentials,
    *,
    routes: Routes,
    registered: Sequence[str],
    unnamed: Sequence[str],
    now: float,
    unchecked: MutableSequence[Unchecked],
) -> Sequence[Finding]:
    """Look for the agents that rules send, in every way that was ordered.

    Args:
        order: What is to be looked at.
        probe: Sends requests.
        credentials: Server and key.
        routes: What the server told of trunks and rules.
        registered: The names under which the agents' files register.
        unnamed: Where they register without one.
        now: Seconds since 1970.
        unchecked: Takes what could not be looked at.
    """
    wanted = agents_of(routes.rules_listed)
    found: list[Finding] = list(judge_waiting(await waiting_calls(probe, now=now)))
    answers = await asyncio.gather(
        *(worker_answer(address, timeout=order.timeout) for address in order.workers)
    )
    found += judge_workers(answers, wanted)
    if not os.environ.get("LIVEKIT_AGENT_NAME"):  # which livekit-agents takes in its place
        found += judge_unnamed(unnamed, wanted)
    for name in registered:
        # other agents may be other files': only what looks misspelled is one of this file
        near = difflib.get_close_matches(name, wanted, n=1, cutoff=_ALIKE)
        if name not in wanted and near and near[0] not in registered:
            found += judge_names([name], near, "the agent's file registers")
    if order.canary and wanted:
        found += await _canaries(order, credentials, wanted, unchecked)
    elif wanted and not order.workers:
        unchecked.append(
            Unchecked(
                f"whether a worker has {', '.join(map(repr, wanted[:3]))}",
                "--canary asks: it makes a room for each agent and deletes it; --worker HOST:8081 "
                "asks a worker",
            )
        )
    return found


async def _canaries(
    order: Order,
    credentials: Credentials,
    wanted: Sequence[str],
    unchecked: MutableSequence[Unchecked],
) -> Sequence[Finding]:
    async with ServerApi(credentials, timeout=order.timeout) as server:
        canaries = Canaries(CanarySettings(), server, spend=lambda _: True)
        results = await canary_answers(canaries, wanted[:_MOST_CANARIES])
    for result in results:
        if result.state is CanaryState.UNKNOWN:
            unchecked.append(Unchecked(f"whether {result.agent!r} takes calls", result.detail))
    return list(judge_canaries(results))
