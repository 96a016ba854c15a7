from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from onhook.bench.phone import PhoneError, load_audio, save_wav, speech
from onhook.bench.phone.sound_files import check_samples
from onhook.bench.phone.sound_segments import level_of
from onhook.errors import AudioError
from tests.bench.phone.tones import pitch, tone


def test_a_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    save_wav(tmp_path / "new" / "tone.wav", tone(0.5))
    assert np.array_equal(load_audio(tmp_path / "new" / "tone.wav"), tone(0.5))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["tone.wav"]


def test_other_rates_and_channels_are_brought_to_the_line(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    rate = 44100
    left = (9000 * np.sin(2 * np.pi * 500 * np.arange(rate) / rate)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(left, 2).tobytes())
    heard = load_audio(path)
    assert len(heard) == pytest.approx(8000, abs=40)
    assert pitch(heard[:8000]) == pytest.approx(500, abs=2)


@pytest.mark.parametrize("content", [b"", b"no audio at all", b"RIFF\0\0\0\0WAVE"])
def test_what_is_no_audio_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"bad\.wav.*give a WAV file"):
        load_audio(path)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="there is no audio file"):
        load_audio(tmp_path / "none.wav")
    (tmp_path / "file").touch()
    with pytest.raises(AudioError, match="cannot write"):
        save_wav(tmp_path / "file" / "x.wav", tone(0.1))


def test_only_mono_16_bit_can_be_played() -> None:
    with pytest.raises(AudioError, match="float64"):
        check_samples(np.zeros(8000))  # type: ignore[arg-type]
    with pytest.raises(AudioError, match="2 dimension"):
        check_samples(np.zeros((2, 80), np.int16))


async def test_speech() -> None:
    words = await speech("Hello, this is a test.")
    assert 0.8 < len(words) / 8000 < 4
    assert level_of(words) > -35


async def test_espeak_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "espeak-ng"
    program.write_text("#!/bin/sh\necho no data >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PhoneError, match="cannot say 'Hello': 'no data'"):
        await speech("Hello")


async def test_without_espeak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PhoneError, match="apt install espeak-ng"):
        await speech("Hello")
