"""What goes wrong with a stack."""

from __future__ import annotations

from onhook.errors import OnhookError

__all__ = ["StackError"]


class StackError(OnhookError):
    """A server is missing, did not start, or died; the message holds the end of its log."""
