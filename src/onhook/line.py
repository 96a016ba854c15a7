"""The port through which rungs act on a call. `onhook.livekit` implements it; tests fake it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from onhook.types import Call

__all__ = ["Announcement", "Line"]


@dataclass(frozen=True, slots=True)
class Announcement:
    """What shall be said to the caller.

    Args:
        text: The words; also the key of the cached rendering.
        audio: A WAV file that is played as it is, or `None`.
        tts: A livekit-agents TTS, or a callable without arguments that makes one, or `None`.
        tts_deadline: Seconds that the TTS gets for the whole rendering.
        start_deadline: Seconds until the words must be on the line; a later start is a failure,
            so that the rungs below are not kept waiting.
        gentle: The agent may still speak: its own voice is left alone, and where no audio of the
            text can be had the built-in words ask for patience instead of saying goodbye.
    """

    text: str
    audio: Path | None = None
    tts: Callable[[], Any] | Any | None = None
    tts_deadline: float = 1.5
    start_deadline: float = 3.0
    gentle: bool = False


class Line(Protocol):
    """One call's line.

    Every method may raise `onhook.errors.OnhookError`, may be cancelled at any await, and may
    hang: the engine gives each call its deadline. Methods are safe to repeat.
    """

    async def picture(self) -> Call:
        """Return a fresh picture of the call. A room that is gone has no legs."""
        ...

    async def say(self, announcement: Announcement) -> str:
        """Play an announcement to the end; return where the audio came from (`"cache"`, ...)."""
        ...

    async def remove(self, identity: str) -> None:
        """Remove one participant. One that is already gone is success."""
        ...

    async def delete_room(self) -> None:
        """Delete the room. One that is already gone is success."""
        ...
