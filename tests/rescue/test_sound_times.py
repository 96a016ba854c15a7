from __future__ import annotations

import pytest

from onhook.rescue.sound_times import SoundTimes


def test_the_first_beginning_and_the_first_end_count() -> None:
    now = [0.0]
    sound = SoundTimes(lambda: now[0])
    assert sound.times is None
    sound.heard(False)
    assert sound.times is None, "nothing had begun"
    for at, heard in ((1.0, True), (2.0, True), (5.0, False), (6.0, False)):
        now[0] = at
        if at == 5.0:
            assert sound.times == (1.0, pytest.approx(5.0)), "it is heard still"
        sound.heard(heard)
    assert sound.times == (1.0, 5.0)
