"""What is read of a webhook's body is what protobuf reads of it, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToJson, Parse
from livekit import rtc
from livekit.protocol.agent import Job
from livekit.protocol.models import ParticipantInfo, ParticipantPermission, Room, TrackInfo
from livekit.protocol.webhook import WebhookEvent

from onhook.sentinel.signals.webhook_bodies import event_from
from onhook.sentinel.signals.webhooks import sightings_of
from tests.sentinel.recorded_log import load, logs

EVENTS = (
    *("room_started", "room_finished", "participant_joined", "participant_left"),
    *("participant_connection_aborted", "track_published", "track_unpublished"),
    *("agent_job_pending", "agent_job_started", "agent_job_ended"),
)
UNKNOWN = 4711
"""Of an enum: a newer server's, which has no word for it here."""


KINDS = (rtc.ParticipantKind.PARTICIPANT_KIND_SIP, rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD)


def complete(name: str, kind: int) -> WebhookEvent:
    return WebhookEvent(
        event=name,
        id="EV_1",
        created_at=1764000000,
        room=Room(name="call-1", sid="RM_1"),
        participant=ParticipantInfo(
            sid="PA_1",
            identity="sip_1",
            kind=kind,  # type: ignore[arg-type]
            attributes={"sip.callID": "SCL_1", "mood": "good"},
            permission=ParticipantPermission(can_subscribe=True),
            tracks=[TrackInfo(sid="TR_1")],
        ),
        track=TrackInfo(sid="TR_1"),
        job=Job(id="AJ_1", agent_name="front"),
    )


def values_of(field: Any) -> list[Any]:
    if field.enum_type is not None:
        return [*field.enum_type.values_by_number, UNKNOWN]
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return [True, False]
    if field.type == FieldDescriptor.TYPE_STRING:
        return ["sip.other", "é\U0001f4de"]
    return [7] if field.message_type is None and field.type != FieldDescriptor.TYPE_BYTES else []


def variants(name: str, kind: int) -> Iterator[tuple[str, WebhookEvent]]:
    """Return a complete event with one field changed, for each field and each of its values."""
    for path in ("room", "participant", "participant.permission", "participant.tracks", "track"):
        first = inside(complete(name, kind), path)
        for field in first.DESCRIPTOR.fields:
            for value in values_of(field):
                whole = complete(name, kind)
                changed = inside(whole, path)
                try:
                    setattr(changed, field.name, value)
                except (AttributeError, TypeError):  # a repeated one
                    getattr(changed, field.name).append(value)
                yield f"{path}.{field.name} = {value!r}", whole


def inside(event: WebhookEvent, path: str) -> Any:
    found: Any = event
    for part in path.split("."):
        found = getattr(found, part)
    return found[0] if path.endswith("tracks") else found


def told(event: WebhookEvent) -> object:
    try:
        return sightings_of(event)
    except Exception as error:  # refused alike
        return str(error)


def read_by_protobuf(body: str) -> WebhookEvent:
    return Parse(body, WebhookEvent(), ignore_unknown_fields=True)


@pytest.mark.parametrize("kind", [int(kind) for kind in KINDS])
@pytest.mark.parametrize("name", EVENTS)
def test_each_field_tells_what_protobuf_reads(name: str, kind: int) -> None:
    count = 0
    for what, whole in variants(name, kind):
        body = MessageToJson(whole, indent=None)
        event = event_from(body.encode(), EVENTS)
        assert told(event) == told(read_by_protobuf(body)), what
        assert (event.id, event.created_at) == (whole.id, whole.created_at)
        count += 1
    assert count > 150


def test_the_recorded_webhooks_of_a_server_tell_what_protobuf_reads() -> None:
    bodies = [line.content["body"] for path in logs() for line in load(path, "webhook")]
    assert len(bodies) > 20
    for body in bodies:
        assert told(event_from(body.encode(), EVENTS)) == told(read_by_protobuf(body))


@pytest.mark.parametrize("permitted", [f.name for f in ParticipantPermission.DESCRIPTOR.fields])
def test_what_is_permitted_is_read_whole(permitted: str) -> None:
    # whether a permission tells anything at all decides whether it counts (livekit/picture.py)
    permission = ParticipantPermission()
    if permitted == "can_publish_sources":
        permission.can_publish_sources.append(2)  # type: ignore[arg-type]
    else:
        setattr(permission, permitted, True)
    who = ParticipantInfo(sid="PA_1", identity="sip_1", permission=permission)
    body = MessageToJson(WebhookEvent(event="participant_joined", participant=who), indent=None)
    assert event_from(body.encode(), EVENTS).participant.permission == permission
