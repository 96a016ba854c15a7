"""Measures the audio that an agent really sends, as one link of its session's output chain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from livekit import rtc
from livekit.agents.voice.io import AudioOutput, AudioOutputCapabilities

from onhook.livekit.pcm import SILENT, level

__all__ = ["Listener", "Meter"]


class Listener(Protocol):
    """Is told what an agent sends. All times are seconds of the meter's clock."""

    def agent_sends(self, at: float, seconds: float, *, audible: bool) -> None:
        """A frame was handed on to be played."""
        ...

    def agent_is_done(self) -> None:
        """The segment is complete."""
        ...

    def agent_is_cut_off(self, at: float) -> None:
        """What was not played yet is thrown away."""
        ...

    def agent_pauses(self, at: float) -> None:
        """Playing stops for a moment."""
        ...

    def agent_resumes(self, at: float) -> None:
        """Playing goes on."""
        ...


class Meter(AudioOutput):
    """Passes every frame on unchanged and tells of its energy.

    Args:
        output: The link that was first in the chain, `session.output.audio`.
        listener: Is told.
        clock: Seconds of a monotonic clock.
        carried: Whether what is sent reaches the line at all.
    """

    def __init__(
        self,
        output: AudioOutput,
        listener: Listener,
        clock: Callable[[], float],
        *,
        carried: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(
            label="onhook",
            capabilities=AudioOutputCapabilities(pause=output.can_pause),
            next_in_chain=output,
            sample_rate=output.sample_rate,
        )
        self._listener = listener
        self._clock = clock
        self._carried = carried

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """See `AudioOutput.capture_frame`."""
        await super().capture_frame(frame)
        if self.next_in_chain is not None:
            await self.next_in_chain.capture_frame(frame)
        audible = level(np.frombuffer(frame.data, np.int16)) >= SILENT and self._carried()
        self._listener.agent_sends(self._clock(), frame.duration, audible=audible)

    def flush(self) -> None:
        """See `AudioOutput.flush`."""
        super().flush()
        if self.next_in_chain is not None:
            self.next_in_chain.flush()
        self._listener.agent_is_done()

    def clear_buffer(self) -> None:
        """See `AudioOutput.clear_buffer`."""
        if self.next_in_chain is not None:
            self.next_in_chain.clear_buffer()
        self._listener.agent_is_cut_off(self._clock())

    def pause(self) -> None:
        """See `AudioOutput.pause`."""
        super().pause()
        self._listener.agent_pauses(self._clock())

    def resume(self) -> None:
        """See `AudioOutput.resume`."""
        super().resume()
        self._listener.agent_resumes(self._clock())
