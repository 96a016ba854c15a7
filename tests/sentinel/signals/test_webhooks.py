from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest

from onhook.call import Leg, LegKind, LineState
from onhook.errors import ConfigurationError
from onhook.sentinel.sightings import (
    AgentJob,
    Member,
    MemberGone,
    MemberSeen,
    RoomGone,
    RoomSeen,
    Sighting,
    TrackChanged,
)
from onhook.sentinel.signals.refusals import Reason, RefusedError
from onhook.sentinel.signals.signed_bodies import SignedBodies
from onhook.sentinel.signals.webhooks import Webhooks
from tests.sentinel.signals.events import (
    KEY,
    NEXT_KEY,
    NEXT_SECRET,
    ROOM,
    SECRET,
    SIP,
    event,
    signed,
)

SEEN = RoomSeen("call-1", "RM_1", created_at=1764000000.0)


def receive(body: bytes, header: str | None = "", **more: Any) -> tuple[Sighting, ...]:
    return taken(Webhooks(SignedBodies({KEY: SECRET}), **more), body, header)


def taken(webhooks: Webhooks, body: bytes, header: str | None = "") -> tuple[Sighting, ...]:
    token = webhooks.token(signed(body) if header == "" else header)
    return webhooks.receive(token, body).sightings


def refused(body: bytes, header: str | None = "", **more: Any) -> Reason:
    with pytest.raises(RefusedError) as caught:
        receive(body, header, **more)
    assert SECRET not in str(caught.value)
    return caught.value.reason


def test_a_participant_is_told_with_all_that_is_known_of_them() -> None:
    room, seen = receive(event("participant_joined"))
    assert room == SEEN
    assert isinstance(seen, MemberSeen)
    assert (seen.room, seen.room_sid) == ("call-1", "RM_1")
    member = seen.member
    assert (member.sid, member.version, member.joined_at) == ("PA_1", 3, 1764000001.25)
    assert member.attributes == {"sip.callID": "SCL_1", "sip.callStatus": "ringing"}
    assert (member.leg.kind, member.leg.line) == (LegKind.CALLER, LineState.RINGING)
    assert member.leg.call_id == "SCL_1"


def test_each_event_tells_what_it_knows_and_no_more() -> None:
    gone = {"sid": "PA_1", "identity": "sip_1", "disconnectReason": "CLIENT_INITIATED"}
    sound = {"sid": "TR_1", "type": "AUDIO"}
    bare = {"sid": "PA_1", "identity": "sip_1"}
    room = {"sid": "RM_1", "name": "call-1"}
    changed: dict[str, Any] = {"participant": bare, "track": sound, "room": room}
    track = ("call-1", "RM_1", "PA_1", "sip_1", "TR_1")
    assert receive(event("room_started", room={**ROOM, "metadata": "m"})) == (
        RoomSeen("call-1", "RM_1", 1764000000.0, metadata="m"),
    )
    assert receive(event("room_finished")) == (RoomGone("call-1", "RM_1"),)
    leg = Leg("sip_1", LegKind.HUMAN)
    member = Member("PA_1", leg)
    left = (MemberGone("call-1", "RM_1", "PA_1", "sip_1", "CLIENT_INITIATED", member),)
    assert receive(event("participant_left", participant=gone)) == left
    assert receive(event("participant_connection_aborted", participant=gone)) == left
    assert receive(event("track_published", **changed)) == (
        RoomSeen("call-1", "RM_1"),
        TrackChanged(*track, audible=True, published=True),
    )
    changed["track"] = {**sound, "muted": True}
    assert receive(event("track_unpublished", **changed)) == (
        TrackChanged(*track, audible=False, published=False),
    )


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"reason": "JSR_NO_CAPACITY"}, "NO_CAPACITY"),
        ({"reason": 4}, "RETRYING"),
        ({"reason": 99}, "99"),
        ({"reason": "JSR_OF_TOMORROW"}, ""),
        ({}, ""),
    ],
)
def test_a_job_of_the_cloud_is_told_with_its_reason(state: dict[str, Any], reason: str) -> None:
    job = {"id": "AJ_1", "agentName": "front", "state": {"status": "JS_PENDING", **state}}
    expected = AgentJob("call-1", "AJ_1", "front", "pending", reason)
    assert receive(event("agent_job_pending", job=job)) == (expected,)
    inside = event("agent_job_pending", job={**job, "room": ROOM}, room=None)
    assert receive(inside) == (expected,)


@pytest.mark.parametrize("name", ["egress_started", "ingress_ended", "room_renamed", ""])
def test_an_event_that_nobody_here_reads_is_taken_and_tells_nothing(name: str) -> None:
    assert receive(event(name, egressInfo={"egressId": ["no", "such", "form"]}, room=7)) == ()


def test_fields_and_words_of_a_newer_server_do_no_harm() -> None:
    of_tomorrow = {**SIP, "mood": {"is": ["good"]}, "kind": "HOLOGRAM", "state": "ASLEEP"}
    _, seen = receive(event("participant_joined", participant=of_tomorrow, weather="fair"))
    assert isinstance(seen, MemberSeen)
    assert seen.member.leg.kind is LegKind.HUMAN  # who may be a person keeps company


@pytest.mark.parametrize(
    "claims",
    [
        {"sha256": base64.b64encode(b"x" * 32).decode()},
        {"sha256": ""},
        {"sha256": None},
        {"sha256": "ü"},
        {"iss": "APIother"},
        {"iss": ""},
        {"iss": None},
    ],
)
def test_what_is_not_signed_for_this_body_by_a_key_of_ours_is_forged(
    claims: dict[str, Any],
) -> None:
    body = event("room_finished")
    assert refused(body, signed(body, **claims)) is Reason.FORGED


def test_another_secret_another_body_and_no_signature_are_forged() -> None:
    body = event("room_finished")
    digest = base64.b64encode(b"x").decode()
    bare = {"iss": KEY, "exp": time.time() + 60, "sha256": digest}
    assert refused(body, signed(body, secret=NEXT_SECRET)) is Reason.FORGED
    assert refused(body.replace(b"RM_1", b"RM_2"), signed(body)) is Reason.FORGED
    assert refused(body, None) is Reason.FORGED
    assert refused(body, jwt.encode(bare, None, algorithm="none")) is Reason.FORGED
    assert refused(body, jwt.encode(bare, 2 * SECRET, algorithm="HS512")) is Reason.FORGED


@pytest.mark.parametrize("header", ["x", "Bearer", "Bearer x.y.z", "a.b.c", "é.é.é", "Basic dTpw"])
def test_a_header_that_is_no_token_is_malformed(header: str) -> None:
    assert refused(event("room_finished"), header) is Reason.MALFORMED


def test_a_token_that_never_expires_or_claims_nonsense_is_malformed() -> None:
    body = event("room_finished")
    assert refused(body, signed(body, exp=None)) is Reason.MALFORMED
    assert refused(body, signed(body, sha256=7)) is Reason.MALFORMED


def test_the_token_may_come_with_the_word_bearer() -> None:
    body = event("room_finished")
    for word in ("Bearer ", "bearer  "):
        assert receive(body, word + signed(body))


def test_while_keys_are_rotated_both_count() -> None:
    webhooks = Webhooks(SignedBodies({KEY: SECRET, NEXT_KEY: NEXT_SECRET}))
    for number, (key, secret) in enumerate(((KEY, SECRET), (NEXT_KEY, NEXT_SECRET))):
        body = event("room_finished", number)
        assert taken(webhooks, body, signed(body, key, secret))
    body = event("room_finished", 3)
    with pytest.raises(RefusedError, match="signature"):
        taken(webhooks, body, signed(body, KEY, NEXT_SECRET))


@pytest.mark.parametrize(
    ("shift", "counts"), [(-250, True), (-370, False), (55, True), (70, False)]
)
def test_a_token_counts_for_as_long_as_it_says(shift: int, counts: bool) -> None:
    body = event("room_finished")
    at = int(time.time()) + shift
    header = signed(body, nbf=at, exp=at + 300)
    assert counts == bool(receive(body, header) if counts else refused(body, header) != "stale")


def test_a_token_of_long_ago_is_stale_though_it_does_not_say_so() -> None:
    body = event("room_finished")
    assert refused(body, signed(body, nbf=int(time.time()) - 600)) is Reason.STALE


@pytest.mark.parametrize(
    ("age", "counts"), [(0, True), (170, True), (190, False), (-50, True), (-90, False)]
)
def test_an_event_of_long_ago_or_of_the_future_is_stale(age: int, counts: bool) -> None:
    body = event("room_finished", createdAt=str(int(time.time()) - age))
    if counts:
        assert receive(body)
    else:
        assert refused(body) is Reason.STALE


def test_an_event_that_comes_again_is_replayed_until_it_is_forgotten() -> None:
    webhooks = Webhooks(SignedBodies({KEY: SECRET}))
    body = event("room_finished")
    token = webhooks.token(signed(body))
    webhook = webhooks.receive(token, body)
    with pytest.raises(RefusedError) as caught:
        webhooks.receive(token, body)
    assert caught.value.reason is Reason.REPLAYED
    webhooks.forget(webhook)
    assert webhooks.receive(token, body) == webhook


def test_what_is_refused_does_not_keep_the_genuine_one_out() -> None:
    webhooks = Webhooks(SignedBodies({KEY: SECRET}))
    body = event("room_finished")
    with pytest.raises(RefusedError):
        taken(webhooks, body, signed(body, secret=NEXT_SECRET))
    broken = event("room_finished", room={})
    with pytest.raises(RefusedError):
        taken(webhooks, broken)
    assert taken(webhooks, body)


def test_more_than_a_server_sends_is_oversized() -> None:
    long = json.dumps({"event": "room_started", "room": {"metadata": "x" * 600_000}}).encode()
    assert refused(long, longest=500_000) is Reason.OVERSIZED
    assert refused(event("room_finished"), "x" * 9000) is Reason.OVERSIZED


def test_the_longest_genuine_one_is_taken() -> None:
    metadata = "x" * 512 * 1024
    who = {**SIP, "metadata": metadata, "attributes": {"a": "y" * 64 * 1024}}
    assert receive(
        event("participant_joined", room={**ROOM, "metadata": metadata}, participant=who)
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"event": "room_finished", "room": {"name": "r", "sid": "s"}}',
        b'{"event": "room_finished", "id": 7}',
        b'{"event": ["room_finished"], "id": "EV_1"}',
        b'{"event": "room_finished", "id": "EV_1", "room": "r"}',
        b'{"event": "room_finished", "id": "EV_1", "createdAt": "yesterday"}',
        b'{"event": "room_finished", "id": "\xff"}',
        b'{"event": "room_finished", "id": "EV_1", "room": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_what_is_no_event_is_malformed(body: bytes) -> None:
    assert refused(body) is Reason.MALFORMED


@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        ("room_finished", {"room": {"name": "r"}}),
        ("room_finished", {"room": None}),
        ("participant_joined", {"participant": None}),
        ("track_published", {"participant": {"sid": "PA_1"}}),
        ("agent_job_ended", {"job": {}}),
    ],
)
def test_an_event_that_lacks_what_it_is_about_is_malformed(
    name: str, lacks: dict[str, Any]
) -> None:
    assert refused(event(name, **lacks)) is Reason.MALFORMED


@pytest.mark.parametrize("keys", [{}, {KEY: ""}, {"": SECRET}])
def test_keys_that_verify_nothing_are_no_keys(keys: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="LIVEKIT_API_SECRET"):
        SignedBodies(keys)
