"""What breaks when a plugin keeps its voice, or an emitter its handlers, elsewhere."""

from __future__ import annotations

import pytest
from livekit.plugins import openai

from onhook.livekit.framework.tts_internals import copy_unheard, voice_of
from tests.livekit.voices import ScriptedTTS


async def script() -> bytes:
    return b""


async def test_the_voice_of_a_plugin_is_known() -> None:
    """Else a rendering of another voice of the same model is taken for this one's."""
    assert voice_of(openai.TTS(voice="ash", api_key="key")) == "ash"
    assert voice_of(ScriptedTTS(script)) == ""


async def test_nobody_listens_to_a_copy() -> None:
    """Else a rendering that fails counts as an error of the session that has the same voice."""
    heard: list[object] = []
    engine = ScriptedTTS(script)
    engine.on("error", heard.append)
    copy = copy_unheard(engine)
    copy.emit("error", "of a rendering")
    assert (heard, copy.requests) == ([], [])  # type: ignore[attr-defined]
    engine.emit("error", "of the session")
    assert heard == ["of the session"]


async def test_a_voice_that_cannot_be_copied_is_used_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuses(_: object) -> None:
        raise TypeError("one of a kind")

    monkeypatch.setattr(ScriptedTTS, "__copy__", refuses, raising=False)
    engine = ScriptedTTS(script)
    assert copy_unheard(engine) is engine
