from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from livekit.agents import Agent, AgentSession

from onhook import settings
from onhook.errors import AudioError
from onhook.livekit.pcm import Pcm, built_in_prompt, load_wav, save_wav
from onhook.livekit.renderings import Renderings, engine_of, is_ours, render
from tests.livekit.voices import (
    RATE,
    ScriptedTTS,
    StreamingTTS,
    hangs,
    nothing,
    raises,
    silence,
    speaks,
    too_many_requests,
)


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
    older, newer = (renderings.path("sorry", engine_of(voice)) for voice in (anna, ben))
    assert older is not None
    assert newer is not None
    os.utime(older, (1, 1))
    newer.write_bytes(b"broken")
    found = await Renderings(tmp_path).find("sorry", None)
    assert found is not None


async def test_a_failing_voice_prepares_nothing_and_raises_nothing(tmp_path: Path) -> None:
    renderings = Renderings(tmp_path)
    await renderings.prepare("sorry", ScriptedTTS(raises))
    await renderings.prepare("sorry", ScriptedTTS(silence))
    assert await asyncio.to_thread(lambda: list(tmp_path.rglob("*.wav"))) == []


@pytest.mark.parametrize("kind", [ScriptedTTS, StreamingTTS])
async def test_a_session_hears_nothing_of_a_rendering_with_its_own_voice(
    kind: type[ScriptedTTS], tmp_path: Path
) -> None:
    voice = kind(too_many_requests)
    events: list[object] = []
    async with AgentSession[None](tts=voice) as session:
        for event in ("error", "close", "metrics_collected"):
            session.on(event, events.append)
        await session.start(Agent(instructions=""))
        for _ in range(session.conn_options.max_unrecoverable_errors + 1):
            await Renderings(tmp_path).prepare("sorry", voice)
        assert voice.count == session.conn_options.max_unrecoverable_errors + 1
        voice.script = speaks
        await Renderings(tmp_path).prepare("sorry", voice)
        assert events == []


async def test_what_a_voice_tells_of_a_rendering_is_known_to_be_ours() -> None:
    class Uncopied(ScriptedTTS):
        def __copy__(self) -> object:
            raise TypeError("holds a socket")

    voice = Uncopied(too_many_requests)
    ours: list[bool] = []
    voice.on("error", lambda _: ours.append(is_ours()))
    with pytest.raises(AudioError):
        await render(voice, "sorry", deadline=1)
    with pytest.raises(Exception, match="too many"):
        await voice.synthesize("hello").collect()
    assert ours[0] is True
    assert set(ours[1:]) == {False}


async def test_what_was_made_up_in_a_call_is_not_written_to_disk(tmp_path: Path) -> None:
    renderings, voice = Renderings(tmp_path), ScriptedTTS(speaks)
    await renderings.prepare("I look up order 4711", voice, lasting=False)
    await renderings.prepare("I look up order 4711", voice, lasting=False)
    assert voice.count == 1
    assert await renderings.find("I look up order 4711", engine_of(voice)) is not None
    assert await renderings.find("I look up order 4711", None) is not None
    assert await asyncio.to_thread(lambda: list(tmp_path.rglob("*"))) == []


async def test_the_folder_of_renderings_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onhook.livekit.renderings._ON_DISK", 3)
    renderings, voice = Renderings(tmp_path), ScriptedTTS(speaks)
    for text in "abcde":
        await renderings.prepare(text, voice)
    assert len(await asyncio.to_thread(lambda: list(tmp_path.rglob("*.wav")))) == 3


def test_many_may_write_one_rendering_at_once(tmp_path: Path) -> None:
    path, pcm = tmp_path / "a" / "b.wav", built_in_prompt("one-moment")
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: save_wav(path, pcm), range(72)))
    assert load_wav(path).seconds == pcm.seconds
    assert [file.name for file in path.parent.iterdir()] == ["b.wav"]


@pytest.mark.parametrize("home", ["nowhere", "unwritable"])
async def test_without_a_usable_home_the_words_are_kept_for_this_call(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    folder = None if home == "nowhere" else tmp_path / "file" / "renderings"
    monkeypatch.setattr(settings, "places", lambda: settings.Places(None, folder, None))
    renderings, voice = Renderings(), ScriptedTTS(speaks)
    assert await renderings.find("sorry", None) is None
    await renderings.prepare("sorry", voice)
    assert isinstance(await renderings.find("sorry", engine_of(voice)), Pcm)
    assert voice.count == 1
