"""Attributes of a dispatch and of its job, which older versions of livekit-protocol do not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from livekit.protocol.agent_dispatch import RoomAgentDispatch

__all__ = ["attributes_of", "dispatches_have_attributes", "give_attributes"]


def dispatches_have_attributes() -> bool:
    """Return whether this version of livekit-protocol knows attributes of a dispatch."""
    return "attributes" in RoomAgentDispatch.DESCRIPTOR.fields_by_name


def attributes_of(message: Any) -> Mapping[str, str]:
    """Return the attributes of a job or of a dispatch; none where this version knows none.

    Args:
        message: A `Job` or an `AgentDispatch`.
    """
    return dict(getattr(message, "attributes", {}))


def give_attributes(message: Any, attributes: Mapping[str, str]) -> None:
    """Set the attributes of a dispatch that is about to be made, where this version can.

    Without them its job is like any other, for which nothing of ours is done.

    Args:
        message: A `CreateAgentDispatchRequest` or a `RoomAgentDispatch`.
        attributes: What to set.
    """
    if "attributes" in message.DESCRIPTOR.fields_by_name:
        message.attributes.update(attributes)
