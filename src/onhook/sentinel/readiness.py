"""Whether a sentinel lives, and whether it is ready: for whoever starts, restarts and replaces it.

A sentinel that goes on alone because Redis is gone is ready: taken out of service it would hear no
webhooks, when it is needed most.
"""

from __future__ import annotations

from onhook.sentinel.parts import Parts
from onhook.sentinel.status import failing

__all__ = ["Readiness"]

_STUCK = 30.0
"""Seconds after which a watch that has looked at no call does not go on by itself."""


class Readiness:
    """Judges a sentinel by what its parts know.

    Args:
        parts: They.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def stuck(self) -> str:
        """Return why a restart would help; empty while all goes on."""
        silent = self._parts.clock() - self._parts.watch.looked_at
        return f"no call has been looked at for {silent:.0f} s" if silent > _STUCK else ""

    def reasons(self) -> list[str]:
        """Return why it is not ready; empty where it is."""
        poll, fleet = self._parts.poll, self._parts.fleet
        found = []
        if poll.error is not None:
            found.append(f"LiveKit's API: {poll.error}")
        elif fleet.leads and (poll.listed_at is None or not fleet.judges(poll.listed_at)):
            found.append("no list of rooms has come yet")
        if not fleet.was_joined:
            health = fleet.health
            why = "" if health is None else health.why
            found.append(f"the claims that sentinels share were never reached: {why}")
        if stuck := self.stuck():
            found.append(stuck)
        return found

    def notes(self) -> list[str]:
        """Return what is wrong, though it is ready."""
        return failing(self._parts)
