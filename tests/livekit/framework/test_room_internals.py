"""What breaks when livekit's rtc tells in another way who is in a room."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from livekit import rtc
from livekit.protocol.models import ParticipantInfo
from livekit.rtc._proto import participant_pb2

from onhook.livekit.framework.room_internals import (
    kind_details_of,
    permissions_of,
    tells_permissions,
)

CONNECTOR: Any = 3


def test_a_caller_by_a_connector_is_known_in_a_room_and_in_a_listing() -> None:
    """Else it is a colleague who keeps company, and no failure of its agent is a rescue."""
    info = participant_pb2.ParticipantInfo(kind_details=[CONNECTOR])
    assert kind_details_of(SimpleNamespace(_info=info)) == {CONNECTOR}
    assert kind_details_of(ParticipantInfo(kind_details=[CONNECTOR])) == {CONNECTOR}
    assert kind_details_of(SimpleNamespace()) == frozenset()
    known = hasattr(rtc.RemoteParticipant, "kind_details")
    assert known or "_info" in rtc.Participant.__init__.__code__.co_names


def test_who_may_publish_is_known_or_nobody_knows() -> None:
    """Else a dashboard that only looks on passes for company."""
    assert permissions_of(cast(Any, SimpleNamespace())) is None
    assert permissions_of(cast(Any, SimpleNamespace(permissions="all"))) == "all"
    assert tells_permissions() is hasattr(rtc.RemoteParticipant, "permissions")
