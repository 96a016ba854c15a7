"""A second dispatch before any word: a free cure for most dispatches that were dropped."""

from __future__ import annotations

from onhook.sentinel.call_view import CallView
from onhook.sentinel.detectors import agent_absent
from onhook.sentinel.detectors.table import row_of
from onhook.sentinel.limits import Limits

__all__ = ["is_second_dispatch_due"]


def is_second_dispatch_due(view: CallView, now: float, limits: Limits) -> bool:
    """Return whether the call's agent should be dispatched again. Do it once, after a fresh list.

    A scanner gets none, nor does a call whose job the server has started, still looks for, or has
    no worker for.

    Args:
        view: The call.
        now: Seconds of the sentinel's clock.
        limits: How long things may last.
    """
    since = view.no_agent_since
    if limits.second_dispatch is None or since is None or now - since < limits.second_dispatch:
        return False
    if limits.absent is not None and now - since >= limits.absent:
        return False  # it is time for words
    if agent_absent.has_no_capacity(view):
        return False
    if view.hint is not None and view.hint.state == "started":
        return False
    return row_of(view, now, limits).applies is agent_absent.applies
