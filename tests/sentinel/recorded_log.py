"""What a real livekit-server told: webhooks as they came, and the answers to a poll beside them.

Written by `python -m tests.sentinel.record`. Each line is JSON: `at` in seconds from the beginning,
`kind`, and

- `webhook`: `body`, the text that was signed
- `rooms`: `asked`, and `rooms` as protobuf's JSON
- `members`: `asked`, `room`, and `participants` as protobuf's JSON
- `note`: `text`, what the test was doing
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.json_format import Parse, ParseDict
from livekit.protocol.models import ParticipantInfo, Room
from livekit.protocol.webhook import WebhookEvent

from onhook.sentinel.sightings import MembersListed, RoomsListed, Sighting
from onhook.sentinel.signals.from_protobuf import members_from, room_from
from onhook.sentinel.signals.webhooks import sightings_of

__all__ = ["FOLDER", "Line", "load", "logs"]

FOLDER = Path(__file__).with_name("recorded")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log.

    Args:
        at: Seconds from the log's beginning.
        kind: `webhook`, `rooms`, `members` or `note`.
        content: The rest of the line.
    """

    at: float
    kind: str
    content: dict[str, Any]

    @property
    def sightings(self) -> tuple[Sighting, ...]:
        """What a sentinel learns of it."""
        return tuple(_sightings(self.kind, self.content))


def logs() -> list[Path]:
    """Return the logs there are."""
    return sorted(FOLDER.glob("*.jsonl"))


def load(path: Path, *kinds: str) -> list[Line]:
    """Read a log, or the lines of some kinds of it.

    Args:
        path: The log.
        kinds: Which lines; all where none is given.
    """
    return [
        line for line in _lines(path.read_text().splitlines()) if line.kind in kinds or not kinds
    ]


def _lines(texts: Iterable[str]) -> Iterator[Line]:
    for text in texts:
        whole: dict[str, Any] = json.loads(text)
        yield Line(whole.pop("at"), whole.pop("kind"), whole)


def _sightings(kind: str, content: dict[str, Any]) -> Iterator[Sighting]:
    match kind:
        case "webhook":
            event = WebhookEvent()
            yield from sightings_of(Parse(content["body"], event, ignore_unknown_fields=True))
        case "rooms":
            rooms = (ParseDict(each, Room()) for each in content["rooms"])
            yield RoomsListed(content["asked"], tuple(room_from(r, counted=True) for r in rooms))
        case "members":
            people = (ParseDict(each, ParticipantInfo()) for each in content["participants"])
            yield MembersListed(content["room"], content["asked"], members_from(people))
