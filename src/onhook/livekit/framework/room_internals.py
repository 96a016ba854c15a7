"""What older versions of livekit's rtc know of a participant, and do not tell in public."""

from __future__ import annotations

from typing import Any

from livekit import rtc

__all__ = ["joins_unsubscribed", "kind_details_of", "permissions_of", "tells_permissions"]


def tells_permissions() -> bool:
    """Return whether a room knows who may publish; else only the server can be asked."""
    return hasattr(rtc.RemoteParticipant, "permissions")


def joins_unsubscribed() -> bool:
    """Return whether a participant that may not subscribe can join.

    Before livekit 1.1 its `connect()` waits for an offer that no server makes to such a one.
    """
    return tells_permissions()  # which came with 1.1.0 too


def permissions_of(participant: rtc.Participant) -> Any | None:
    """Return what a participant may do, `None` where this version does not know.

    Args:
        participant: One of a room's.
    """
    return getattr(participant, "permissions", None)


def kind_details_of(participant: Any) -> frozenset[int]:
    """Return by which connectors a participant came (`ParticipantInfo.KindDetail`).

    Before livekit 1.1.8 only the message behind an `rtc.Participant` (`_info`) told.

    Args:
        participant: One of a room's, or of a server's listing.
    """
    details: Any = getattr(participant, "kind_details", None)
    if details is None:
        details = getattr(getattr(participant, "_info", None), "kind_details", ())
    return frozenset(int(detail) for detail in details)
