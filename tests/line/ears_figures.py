"""What the ears cost: 20 calls that are spoken on all the time, in one process, on the real stack.

`python -m tests.line.ears_figures CALLS`, 20 when omitted. Without ears each call's audio is read
once, as its session reads it (24 kHz, 50 ms); with them it is read a second time and judged.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Sequence

import numpy as np
import psutil
from livekit import rtc
from rich.console import Console
from rich.table import Table

from onhook.bench.phone.sound_files import speech
from onhook.bench.stack import Stack
from onhook.jobguard.detectors.caller_voice import CallerVoice
from onhook.jobguard.silence.utterances import Utterance
from onhook.jobguard.silence.voice_detector import BLOCK, RATE, VoiceDetector
from tests.line.room_legs import connected_to, publish

CALLS = 20
SECONDS = 20.0
WORDS = "I would like a table for two please. No, at eight o'clock. Can you hear me?"


class Count:
    """Counts what is said."""

    said = 0

    def caller_voice(self, at: float, *, speaking: bool) -> None:
        """See `VoiceListener`."""

    def caller_said(self, utterance: Utterance) -> None:
        """See `VoiceListener`."""
        self.said += 1


async def speak(calls: int) -> None:
    """Be the phones, until standard input ends."""
    words = np.concatenate([await speech(WORDS), np.zeros(RATE, np.int16)])
    async with contextlib.AsyncExitStack() as stack:
        talking = []
        for number in range(calls):
            leg = connected_to(os.environ, f"ears-{number}", "sip_1", "sip")
            source = (await publish(await stack.enter_async_context(leg))).source
            talking.append(asyncio.create_task(_talk(source, np.roll(words, number * 4000))))
        print("ready", flush=True)  # noqa: T201 - whoever started this waits for it
        await asyncio.to_thread(sys.stdin.read)
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)


async def _talk(source: rtc.AudioSource, words: np.ndarray[tuple[int], np.dtype[np.int16]]) -> None:
    while True:
        for begin in range(0, len(words), 800):
            part = words[begin : begin + 800]
            await source.capture_frame(rtc.AudioFrame(part.tobytes(), RATE, 1, len(part)))


async def _read(room: rtc.Room) -> None:
    for participant in room.remote_participants.values():
        for publication in participant.track_publications.values():
            if publication.track is not None:
                track = publication.track
                async for _ in rtc.AudioStream(track, sample_rate=24000, frame_size_ms=50):
                    pass


async def listen(calls: int, *, ears: bool) -> tuple[float, float, int]:
    """Return the CPU of a call in per cent of a core, all memory in MB, and the utterances."""
    count, tasks = Count(), []
    async with contextlib.AsyncExitStack() as stack:
        rooms = [
            await stack.enter_async_context(
                connected_to(os.environ, f"ears-{number}", "agent-1", "agent")
            )
            for number in range(calls)
        ]
        await asyncio.sleep(2.0)  # every track is subscribed
        for room in rooms:
            tasks.append(asyncio.create_task(_read(room)))
            if ears:
                voice = CallerVoice(room, lambda: [count], time.monotonic)
                tasks.append(asyncio.create_task(voice.listen()))
        await asyncio.sleep(3.0)
        before, begun = time.process_time(), time.monotonic()
        await asyncio.sleep(SECONDS)
        used = (time.process_time() - before) / (time.monotonic() - begun)
        memory = psutil.Process().memory_info().rss / 1e6
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return 100 * used / calls, memory, count.said


async def detector_alone() -> tuple[float, float]:
    """Return what the detector costs on speech and on silence, in per cent of a core."""
    words = np.tile(await speech(WORDS), 20)[: 60 * RATE]
    costs = []
    for sound in (words, np.zeros(60 * RATE, np.int16)):
        detector, before = VoiceDetector(), time.process_time()
        block = round(BLOCK * RATE)
        for begin in range(0, len(sound) - block + 1, block):
            detector.push(sound[begin : begin + block], begin / RATE)
        costs.append(100 * (time.process_time() - before) / (len(sound) / RATE))
    return costs[0], costs[1]


async def _process(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.line.ears_figures", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


async def figures(calls: int = CALLS) -> Sequence[tuple[str, str, str, str]]:
    """Return the rows of the table: each way in a process of its own."""
    rows = []
    async with Stack(sip="off") as stack:
        os.environ.update(stack.env)
        phones = await _process(str(calls), "speak")
        assert phones.stdin is not None
        assert phones.stdout is not None
        try:
            async with asyncio.timeout(60):
                await phones.stdout.readline()
            for ears in ("without", "with"):
                listener = await _process(str(calls), ears)
                async with asyncio.timeout(SECONDS + 60):
                    out, _ = await listener.communicate()
                cpu, memory, said = out.decode().split()
                rows.append((f"{calls} calls {ears} ears", f"{cpu} %", f"{memory} MB", said))
        finally:
            phones.stdin.close()
            await phones.wait()
    on_speech, on_silence = await detector_alone()
    rows.append(("the detector alone, speech", f"{on_speech:.3f} %", "", ""))
    rows.append(("the detector alone, silence", f"{on_silence:.3f} %", "", ""))
    return rows


def main() -> None:
    """Print the figures."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    if "speak" in sys.argv:
        asyncio.run(speak(calls))
    elif len(sys.argv) > 2:
        cpu, memory, said = asyncio.run(listen(calls, ears=sys.argv[2] == "with"))
        print(f"{cpu:.2f} {memory:.0f} {said}")  # noqa: T201 - for the process that started this
    else:
        table = Table("", "CPU of a call, of a core", "memory", "utterances", title="ears")
        for row in asyncio.run(figures(calls)):
            table.add_row(*row)
        Console().print(table)


if __name__ == "__main__":
    main()
