"""Which versions are installed here, and what that means to a call."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from onhook.doctor.findings import Finding, Kind, Level

__all__ = ["KINDS", "Installed", "installed", "judge_versions"]

TOO_OLD = Kind(
    "version.unsupported",
    Level.ERROR,
    "livekit-agents is of a version that onhook does not support",
    "the guard may see no fault, or fail itself: it leaves the call alone then",
    "install livekit-agents >= 1.5, < 2",
)
TOO_NEW = Kind(
    "version.untested",
    Level.WARNING,
    "livekit-agents is newer than any that this onhook was tested with",
    "what the guard relies on may have changed, and a fault go unseen",
    "look for a newer onhook; `make compat VERSIONS=newest` tells what works",
)
LACKS = Kind(
    "version.lacks",
    Level.NOTE,
    "livekit-agents lacks something that a newer one has",
    "one way of noticing a fault is not there",
    "upgrade livekit-agents",
)
UNMET = Kind(
    "version.unmet",
    Level.WARNING,
    "a package needs another version of livekit than is installed",
    "agents fail at their start or in the middle of a call, when what is missing is first used",
    "install them together: `pip install -U livekit-agents` and the plugins you use; `pip check`",
)
NO_ATTRIBUTES = Kind(
    "version.no-dispatch-attributes",
    Level.WARNING,
    "livekit-protocol knows no attributes of a dispatch",
    "a second dispatch and a canary cannot be told apart from a first call: neither is sent",
    "upgrade livekit-api and livekit-protocol",
)
LOOP_MONITOR = Kind(
    "version.loop-monitor",
    Level.NOTE,
    "livekit-agents' monitor of the event loop can crash a job on a Python before 3.12",
    "a healthy call may lose its agent: its caller hears the words for a lost call",
    "run Python 3.12 or newer, or set LIVEKIT_AGENTS_LOOP_BLOCK_WARN_MS=0 for the worker",
)

KINDS: Sequence[Kind] = (TOO_OLD, TOO_NEW, LACKS, UNMET, NO_ATTRIBUTES, LOOP_MONITOR)

_LEAST, _BELOW = (1, 5), (2,)
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*\(?([^;)]*)\)?\s*(;.*)?$")
_CLAUSE = re.compile(r"(~=|==|!=|<=|>=|<|>)\s*([0-9][0-9A-Za-z.*+!-]*)")
_OURS = re.compile(r"^(livekit([-_.].*)?|onhook)$")


@dataclass(frozen=True, slots=True)
class Installed:
    """A package that is installed.

    Args:
        name: Its name.
        version: Its version.
        requires: What it needs, as its metadata say.
    """

    name: str
    version: str
    requires: Sequence[str] = ()


def installed() -> Mapping[str, Installed]:
    """Return the packages of livekit and onhook that are installed here, by their names."""
    found: dict[str, Installed] = {}
    for each in importlib.metadata.distributions():
        name = (each.metadata["Name"] or "").lower().replace("_", "-")
        if _OURS.match(name):
            found.setdefault(name, Installed(name, each.version, tuple(each.requires or ())))
    return found


def judge_versions(
    packages: Mapping[str, Installed],
    *,
    newest: tuple[int, ...],
    lacking: Sequence[tuple[str, str, str]] = (),
    attributes: bool = True,
    loop_monitor: bool = False,
) -> Iterator[Finding]:
    """Judge what is installed.

    Args:
        packages: What is.
        newest: The newest minor version of livekit-agents that onhook was tested with.
        lacking: What this version of it lacks: name, since when it is there, what is so without.
        attributes: Whether a dispatch can have attributes.
        loop_monitor: Whether jobs run with a monitor of their loop that may crash this Python.
    """
    agents = packages.get("livekit-agents")
    if agents is not None:
        release = _release(agents.version)
        named = f"livekit-agents {agents.version}"
        if not _LEAST <= release < _BELOW:
            yield TOO_OLD.found("livekit-agents", f"{named} is installed")
        elif release[:2] > newest:
            tested = ".".join(map(str, newest))
            yield TOO_NEW.found("livekit-agents", f"{named} is installed, tested is up to {tested}")
        for name, since, without in lacking:
            yield LACKS.found(
                "livekit-agents", f"{named} has no {name} (since {since})", why=without
            )
        if loop_monitor:
            python = platform.python_version()
            yield LOOP_MONITOR.found("livekit-agents", f"{named} runs it on Python {python}")
    if not attributes:
        yield NO_ATTRIBUTES.found("livekit-protocol", "this livekit-protocol knows none")
    for package in packages.values():
        yield from _unmet(package, packages)


def _unmet(package: Installed, packages: Mapping[str, Installed]) -> Iterator[Finding]:
    for requirement in package.requires:
        read = _REQUIREMENT.match(requirement.strip())
        if read is None or read[3]:  # of an extra, or of another platform
            continue
        needed = packages.get(read[1].lower().replace("_", "-").replace(".", "-"))
        if needed is not None and not _satisfies(needed.version, read[2]):
            yield UNMET.found(
                package.name,
                f"{package.name} {package.version} needs {needed.name} {read[2].strip()}, and "
                f"{needed.version} is installed",
            )


def _satisfies(version: str, clauses: str) -> bool:
    """Return whether a release is one of those asked for; in doubt it is."""
    has = _release(version)
    for operator, wanted in _CLAUSE.findall(clauses):
        if "*" in wanted or not has:
            continue
        against = _release(wanted)
        width = max(len(has), len(against))
        left, right = _padded(has, width), _padded(against, width)
        holds = {
            ">=": left >= right,
            "<=": left <= right,
            ">": left > right,
            "<": left < right,
            "==": left == right,
            "!=": left != right,
            "~=": left >= right and has[: len(against) - 1] == against[:-1],
        }[operator]
        if not holds:
            return False
    return True


def _release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, without what makes it a pre-release."""
    found = re.match(r"(?:\d+!)?(\d+(?:\.\d+)*)", version)
    return tuple(map(int, found[1].split("."))) if found else ()


def _padded(release: tuple[int, ...], width: int) -> tuple[int, ...]:
    return release + (0,) * (width - len(release))
