"""Scanners: calls that came in by no trunk. They are never answered, only removed."""

from __future__ import annotations

from onhook.sentinel.call_view import CallView
from onhook.sentinel.limits import Limits

__all__ = ["applies"]


def applies(view: CallView, _now: float, _limits: Limits) -> bool:
    """Return whether a call came in by no trunk, and nobody has taken it."""
    return view.trunkless and view.no_agent_since is not None
