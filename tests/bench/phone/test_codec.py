from __future__ import annotations

import numpy as np
import pytest

from onhook.bench.phone import PhoneError
from onhook.bench.phone.codec import PCMA, PCMU, Codec, codec_named
from onhook.bench.phone.sound_segments import level_of

BOTH = pytest.mark.parametrize("codec", [PCMU, PCMA], ids=lambda codec: codec.name)


@BOTH
def test_every_byte_survives_the_way_there_and_back(codec: Codec) -> None:
    every = bytes(range(256))
    back = codec.encode(codec.decode(every))
    again = codec.decode(back)
    assert np.array_equal(again, codec.decode(every))  # µ-law has two zeros


@BOTH
def test_the_error_is_that_of_eight_bits(codec: Codec) -> None:
    samples = np.arange(-32000, 32000, 7, dtype=np.int16)
    heard = codec.decode(codec.encode(samples)).astype(int)
    assert np.all(np.abs(heard - samples) <= np.maximum(16, np.abs(samples.astype(int)) / 16))


@BOTH
def test_silence_stays_far_below_every_threshold(codec: Codec) -> None:
    assert level_of(codec.decode(codec.encode(np.zeros(160, np.int16)))) <= -72


def test_known_bytes() -> None:
    # ITU-T G.711, tables 1a and 2a: digital silence.
    assert PCMU.encode(np.zeros(1, np.int16)) == b"\xff"
    assert PCMA.encode(np.zeros(1, np.int16)) == b"\xd5"
    assert PCMU.decode(b"\x00\x80").tolist() == [-32124, 32124]


def test_names() -> None:
    assert codec_named("PcmU") is PCMU
    with pytest.raises(PhoneError, match=r"unknown codec 'opus': give 'pcmu'"):
        codec_named("opus")
