"""By what a plan is chosen for a call: its number, trunk, agent, room and tags."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from onhook.outages import number_key

__all__ = ["CallKey", "Match", "tags_of"]

_LONGEST_METADATA = 65_536
_MOST_TAGS = 32


class CallKey(msgspec.Struct, frozen=True, kw_only=True):
    """By what a plan is chosen for a call.

    Args:
        room: Room name.
        number: The project's number: the one called, or shown to the callee.
        trunk: Id of the SIP trunk.
        agent: Name of the agent that has the call, or was sent to it; empty where none is known.
        tags: The room's.
        ladder: The ladder that travels with the call (attribute `onhook.ladder`), as it came.
    """

    room: str
    number: str = ""
    trunk: str = ""
    agent: str = ""
    tags: frozenset[str] = frozenset()
    ladder: str = ""

    @classmethod
    def of(
        cls,
        room: str,
        leg: Mapping[str, str],
        *,
        agent: str = "",
        metadata: str = "",
        ladder: str = "",
    ) -> CallKey:
        """Make one of what the server tells.

        Args:
            room: Room name.
            leg: Attributes of the caller's leg (livekit-sip: `sip.trunkPhoneNumber`,
                `sip.trunkID`).
            agent: Name of the agent.
            metadata: The room's metadata; see `tags_of`.
            ladder: The attribute `onhook.ladder` of the agent, as it came.
        """
        number, trunk = leg.get("sip.trunkPhoneNumber", ""), leg.get("sip.trunkID", "")
        return cls(
            room=room,
            number=number,
            trunk=trunk,
            agent=agent,
            tags=tags_of(metadata),
            ladder=ladder,
        )


@functools.lru_cache(maxsize=4096)
def tags_of(metadata: str) -> frozenset[str]:
    """Return the tags that a room's metadata has: `{"tags": ["sales"]}`, or one as a text.

    LiveKit's `RoomConfiguration.tags` are not told of a room, so that they cannot be used.

    Args:
        metadata: The room's; what is no such JSON has no tags.
    """
    if '"tags"' not in metadata or len(metadata) > _LONGEST_METADATA:
        return frozenset()
    try:
        held = json.loads(metadata)
    except (ValueError, RecursionError):  # other people's
        return frozenset()
    given = held.get("tags") if isinstance(held, dict) else None
    listed: list[Any] = given if isinstance(given, list) else [given]
    return frozenset(tag for tag in listed[:_MOST_TAGS] if isinstance(tag, str) and tag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The calls of a rule: all that is given must be so.

    Args:
        number: The project's number.
        trunk: Id of the trunk.
        agent: Name of the agent.
        room_prefix: How the room's name begins.
        tag: One of the room's tags.
    """

    number: str = ""
    trunk: str = ""
    agent: str = ""
    room_prefix: str = ""
    tag: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", number_key(self.number))

    def holds(self, key: CallKey) -> bool:
        """Return whether a call is one of them."""
        return (
            (not self.number or self.number == number_key(key.number))
            and (not self.trunk or self.trunk == key.trunk)
            and (not self.agent or self.agent == key.agent)
            and key.room.startswith(self.room_prefix)
            and (not self.tag or self.tag in key.tags)
        )

    @property
    def order(self) -> tuple[Any, ...]:
        """What sorts rules, the most specific first: number, trunk, agent, room, tag.

        Of two tags of one room, the first in the alphabet counts.
        """
        given = (not self.number, not self.trunk, not self.agent, -len(self.room_prefix))
        return (*given, not self.tag, self.tag)

    def __str__(self) -> str:
        names = ("number", "trunk", "agent", "room_prefix", "tag")
        given = ((name.replace("_", " "), getattr(self, name)) for name in names)
        return ", ".join(f"{name} {value}" for name, value in given if value)
