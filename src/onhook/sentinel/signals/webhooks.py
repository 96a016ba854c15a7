"""LiveKit's webhooks, verified and turned into sightings. Nothing here does I/O.

They are hints: some never come, some come twice, late or in another order (livekit-protocol
`webhook/resource_url_notifier.go`: in memory only, dropped after 30 s or at a depth of 200). So
each is read by itself, and whoever folds them orders them by their ids and versions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from google.protobuf.message import Message
from livekit.protocol.models import TrackInfo, TrackType
from livekit.protocol.webhook import WebhookEvent

from onhook.sentinel.sightings import (
    AgentJob,
    MemberGone,
    MemberSeen,
    RoomGone,
    Sighting,
    TrackChanged,
)
from onhook.sentinel.signals.from_protobuf import member_from, room_from
from onhook.sentinel.signals.refusals import Reason, RefusedError
from onhook.sentinel.signals.seen_ids import SeenIds
from onhook.sentinel.signals.signed_bodies import SignedBodies, Token
from onhook.sentinel.signals.webhook_bodies import event_from

__all__ = ["LONGEST_BODY", "Webhook", "Webhooks", "sightings_of"]

LONGEST_BODY = 2 * 1024 * 1024
"""Bytes. livekit-server 1.13 allows 512 KiB of metadata to a room and to a participant each, and 64
KiB of attributes (`config.go`): a genuine webhook can have 1.1 MiB, and JSON's escapes beside. A
body is read only from who has shown a good token, so the bound need not be tight."""

_MOST_IDS = 100_000


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook that is believed.

    Args:
        id: The server's id of the event (`EV_...`).
        event: Its name, such as `participant_joined`.
        sightings: What it tells; nothing where its event is unknown, or of no concern here.
    """

    id: str
    event: str
    sightings: tuple[Sighting, ...]


class Webhooks:
    """Verifies webhooks and decodes them.

    Args:
        signed: Verifies tokens and bodies.
        tolerance: Seconds by which the server's clock and ours may differ.
        max_age: Seconds from the event on for which it counts: livekit-server drops it after 30 s
            in its queue, and tries for about 15 s more to deliver it.
        longest: Bytes of a body.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        signed: SignedBodies,
        *,
        tolerance: float = 60.0,
        max_age: float = 120.0,
        longest: int = LONGEST_BODY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._signed = signed
        self._tolerance = tolerance
        self._max_age = max_age
        self._clock = clock
        # an event can come again for as long as it is not stale by the most favourable clock
        self._seen = SeenIds(keep=max_age + 2 * tolerance, most=_MOST_IDS)
        self.longest = longest

    def token(self, header: str | None) -> Token:
        """Verify the `Authorization` header, before the body is read.

        Args:
            header: Its value; `None` where there is none.

        Raises:
            RefusedError: It is not believed.
        """
        return self._signed.token(header, self._clock())

    def receive(self, token: Token, body: bytes) -> Webhook:
        """Verify and decode a body.

        An event counts as seen from now on. Call `forget` where its sightings could not be taken.

        Args:
            token: Its token.
            body: As it came.

        Raises:
            RefusedError: It is not believed; `REPLAYED` where the event has been seen.
        """
        if len(body) > self.longest:
            raise RefusedError(Reason.OVERSIZED, f"its body is longer than {self.longest} bytes")
        self._signed.check(token, body)
        event = event_from(body, _EVENTS)
        now = self._clock()
        self._check_age(event.created_at, now)
        sightings = sightings_of(event)
        if not event.id:
            _malformed("its event has no id")
        if self._seen.add(event.id, now) is not None:
            raise RefusedError(Reason.REPLAYED, f"event {event.id[:32]!r} has come before")
        return Webhook(event.id, event.event, sightings)

    def forget(self, webhook: Webhook) -> None:
        """Let an event come again: what it told was not taken.

        Args:
            webhook: It.
        """
        self._seen.forget(webhook.id)

    def _check_age(self, created_at: int, now: float) -> None:
        """Refuse an event of long ago; one without a time is bounded by its token alone."""
        age = now - created_at
        if created_at and not -self._tolerance <= age <= self._max_age + self._tolerance:
            when = f"{age:.0f} s ago" if age > 0 else f"in {-age:.0f} s"
            raise RefusedError(
                Reason.STALE,
                f"its event happened {when}. "
                "Are the clocks of LiveKit's host and of this one right?",
            )


def sightings_of(event: WebhookEvent) -> tuple[Sighting, ...]:
    """Return what an event tells, by itself; nothing where it is unknown or of no concern here.

    Args:
        event: The event.

    Raises:
        RefusedError: It lacks what an event of its name has.
    """
    read = _EVENTS.get(event.event)
    return () if read is None else read(event)


def _room_started(event: WebhookEvent) -> tuple[Sighting, ...]:
    _check_room(event)
    return (room_from(event.room, counted=False),)


def _room_finished(event: WebhookEvent) -> tuple[Sighting, ...]:
    _check_room(event)
    return (RoomGone(event.room.name, event.room.sid),)


def _joined(event: WebhookEvent) -> tuple[Sighting, ...]:
    _check_room(event)
    _check_participant(event)
    room = event.room
    seen = MemberSeen(room.name, room.sid, member_from(event.participant))
    return (room_from(room, counted=False), seen)


def _left(event: WebhookEvent) -> tuple[Sighting, ...]:
    # the room may be on its way out too, so nothing is said of it
    _check_room(event)
    _check_participant(event)
    room, who = event.room, event.participant
    reason = _word(who, "disconnect_reason")
    gone = MemberGone(room.name, room.sid, who.sid, who.identity, reason, member_from(who))
    return (gone,)


def _published(event: WebhookEvent) -> tuple[Sighting, ...]:
    changed = _changed(event, published=True)
    return (room_from(event.room, counted=False), changed)


def _unpublished(event: WebhookEvent) -> tuple[Sighting, ...]:
    return (_changed(event, published=False),)


def _changed(event: WebhookEvent, *, published: bool) -> TrackChanged:
    _check_room(event)
    _check_participant(event)
    track: TrackInfo = event.track
    return TrackChanged(
        room=event.room.name,
        room_sid=event.room.sid,
        sid=event.participant.sid,
        identity=event.participant.identity,
        track=track.sid,
        audible=track.type == TrackType.AUDIO and not track.muted,
        published=published,
    )


def _agent_job(event: WebhookEvent) -> tuple[Sighting, ...]:
    """Read what LiveKit Cloud may tell of jobs; livekit-server 1.13 has no such events."""
    job: Any = getattr(event, "job", None)  # an older livekit-protocol does not know the field
    if job is None:
        return ()
    room = event.room.name or job.room.name
    if not (room and job.id):
        _malformed("its event of a job names no room or no job")
    state = event.event.rpartition("_")[2]
    return (AgentJob(room, job.id, job.agent_name, state, _word(job.state, "reason", "JSR_")),)


_EVENTS: Mapping[str, Callable[[WebhookEvent], tuple[Sighting, ...]]] = {
    "room_started": _room_started,
    "room_finished": _room_finished,
    "participant_joined": _joined,
    "participant_left": _left,
    "participant_connection_aborted": _left,
    "track_published": _published,
    "track_unpublished": _unpublished,
    "agent_job_pending": _agent_job,
    "agent_job_started": _agent_job,
    "agent_job_ended": _agent_job,
}
"""What is read of each event (livekit-protocol `webhook/consts.go`)."""


def _check_room(event: WebhookEvent) -> None:
    if not (event.room.name and event.room.sid):
        _malformed(f"its event {event.event!r} names no room")


def _check_participant(event: WebhookEvent) -> None:
    if not (event.participant.sid and event.participant.identity):
        _malformed(f"its event {event.event!r} names no participant")


def _word(message: Message, field: str, prefix: str = "") -> str:
    """Return an enum's word; empty for its zero, and for a field that this protocol has not."""
    described = message.DESCRIPTOR.fields_by_name.get(field)
    number = getattr(message, field, 0)
    if described is None or described.enum_type is None or not number:
        return ""
    value = described.enum_type.values_by_number.get(number)
    return str(number) if value is None else value.name.removeprefix(prefix)


def _malformed(detail: str) -> NoReturn:
    raise RefusedError(Reason.MALFORMED, detail)
