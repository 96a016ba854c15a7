"""When a scanner's call is removed, without a word or a dispatch."""

from __future__ import annotations

from onhook.sentinel.call_view import CallView
from onhook.sentinel.detectors import scanner
from onhook.sentinel.detectors.table import row_of
from onhook.sentinel.limits import Limits

__all__ = ["is_scanner_due"]

_GRACE = 8.0
"""Seconds, where the plan expects no agent: somebody may take even such a call, and then it is a
genuine one (a deployment without any trunk)."""


def is_scanner_due(view: CallView, now: float, limits: Limits) -> bool:
    """Return whether a call should be removed silently.

    Args:
        view: The call.
        now: Seconds of the sentinel's clock.
        limits: How long things may last.
    """
    since = view.no_agent_since
    if not view.trunkless or since is None or now - since < (limits.absent or _GRACE):
        return False
    return row_of(view, now, limits).applies is scanner.applies
