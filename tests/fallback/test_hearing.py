"""Recognisers that stream, on the test's own clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, APIStatusError, vad

import onhook
from tests.fallback.fakes import RATE, FakeSTT, Script, for_ever, silence, tone

pytestmark = pytest.mark.looptime

TIMES = onhook.Deadlines(stt=1.0, llm=1.0, tts=1.0, between=0.5)
FRAME = 0.1
SLACK = 0.3


class LoudIsSpeech(vad.VAD):
    """Takes what is loud for speech, and the first silent frame for its end."""

    def __init__(self) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=FRAME))

    def stream(self) -> vad.VADStream:
        return _Loud(self)


class _Loud(vad.VADStream):
    async def _main_task(self) -> None:
        spoken = 0.0
        async for frame in self._input_ch:
            assert isinstance(frame, rtc.AudioFrame)
            loud = any(frame.data)
            if loud and not spoken:
                self._tell(vad.VADEventType.START_OF_SPEECH, 0.0)
            if spoken and not loud:
                self._tell(vad.VADEventType.END_OF_SPEECH, spoken)
            spoken = spoken + frame.duration if loud else 0.0

    def _tell(self, kind: vad.VADEventType, seconds: float) -> None:
        self._event_ch.send_nowait(
            vad.VADEvent(
                kind, samples_index=0, timestamp=0.0, speech_duration=seconds, silence_duration=0.0
            )
        )


def script(*steps: float | str | Exception) -> Script:
    """Wait so many seconds, write a transcript, or raise; then wait for ever."""

    async def run() -> AsyncIterator[Any]:
        for step in steps:
            if isinstance(step, float):
                await asyncio.sleep(step)
            elif isinstance(step, Exception):
                raise step
            else:
                yield step
        await for_ever()

    return run


class Ear:
    """A session's ear: pushes audio in real time, and keeps what is written."""

    def __init__(self, *members: FakeSTT, **more: Any) -> None:
        self.changes: list[onhook.ProviderChange] = []
        self.errors: list[Any] = []
        self.written: list[tuple[str, float]] = []
        how: dict[str, Any] = {"dead_air": 6.0, "deadlines": TIMES, **more}
        arguments = onhook.providers(stt=members, on_change=self.changes.append, **how)
        arguments["stt"].on("error", self.errors.append)
        self.stream = arguments["stt"].stream(
            conn_options=arguments["conn_options"].stt_conn_options
        )
        self.began = asyncio.get_running_loop().time()

    async def __aenter__(self) -> Ear:
        self._reading = asyncio.ensure_future(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reading.cancel()
        await asyncio.wait({self._reading})
        await self.stream.aclose()

    async def _read(self) -> None:
        async for event in self.stream:
            now = asyncio.get_running_loop().time() - self.began
            self.written.append((event.alternatives[0].text, now))

    async def hear(self, seconds: float, *, loud: bool) -> None:
        data = tone(FRAME) if loud else silence(FRAME)
        for _ in range(round(seconds / FRAME)):
            self.stream.push_frame(rtc.AudioFrame(data, RATE, 1, len(data) // 2))
            await asyncio.sleep(FRAME)


def seconds(member: FakeSTT) -> float:
    return sum(frame.duration for frame in member.heard)


@pytest.mark.parametrize(
    "error", [ValueError("odd"), APIConnectionError(), APIStatusError("no key", status_code=401)]
)
async def test_the_next_hears_what_the_first_has_lost(error: Exception) -> None:
    first = FakeSTT(script(2.0, error), streaming=True)
    second = FakeSTT(script("words"), streaming=True)
    async with Ear(first, second) as ear:
        await ear.hear(2.5, loud=True)
        assert [text for text, _ in ear.written] == ["words"]
        assert seconds(second) == pytest.approx(2.5, abs=0.3)
        assert [(each.place, each.available) for each in ear.changes] == [(0, False)]
        assert ear.errors == []


async def test_what_was_written_is_not_heard_again() -> None:
    first = FakeSTT(script(1.0, "words", 1.0, ValueError("odd")), streaming=True)
    second = FakeSTT(script(), streaming=True)
    async with Ear(first, second) as ear:
        await ear.hear(2.5, loud=True)
        assert seconds(second) == pytest.approx(1.5, abs=0.3)


async def test_a_working_connection_that_breaks_is_opened_again() -> None:
    member = FakeSTT(script(20.0, APIConnectionError()), streaming=True)
    async with Ear(member, FakeSTT(streaming=True)) as ear:
        await ear.hear(50.0, loud=False)
        assert member.asked == 3
        assert (ear.changes, ear.errors) == ([], [])


async def test_all_of_them_broken_is_one_error_within_the_deadline() -> None:
    members = [FakeSTT(script(APIConnectionError()), streaming=True) for _ in range(2)]
    async with Ear(*members) as ear:
        await asyncio.sleep(TIMES.stt + SLACK)
        assert [each.recoverable for each in ear.errors] == [False]


async def test_a_network_that_is_gone_for_a_moment_is_waited_for() -> None:
    tries = iter([True, True, True, False])

    async def run() -> AsyncIterator[Any]:
        if next(tries):
            raise APIConnectionError
        yield "words"
        await for_ever()

    first, second = (
        FakeSTT(script(APIConnectionError()), streaming=True),
        FakeSTT(run, streaming=True),
    )
    async with Ear(first, second) as ear:
        await ear.hear(1.0, loud=True)
        assert [text for text, _ in ear.written] == ["words"]
        assert ear.errors == []


async def test_a_deaf_one_is_missed_and_its_words_are_heard() -> None:
    first = FakeSTT(script(), streaming=True)
    second = FakeSTT(script("words"), streaming=True)
    async with Ear(first, second, vad=LoudIsSpeech()) as ear:
        await ear.hear(2.0, loud=True)
        await ear.hear(2.0, loud=False)
        [(text, at)] = ear.written
        assert text == "words"
        assert at <= 2.0 + FRAME + TIMES.stt + SLACK
        assert seconds(second) >= 3.5
        assert "wrote nothing of 2.0 s" in ear.changes[0].detail


async def test_one_that_writes_in_time_is_not_missed() -> None:
    first = FakeSTT(script(2.9, "words"), streaming=True)
    async with Ear(first, FakeSTT(streaming=True), vad=LoudIsSpeech()) as ear:
        await ear.hear(2.0, loud=True)
        await ear.hear(2.0, loud=False)
        assert ear.changes == []


async def test_a_cough_needs_no_words() -> None:
    first = FakeSTT(script(), streaming=True)
    async with Ear(first, FakeSTT(streaming=True), vad=LoudIsSpeech()) as ear:
        await ear.hear(0.5, loud=True)
        await ear.hear(3.0, loud=False)
        assert ear.changes == []


async def test_the_last_one_is_not_given_up_for_silence() -> None:
    async with Ear(FakeSTT(script(), streaming=True), vad=LoudIsSpeech()) as ear:
        for _ in range(3):
            await ear.hear(2.0, loud=True)
            await ear.hear(3.0, loud=False)
        assert (ear.changes, ear.errors) == ([], [])
