"""Words made audible: cached renderings, and a TTS that is given a deadline."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from onhook.errors import AudioError
from onhook.livekit.pcm import Pcm, audible, load_wav, save_wav

if TYPE_CHECKING:  # 90 MB that a watchdog, which has no TTS, does without
    from livekit.agents import tts
    from typing_extensions import TypeIs

__all__ = ["Renderings", "Tts", "TtsSource", "engine_of", "is_tts", "render"]

logger = logging.getLogger("onhook")

_HEALTHY_DEADLINE = 30.0
"""Seconds a TTS gets while the call is healthy and nobody waits for it."""

Tts: TypeAlias = "tts.TTS[Any]"
TtsSource: TypeAlias = "Tts | Callable[[], Tts]"


def is_tts(source: object) -> TypeIs[Tts]:
    """Return whether something is a TTS, and not a callable that makes one."""
    from livekit.agents import tts  # noqa: PLC0415 - see above

    return isinstance(source, tts.TTS)


def engine_of(engine: Tts) -> str:
    """Name the engine and voice that make a rendering what it is.

    livekit-agents gives label, provider and model in public; plugins keep the voice in `_opts`.
    """
    options: Any = getattr(engine, "_opts", None)
    voice = getattr(options, "voice", None) or getattr(options, "voice_id", None) or ""
    return "|".join(str(part) for part in (engine.label, engine.provider, engine.model, voice))


async def render(source: TtsSource, text: str, *, deadline: float) -> Pcm:
    """Speak a text into memory.

    Args:
        source: A TTS, or a callable that makes one.
        text: The words.
        deadline: Seconds for the whole rendering.

    Raises:
        AudioError: The TTS raised, took too long, or made silence; the cause is chained.
    """
    from livekit.agents import APIConnectOptions  # noqa: PLC0415 - see above

    try:
        async with asyncio.timeout(deadline):
            engine = source if is_tts(source) else source()
            options = APIConnectOptions(max_retry=0, timeout=deadline)
            async with engine.synthesize(text, conn_options=options) as stream:
                frames = [event.frame async for event in stream]
    except TimeoutError as error:
        raise AudioError(f"the TTS took longer than {deadline:g} s to render {text!r}") from error
    except Exception as error:  # plugins raise anything; this is the boundary to them
        raise AudioError(f"the TTS failed to render {text!r}: {error!r}") from error
    if not frames:
        raise AudioError(f"the TTS returned no audio for {text!r}")
    data = np.concatenate([np.frombuffer(frame.data, dtype=np.int16) for frame in frames])
    mono = data[:: frames[0].num_channels]
    pcm = Pcm(mono, frames[0].sample_rate)
    if not audible(pcm):
        raise AudioError(f"the TTS returned {pcm.seconds:.1f} s of silence for {text!r}")
    return pcm


class Renderings:
    """Renderings on disk, by text, engine and voice, so that a rescue needs no TTS.

    Args:
        folder: Where they are kept; `$XDG_CACHE_HOME/onhook/renderings` when omitted.
    """

    def __init__(self, folder: Path | None = None) -> None:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        self.folder = folder or Path(cache) / "onhook" / "renderings"

    def path(self, text: str, engine: str) -> Path:
        """Return where the rendering of a text by an engine is kept."""
        return self.folder / _digest(text) / f"{_digest(engine)}.wav"

    async def find(self, text: str, engine: str | None) -> Pcm | None:
        """Return a rendering, or `None`. Without an engine the newest of the text is taken."""
        return await asyncio.to_thread(self._find, text, engine)

    def _find(self, text: str, engine: str | None) -> Pcm | None:
        if engine is None:
            made = sorted(self.path(text, "").parent.glob("[!.]*.wav"), key=_modified, reverse=True)
        else:
            made = [self.path(text, engine)]
        for path in made:
            try:
                return load_wav(path)
            except AudioError:
                continue
        return None

    async def prepare(self, text: str, source: TtsSource) -> None:
        """Render a text while all is well, once; failures are logged and harm nobody."""
        try:
            engine = source if is_tts(source) else source()
            name = engine_of(engine)
            if await self.find(text, name) is None:
                pcm = await render(engine, text, deadline=_HEALTHY_DEADLINE)
                await asyncio.to_thread(save_wav, self.path(text, name), pcm)
        except (AudioError, OSError) as error:
            logger.info("no rendering prepared, the built-in prompt stands by: %s", error)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _modified(path: Path) -> float:
    return path.stat().st_mtime
