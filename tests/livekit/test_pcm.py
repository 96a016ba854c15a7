from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from onhook.errors import AudioError
from onhook.livekit.pcm import Pcm, audible, built_in_prompt, load_wav, save_wav


def tone(seconds: float = 0.5, rate: int = 8000, level: float = 0.2) -> Pcm:
    t = np.arange(int(seconds * rate)) / rate
    return Pcm((np.sin(2 * np.pi * 440 * t) * level * 32767).astype(np.int16), rate)


def write(path: Path, *, channels: int = 1, width: int = 2, rate: int = 8000, data: bytes) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return path


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    pcm = tone()
    save_wav(tmp_path / "new" / "a.wav", pcm)
    loaded = load_wav(tmp_path / "new" / "a.wav")
    assert loaded.rate == 8000
    assert np.array_equal(loaded.samples, pcm.samples)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.wav"]


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"channels": 2}, "2 channel"),
        ({"width": 1}, "8 bits"),
        ({"rate": 4000}, "4000 Hz"),
        ({"rate": 96000}, "96000 Hz"),
    ],
)
def test_a_wrong_format_names_the_file_and_the_mend(
    tmp_path: Path, form: dict[str, int], says: str
) -> None:
    path = write(tmp_path / "x.wav", data=tone().samples.tobytes(), **form)
    with pytest.raises(AudioError, match=says) as caught:
        load_wav(path)
    assert "x.wav" in str(caught.value)
    assert "sox" in str(caught.value)


def test_no_file_no_wav_and_silence_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="there is no audio file"):
        load_wav(tmp_path / "none.wav")
    (tmp_path / "x.mp3").write_bytes(b"ID3 no wav at all")
    with pytest.raises(AudioError, match="no PCM WAV file"):
        load_wav(tmp_path / "x.mp3")
    (tmp_path / "empty.wav").write_bytes(b"")
    with pytest.raises(AudioError, match=r"no PCM WAV file \(it ends before"):
        load_wav(tmp_path / "empty.wav")
    with pytest.raises(AudioError, match="is silent"):
        load_wav(write(tmp_path / "0.wav", data=bytes(16000)))
    with pytest.raises(AudioError, match="is silent"):
        load_wav(write(tmp_path / "short.wav", data=tone(0.05).samples.tobytes()))
    with pytest.raises(AudioError, match="cannot read"):
        load_wav(tmp_path)


@pytest.mark.parametrize(
    ("name", "least", "most"), [("apology", 3, 8), ("one-moment", 0.8, 2), ("time-limit", 2, 4)]
)
def test_the_built_in_prompts_are_speech_of_some_seconds(
    name: str, least: float, most: float
) -> None:
    prompt = built_in_prompt(name)
    assert audible(prompt)
    assert prompt.rate == 16000
    assert least < prompt.seconds < most


def test_faint_noise_is_no_speech() -> None:
    assert not audible(tone(level=0.001))
    assert not audible(Pcm(np.zeros(0, np.int16), 8000))
    assert audible(tone(level=0.05))
