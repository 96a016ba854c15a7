"""Whether what an agent sends can reach its caller, as the job's room shows it."""

from __future__ import annotations

from typing import cast

from livekit import rtc
from livekit.protocol.models import ParticipantPermission

from onhook.jobguard.detectors.voice_path import VoicePath
from tests.jobguard.fakes import ConnectedRoom, answered_room


def path_of(room: ConnectedRoom) -> VoicePath:
    return VoicePath(cast(rtc.Room, room))


def test_a_voice_that_is_published_is_taken_for_heard() -> None:
    assert path_of(answered_room()).broken() == ""


def test_a_muted_voice_beside_sounds_and_our_own_words_reaches_nobody() -> None:
    room = answered_room()
    voice = room.local_participant.track_publications["mic"]
    room.publishes("background_audio")
    room.local_participant.track_publications |= {
        "sounds": room.local_participant.track_publications["mic"],
        "mic": voice,
    }
    path = path_of(room)
    voice.muted = True
    assert "muted" in path.broken()
    voice.muted = False
    assert path.broken() == ""


def test_a_voice_that_was_published_and_is_gone_reaches_nobody() -> None:
    room = answered_room()
    path = path_of(room)
    assert path.broken() == ""
    room.local_participant.track_publications.clear()
    assert "not published" in path.broken()


def test_an_agent_that_speaks_by_an_avatar_has_no_voice_of_its_own() -> None:
    room = answered_room()
    room.local_participant.track_publications.clear()
    assert path_of(room).broken() == ""


def test_a_permission_that_tells_nothing_says_nothing_against_a_voice() -> None:
    room = answered_room()
    room.local_participant.permissions = ParticipantPermission()
    assert path_of(room).broken() == ""
    room.local_participant.permissions = ParticipantPermission(can_subscribe=True)
    assert "may not publish" in path_of(room).broken()
