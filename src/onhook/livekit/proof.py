"""What a room can say of a participant. Light: the watchdog loads it before it listens."""

from __future__ import annotations

from enum import Enum

__all__ = ["ALIVE_METHOD", "Proof"]

ALIVE_METHOD = "onhook.alive"
"""The RPC method by which a guarded job answers; its payload is free."""


class Proof(Enum):
    """What the room says of a participant."""

    ALIVE = "alive"
    """Its event loop answered."""
    SILENT = "silent"
    """It is in the room, and did not answer in time."""
    ABSENT = "absent"
    """It is not in the room, as far as the server knows."""
    UNKNOWN = "unknown"
    """The server could not be asked."""
