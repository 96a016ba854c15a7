"""What a fallback member hands on; that it can be one at all, `tests/fallback` tells."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from livekit import rtc

from onhook.livekit.framework.plugin_streams import hand_on_history, hand_on_keyterms, send_audio

FRAME = rtc.AudioFrame(b"\x01\x00" * 160, 16000, 1, 160)


def test_a_frame_goes_on_whole_where_the_version_can_do_so() -> None:
    got: list[object] = []
    send_audio(cast(Any, SimpleNamespace(push_frame=got.append, push=got.append)), FRAME)
    send_audio(cast(Any, SimpleNamespace(push=got.append)), FRAME)
    assert got == [FRAME, FRAME.data.tobytes()]


def test_words_and_history_go_to_a_recogniser_that_takes_them() -> None:
    got: list[object] = []
    takes = SimpleNamespace(_update_session_keyterms=got.append, _push_conversation_item=got.append)
    for inner in (takes, SimpleNamespace()):
        hand_on_keyterms(cast(Any, inner), ["Ann"])
        hand_on_history(cast(Any, inner), "an item")
    assert got == [["Ann"], "an item"]
