"""The versions of livekit-agents that we know, and what an older one lacks."""

from __future__ import annotations

import functools
import importlib
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = [
    "FEATURES",
    "KNOWN",
    "Feature",
    "framework_version",
    "loop_monitor_may_crash",
    "tell_of_version",
    "tell_once",
]

logger = logging.getLogger("onhook")

KNOWN = (1, 8)
"""The newest minor version that this was run with."""


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that not every supported version has.

    Args:
        name: What it is.
        since: The first version that has it.
        without: What is different without it.
        there: Returns whether this version has it.
    """

    name: str
    since: str
    without: str
    there: Callable[[], bool]


def _has(module: str, path: str) -> bool:
    try:
        found = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return False
    return True


def framework_version() -> str:
    """Return the version of livekit-agents that is installed."""
    framework: Any = importlib.import_module("livekit.agents")  # a watchdog does without it
    return str(framework.__version__)


@functools.cache  # once for a process
def tell_of_version() -> None:
    """Say in one line what this version lacks, or that it is newer than any we know."""
    version = framework_version()
    off = [feature for feature in FEATURES if not feature.there()]
    if off:
        lacking = "; ".join(f"{each.name} (since {each.since}): {each.without}" for each in off)
        logger.info("livekit-agents %s lacks %s", version, lacking)
    minor = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if minor > KNOWN:
        logger.warning(
            "livekit-agents %s is newer than %s.%s, the newest that onhook was tested with: what "
            "it relies on may have changed. Look for a newer onhook",
            *(version, *KNOWN),
        )


@functools.cache
def tell_once(what: str, cost: str) -> None:
    """Say once that something was not found where it used to be.

    Args:
        what: What was not found.
        cost: What does not work without it.
    """
    logger.warning("livekit-agents %s has no %s: %s", framework_version(), what, cost)


def loop_monitor_may_crash() -> bool:
    """Return whether jobs run with a monitor of their loop that their Python may not survive.

    Its thread reads the stack of the loop's thread while that one runs (since 1.8.1,
    `telemetry/loop_monitor.py`), and Python before 3.12 may end by signal 11
    (DataDog/dd-trace-py #13567).
    """
    if sys.version_info >= (3, 12):
        return False
    try:
        monitor: Any = importlib.import_module("livekit.agents.telemetry.loop_monitor")
        return monitor.LoopMonitorThresholds.from_env() is not None
    except (ImportError, AttributeError):
        return False


def _waits_for_a_busy_provider() -> bool:
    exceptions: Any = importlib.import_module("livekit.agents")
    return bool(exceptions.APIStatusError("busy", status_code=429).retryable)


FEATURES = (
    Feature(
        "`permissions` of a room's participants",
        "1.5.1",
        "a rescue asks the server who may speak, and takes everybody for company when it is down",
        lambda: _has("livekit.rtc", "RemoteParticipant.permissions"),
    ),
    Feature(
        "`retryable` of a 408, 429 or 499",
        "1.5.13",
        "`providers` does not ask a busy provider again that stands alone: the turn has failed",
        _waits_for_a_busy_provider,
    ),
    Feature(
        "`inference.VAD`",
        "1.6.1",
        "`providers(stt=[...])` with recognisers that do not stream takes livekit-plugins-silero, "
        "or asks for `vad=`",
        lambda: _has("livekit.agents.inference", "VAD"),
    ),
    Feature(
        "the event `tool_execution_updated`",
        "1.6.5",
        "the tasks of tools are looked for four times a second",
        lambda: _has("livekit.agents", "ToolExecutionUpdatedEvent"),
    ),
    Feature(
        "`SpeechHandle.exception()`",
        "1.6.5",
        "an incident does not name what a speech ended with, if no error event does",
        lambda: _has("livekit.agents.voice", "SpeechHandle.exception"),
    ),
)
"""What some supported versions lack; the README has the same table."""
