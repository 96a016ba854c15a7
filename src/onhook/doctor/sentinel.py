"""Whether the sentinel that watchdogs report to is there, and what it knows that is wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import aiohttp

from onhook import settings
from onhook.doctor.findings import Finding, Kind, Level
from onhook.redaction import bounded

__all__ = ["KINDS", "judge_sentinel", "sentinel_status"]

UNREACHABLE = Kind(
    "sentinel.unreachable",
    Level.ERROR,
    "no sentinel answers at `ONHOOK_SENTINEL`",
    "a call that no agent took, or whose host is lost, rings or is silent for ever",
    "start `onhook sentinel run`, or correct ONHOOK_SENTINEL (http://HOST:7899)",
)
NO_SENTINEL = Kind(
    "sentinel.other",
    Level.ERROR,
    "what answers at `ONHOOK_SENTINEL` is no sentinel",
    "a call that no agent took, or whose host is lost, rings or is silent for ever",
    "correct ONHOOK_SENTINEL (http://HOST:7899), or the proxy before it",
)
FAILING = Kind(
    "sentinel.failing",
    Level.ERROR,
    "the sentinel says that something keeps it from its work",
    "calls that it should save may not be saved",
    "mend what it says; `onhook sentinel status` asks it again",
)
OBSERVES = Kind(
    "sentinel.observes",
    Level.NOTE,
    "the sentinel only observes",
    "calls that no agent took are recorded, and not saved",
    "after the first days: run it without --observe",
)
CANARY = Kind(
    "sentinel.canary",
    Level.ERROR,
    "the sentinel has found that an agent takes no calls",
    "the caller hears it ring, and nobody comes",
    "start its workers; `onhook sentinel status` names what was found",
)
NO_WEBHOOKS = Kind(
    "sentinel.no-webhooks",
    Level.WARNING,
    "the sentinel has calls, and has had no webhook",
    "it learns of calls seconds later, and of transfers not at all",
    "name its address in `webhook.urls` of the server: http://HOST:7899/webhook",
)

KINDS: Sequence[Kind] = (UNREACHABLE, NO_SENTINEL, FAILING, OBSERVES, CANARY, NO_WEBHOOKS)

_LARGEST = 1_000_000
"""Bytes of a status."""
_WELL = ("takes calls", "could not be asked")


async def sentinel_status(address: str, *, timeout: float) -> tuple[Mapping[str, Any], str]:
    """Ask a sentinel how it is; return its status, or nothing and what went wrong.

    Args:
        address: `http://HOST:PORT`.
        timeout: Seconds.
    """
    token = settings.sentinel_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with asyncio.timeout(timeout), aiohttp.ClientSession(headers=headers) as session:
            for path in ("/status", "/healthz"):
                async with session.get(f"{address}{path}", allow_redirects=False) as response:
                    body = await response.content.read(_LARGEST)
                    if response.status == 200:
                        told = json.loads(body)
                        return (told, "") if _is_status(told) else ({}, "it answers otherwise")
            return {}, f"it answered {response.status}"
    except TimeoutError:
        return {}, f"no answer within {timeout:g} s"
    except (aiohttp.ClientConnectionError, OSError) as error:
        return {}, f"not reachable: {bounded(str(error), 200)}"
    except (aiohttp.ClientError, ValueError) as error:
        return {}, f"it answers otherwise: {bounded(str(error), 200)}"


def judge_sentinel(address: str, status: Mapping[str, Any], wrong: str) -> Iterator[Finding]:
    """Judge what came of asking.

    Args:
        address: Where it was asked.
        status: What it told.
        wrong: What went wrong.
    """
    if wrong:
        there = wrong.startswith("it ")
        kind = NO_SENTINEL if there else UNREACHABLE
        yield kind.found(address, f"{address}: {wrong}")
        return
    for what in _texts(status.get("failing")):
        yield FAILING.found(address, what)
    if status.get("mode") == "observe":
        yield OBSERVES.found(address, "it was started to observe")
    canaries = status.get("canaries")
    for agent, state in canaries.items() if isinstance(canaries, dict) else ():
        if str(state) not in _WELL:
            yield CANARY.found(str(agent), f"agent {agent!r}: {state}")
    if status.get("calls") and "webhooks" in status and not status["webhooks"]:
        yield NO_WEBHOOKS.found(address, f"it has {status['calls']} calls, and no webhook has come")


def _is_status(told: object) -> bool:
    return isinstance(told, dict) and "webhooks" in told


def _texts(told: object) -> Sequence[str]:
    return tuple(map(str, told)) if isinstance(told, list | tuple) else ()
