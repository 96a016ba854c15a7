"""A caller whose leg comes by a connector, from Twilio or WhatsApp, instead of by SIP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

import jwt
import numpy as np
from livekit import api, rtc

from tests.cases.layout import (
    CallTimeoutError,
    Ending,
    Frame,
    Packets,
    Report,
    Segmenter,
    level_of,
    save_wav,
    speech,
)

__all__ = ["ConnectorLeg"]

RATE = 8000
_PIECE = 0.05
_CONNECT = 10.0


class ConnectorLeg:
    """The leg: it speaks into a room, and measures what it hears there as a phone does.

    Args:
        room: The room's name.
        network: `twilio` or `whatsapp`.
    """

    def __init__(self, room: str, network: str) -> None:
        self._name = room
        self._network = network
        self._room = rtc.Room()
        self._microphone = rtc.AudioSource(RATE, 1)
        self._ears: list[asyncio.Task[None]] = []
        self._segments = Segmenter()
        self._heard: list[np.ndarray[tuple[int], np.dtype[np.int16]]] = []
        self._begun = time.monotonic()
        self._ended: asyncio.Future[float] | None = None

    async def join(self, env: Mapping[str, str]) -> None:
        """Be put through."""
        self._ended = asyncio.get_running_loop().create_future()
        self._room.on("track_subscribed", self._on_track)
        self._room.on("disconnected", self._on_end)
        async with asyncio.timeout(_CONNECT):
            await self._room.connect(env["LIVEKIT_URL"], self._token(env))
            track = rtc.LocalAudioTrack.create_audio_track("connector", self._microphone)
            microphone = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
            await self._room.local_participant.publish_track(track, microphone)
        self._begun = time.monotonic()

    def _token(self, env: Mapping[str, str]) -> str:
        """Sign what a connector signs; livekit-api knows no kind details."""
        key, secret = env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"]
        token = (
            api.AccessToken(key, secret)
            .with_identity(f"{self._network}-caller")
            .with_kind("connector")  # type: ignore[arg-type]
            .with_grants(api.VideoGrants(room_join=True, room=self._name))
            .to_jwt()
        )
        claims = jwt.decode(token, options={"verify_signature": False})
        claims["kindDetails"] = [f"connector_{self._network}"]
        return jwt.encode(claims, secret)

    @property
    def is_up(self) -> bool:
        return self._ended is not None and not self._ended.done()

    async def ended(self, timeout: float) -> Report:
        """Return the report when the other side has ended the call.

        Raises:
            CallTimeoutError: It goes on.
        """
        assert self._ended is not None, "join first"
        try:
            async with asyncio.timeout(timeout):
                await asyncio.shield(self._ended)
        except TimeoutError:
            raise CallTimeoutError(f"still up after {timeout:g} s") from None
        return self.report()

    async def heard_sound(self, after: float, timeout: float = 10.0, *, new: bool = False) -> float:
        """Return when something was first heard.

        Raises:
            CallTimeoutError: Nothing was heard.
        """
        until = time.monotonic() + timeout
        while (at := self.report().hearing.first_sound(after, new=new)) is None:
            if time.monotonic() > until:
                raise CallTimeoutError(f"nothing was heard in {timeout:g} s")
            await asyncio.sleep(0.05)  # frames come as they come
        return at

    async def say(self, text: str) -> None:
        samples = await speech(text)
        step = int(RATE * _PIECE)
        for begin in range(0, len(samples), step):
            part = samples[begin : begin + step]
            await self._microphone.capture_frame(rtc.AudioFrame(part.tobytes(), RATE, 1, len(part)))
        await self._microphone.wait_for_playout()

    def report(self) -> Report:
        end = self._ended.result() if self._ended is not None and self._ended.done() else None
        return Report(
            call_id="",
            number=self._network,
            outgoing=True,
            invited_at=self._begun,
            ringing_at=None,
            answered_at=self._begun,
            ended_at=end,
            ending=None if end is None else Ending.BYE_RECEIVED,
            status=200,
            reason="",
            hearing=self._segments.hearing(self._begun, end or time.monotonic()),
            digits=(),
            refers=(),
            packets=Packets(),
        )

    def save(self, path: Path) -> None:
        save_wav(path, np.concatenate([np.zeros(1, np.int16), *self._heard]))

    async def hang_up(self) -> None:
        for ear in self._ears:
            ear.cancel()
        await asyncio.gather(*self._ears, return_exceptions=True)
        await self._room.disconnect()

    def _on_track(self, track: rtc.Track, *_: object) -> None:
        self._ears.append(asyncio.create_task(self._listen(track)))

    def _on_end(self, *_: object) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(time.monotonic())

    async def _listen(self, track: rtc.Track) -> None:
        async for event in rtc.AudioStream(track, sample_rate=RATE, num_channels=1):
            samples = np.frombuffer(event.frame.data, dtype=np.int16)
            seconds = len(samples) / RATE
            self._segments.push(Frame(time.monotonic() - seconds, seconds, level_of(samples)))
            self._heard.append(samples)
