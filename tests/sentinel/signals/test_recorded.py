"""Webhooks as a real livekit-server sent them: lost order and repetition change nothing."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onhook.call import LegKind
from onhook.sentinel.sightings import (
    MemberGone,
    MemberSeen,
    MembersListed,
    RoomGone,
    RoomSeen,
    RoomsListed,
    TrackChanged,
)
from onhook.sentinel.signals.refusals import Reason, RefusedError
from onhook.sentinel.signals.signed_bodies import SignedBodies
from onhook.sentinel.signals.webhooks import Webhooks
from tests.sentinel.recorded_log import FOLDER, load, logs
from tests.sentinel.signals.events import KEY, SECRET, signed

CALLS = FOLDER / "calls.jsonl"
BODIES = [line.content["body"].encode() for line in load(CALLS, "webhook")]
HEADERS = [signed(body, nbf=None, exp=4e9) for body in BODIES]


def received(order: list[int]) -> tuple[Counter[str], int]:
    """Deliver the recorded webhooks in some order; return what was told, and what was a replay."""
    signer = SignedBodies({KEY: SECRET})
    webhooks = Webhooks(signer, max_age=1e9)
    told: Counter[str] = Counter()
    replayed = 0
    for at in order:
        try:
            webhook = webhooks.receive(webhooks.token(HEADERS[at]), BODIES[at])
            told.update(map(repr, webhook.sightings))
        except RefusedError as error:
            if error.reason is not Reason.REPLAYED:
                raise
            replayed += 1
    return told, replayed


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 40))
def test_order_and_repetition_change_nothing(chance: random.Random, repeated: int) -> None:
    whole = list(range(len(BODIES)))
    order = whole + chance.choices(whole, k=repeated)
    chance.shuffle(order)
    told, replayed = received(order)
    assert replayed == repeated
    assert told == received(whole)[0]


@settings(max_examples=20, deadline=None)
@given(st.sets(st.integers(0, len(BODIES) - 1)))
def test_what_is_lost_changes_nothing_of_the_rest(kept: set[int]) -> None:
    assert received(sorted(kept))[0] <= received(list(range(len(BODIES))))[0]


def test_every_kind_of_sighting_is_in_the_log() -> None:
    told = {type(s) for line in load(CALLS) for s in line.sightings}
    assert told == {
        *(RoomSeen, RoomGone, RoomsListed),
        *(MemberSeen, MemberGone, MembersListed, TrackChanged),
    }


def test_a_webhook_and_a_listing_describe_a_participant_alike() -> None:
    listed = [
        m
        for line in load(CALLS, "members")
        for s in line.sightings
        if isinstance(s, MembersListed)
        for m in s.members
    ]
    by_version = {(m.sid, m.version): m for m in listed}
    joined = [
        s.member
        for line in load(CALLS, "webhook")
        for s in line.sightings
        if isinstance(s, MemberSeen)
    ]
    assert {m.leg.kind for m in joined} == {LegKind.CALLER, LegKind.AGENT}
    same = [m for m in joined if (m.sid, m.version) in by_version]
    assert same
    for member in same:
        assert by_version[member.sid, member.version] == member


@pytest.mark.parametrize("path", logs(), ids=lambda path: path.stem)
def test_no_log_holds_a_secret(path: Path) -> None:
    text = path.read_text()
    for word in ("eyJ", "secret", "Bearer", "apiKey"):
        assert word not in text
    assert text.count("turnPassword") == text.count("[masked]")
