"""A TTS that needs no network and no key: espeak-ng behind the framework's own interface."""

from __future__ import annotations

import io
import uuid
import wave

from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectionError, APIConnectOptions, tts

from onhook.bench.espeak import espeak
from onhook.errors import OnhookError

__all__ = ["EspeakTTS"]

_RATE = 22050
"""espeak-ng's own sample rate, Hz."""


class EspeakTTS(tts.TTS[str]):
    """Speaks with the espeak-ng program.

    Args:
        voice: A voice of `espeak-ng --voices`, with an optional variant.
    """

    def __init__(self, voice: str = "en-gb") -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False), sample_rate=_RATE, num_channels=1
        )
        self.voice = voice

    @property
    def provider(self) -> str:
        """The program's name."""
        return "espeak-ng"

    @property
    def model(self) -> str:
        """The voice, which is all that espeak-ng's models are."""
        return self.voice

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """See `livekit.agents.tts.TTS.synthesize`."""
        return _Stream(tts=self, input_text=text, conn_options=conn_options)


class _Stream(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        try:
            data = await espeak(self.input_text, self._tts.model)
        except OnhookError as error:
            raise APIConnectionError(str(error)) from error
        with wave.open(io.BytesIO(data)) as file:
            pcm = file.readframes(file.getnframes())
        output_emitter.initialize(
            request_id=uuid.uuid4().hex, sample_rate=_RATE, num_channels=1, mime_type="audio/pcm"
        )
        output_emitter.push(pcm)
        output_emitter.flush()
