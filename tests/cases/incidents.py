"""What the journal tells of one room, asked by the command that users ask."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Incident", "incidents_of"]

_NEWEST = "1000"
_COMMAND = 60.0


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident.

    Args:
        fault: What was judged.
        severity: How bad it was judged.
        detail: In which words.
        at: When it was opened, on the monotonic clock.
        rungs: What was tried, in order; where it was only observed, what would have been.
        spoke: When onhook began to speak, each time.
        ending: How it ended.
        ring: Who opened it.
        observed: Whether nothing was done on purpose.
    """

    fault: str
    severity: str
    detail: str
    at: float
    rungs: tuple[str, ...]
    spoke: tuple[float, ...]
    ending: str
    ring: str
    observed: bool = False

    @property
    def speaks(self) -> bool:
        """Whether anything was said to the caller, or would have been."""
        return any("say" in rung.lower() for rung in self.rungs)

    @property
    def acts(self) -> bool:
        """Whether anything was done, or would have been, other than leaving the call as it is."""
        return any(not rung.lower().startswith("keep") for rung in self.rungs)


async def incidents_of(journal: Path, room: str) -> Sequence[Incident]:
    """Return what is recorded of a room, oldest first."""
    if not journal.exists():
        return ()
    listed = await _ask(journal, "list", "--limit", _NEWEST)
    found = [await _ask(journal, "show", i["incident"]) for i in listed if i["room"] == room]
    return sorted((_incident(each) for each in found), key=lambda i: i.at)


def _incident(whole: Mapping[str, Any]) -> Incident:
    steps = [step for step in whole["timeline"] if step["step"] in ("intent", "rung")]
    speaks = (step for step in steps if step["step"] == "intent" and "say" in _rung(step).lower())
    observed = whole["ending"] == "observed" and not steps
    rungs = tuple(dict.fromkeys(map(_rung, steps)))
    if observed:
        rungs = tuple(str(whole["outcome"]).rpartition(": ")[2].split(", "))
    return Incident(
        fault=whole["fault"],
        severity=whole["severity"],
        detail=whole["detail"],
        at=_monotonic(whole["opened_at"]),
        rungs=rungs,
        spoke=tuple(_monotonic(step["at"]) for step in speaks),
        ending=whole["ending"] or "",
        ring=whole["timeline"][0]["ring"],
        observed=observed,
    )


def _rung(step: Mapping[str, Any]) -> str:
    return str(step["subject"])


def _monotonic(iso: str) -> float:
    return dt.datetime.fromisoformat(iso).timestamp() - time.time() + time.monotonic()


async def _ask(journal: Path, *words: str) -> Any:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "onhook.cli", "incidents", *words, "--json"),
        env={**os.environ, "ONHOOK_JOURNAL": str(journal)},
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(_COMMAND):
        out, _ = await process.communicate()
    assert process.returncode == 0, f"`onhook incidents {words[0]}` failed"
    return json.loads(out)
