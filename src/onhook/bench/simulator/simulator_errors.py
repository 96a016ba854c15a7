"""What goes wrong with the simulator itself; what it does to others is a `ProviderFault`."""

from __future__ import annotations

from onhook.errors import OnhookError

__all__ = ["SimulatorError"]


class SimulatorError(OnhookError, ValueError):
    """A fault, a script or a control message that makes no sense, or espeak-ng is missing."""
