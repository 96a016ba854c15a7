from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from onhook.errors import AudioError
from onhook.livekit.renderings import Renderings, engine_of, render
from tests.livekit.voices import RATE, ScriptedTTS, hangs, nothing, raises, silence, speaks


async def test_a_voice_is_rendered_into_memory() -> None:
    pcm = await render(ScriptedTTS(speaks), "hello", deadline=5)
    assert pcm.rate == RATE
    assert pcm.seconds == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (hangs, r"longer than 0\.2 s"),
        (raises, "no APIError"),
        (silence, "of silence"),
        (nothing, "no audio"),
    ],
)
async def test_a_voice_that_fails_is_an_audio_error(script: object, says: str) -> None:
    with pytest.raises(AudioError, match=says):
        await render(ScriptedTTS(script), "hello", deadline=0.2)  # type: ignore[arg-type]
    assert len(asyncio.all_tasks()) == 1


async def test_a_factory_that_raises_is_an_audio_error() -> None:
    def factory() -> ScriptedTTS:
        raise ValueError("no key")

    with pytest.raises(AudioError, match="no key"):
        await render(factory, "hello", deadline=1)


async def test_a_rendering_is_made_once_by_text_engine_and_voice(tmp_path: Path) -> None:
    renderings = Renderings(tmp_path)
    anna, ben = ScriptedTTS(speaks, "anna"), ScriptedTTS(speaks, "ben")
    for voice in (anna, anna, ben):
        await renderings.prepare("sorry", voice)
    assert (anna.count, ben.count) == (1, 1)
    assert await renderings.find("sorry", engine_of(anna)) is not None
    assert await renderings.find("other words", engine_of(anna)) is None
    assert await renderings.find("sorry", engine_of(ScriptedTTS(speaks, "eve"))) is None


async def test_without_an_engine_the_newest_rendering_of_the_text_is_taken(tmp_path: Path) -> None:
    renderings = Renderings(tmp_path)
    assert await renderings.find("sorry", None) is None
    anna, ben = ScriptedTTS(speaks, "anna"), ScriptedTTS(speaks, "ben")
    await renderings.prepare("sorry", anna)
    await renderings.prepare("sorry", ben)
    os.utime(renderings.path("sorry", engine_of(anna)), (1, 1))
    renderings.path("sorry", engine_of(ben)).write_bytes(b"broken")
    found = await renderings.find("sorry", None)
    assert found is not None


async def test_a_failing_voice_prepares_nothing_and_raises_nothing(tmp_path: Path) -> None:
    renderings = Renderings(tmp_path)
    await renderings.prepare("sorry", ScriptedTTS(raises))
    await renderings.prepare("sorry", ScriptedTTS(silence))
    assert await asyncio.to_thread(lambda: list(tmp_path.rglob("*.wav"))) == []
