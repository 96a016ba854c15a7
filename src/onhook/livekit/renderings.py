"""Words made audible: cached renderings, and a TTS that is given a deadline."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from onhook import settings
from onhook.errors import AudioError
from onhook.livekit.framework.tts_internals import copy_unheard, voice_of
from onhook.livekit.pcm import Pcm, audible, load_wav, save_wav
from onhook.threads import in_thread

if TYPE_CHECKING:  # 90 MB that a watchdog, which has no TTS, does without
    from livekit.agents import tts
    from typing_extensions import TypeIs

__all__ = ["Renderings", "Tts", "TtsSource", "engine_of", "is_ours", "is_tts", "render"]

logger = logging.getLogger("onhook")

_HEALTHY_DEADLINE = 30.0
"""Seconds a TTS gets while the call is healthy and nobody waits for it."""
_IN_MEMORY = 16
"""Renderings that one job keeps at hand: at 24 kHz ten seconds are half a megabyte."""
_ON_DISK = 256
"""Renderings that are kept in the folder; the oldest go."""

_RENDERING: contextvars.ContextVar[bool] = contextvars.ContextVar("onhook_renders", default=False)

Tts: TypeAlias = "tts.TTS[Any]"
TtsSource: TypeAlias = "Tts | Callable[[], Tts]"


def is_tts(source: object) -> TypeIs[Tts]:
    """Return whether something is a TTS, and not a callable that makes one."""
    from livekit.agents import tts  # noqa: PLC0415 - see above

    return isinstance(source, tts.TTS)


def engine_of(engine: Tts) -> str:
    """Name the engine and voice that make a rendering what it is."""
    return f"{engine.label}|{engine.provider}|{engine.model}|{voice_of(engine)}"


async def render(source: TtsSource, text: str, *, deadline: float) -> Pcm:
    """Speak a text into memory; the session that has the same TTS is told nothing of it.

    Args:
        source: A TTS, or a callable that makes one.
        text: The words.
        deadline: Seconds for the whole rendering.

    Raises:
        AudioError: The TTS raised, took too long, or made silence; the cause is chained.
    """
    from livekit.agents import APIConnectOptions  # noqa: PLC0415 - see above

    rendering = _RENDERING.set(True)
    try:
        async with asyncio.timeout(deadline):
            engine = copy_unheard(source if is_tts(source) else source())
            options = APIConnectOptions(max_retry=0, timeout=deadline)
            async with engine.synthesize(text, conn_options=options) as stream:
                frames = [event.frame async for event in stream]
    except TimeoutError as error:
        raise AudioError(f"the TTS took longer than {deadline:g} s to render {text!r}") from error
    except Exception as error:  # plugins raise anything; this is the boundary to them
        raise AudioError(f"the TTS failed to render {text!r}: {error!r}") from error
    finally:
        _RENDERING.reset(rendering)
    if not frames:
        raise AudioError(f"the TTS returned no audio for {text!r}")
    data = np.concatenate([np.frombuffer(frame.data, dtype=np.int16) for frame in frames])
    mono = data[:: frames[0].num_channels]
    pcm = Pcm(mono, frames[0].sample_rate)
    if not audible(pcm):
        raise AudioError(f"the TTS returned {pcm.seconds:.1f} s of silence for {text!r}")
    return pcm


def is_ours() -> bool:
    """Return whether the code that runs now does so for a rendering of ours.

    Asked in the handler of an event: an `rtc.EventEmitter` calls its handlers where it emits, and
    what a TTS emits for a rendering it emits in tasks that the rendering has begun.
    """
    return _RENDERING.get()


class Renderings:
    """Renderings by text, engine and voice, so that a rescue needs no TTS.

    They are kept on disk and in memory: what cannot be written is known to this job all the same.

    Args:
        folder: Where they are kept; as `onhook.settings` says when omitted. Where there is no such
            place, in memory only.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or settings.places().renderings
        self._made: OrderedDict[tuple[str, str], Pcm] = OrderedDict()

    def path(self, text: str, engine: str) -> Path | None:
        """Return where the rendering of a text by an engine is kept, if there is a place."""
        if self._folder is None:
            return None
        return self._folder / _digest(text) / f"{_digest(engine)}.wav"

    async def find(self, text: str, engine: str | None) -> Pcm | None:
        """Return a rendering, or `None`. Without an engine the newest of the text is taken."""
        for known, pcm in reversed(self._made.items()):
            if known == (text, engine) or (engine is None and known[0] == text):
                return pcm
        return await in_thread(self._find, text, engine)

    def _find(self, text: str, engine: str | None) -> Pcm | None:
        path = self.path(text, engine or "")
        if path is None:
            return None
        try:
            made = [path] if engine is not None else _newest_first(path.parent.glob("[!.]*.wav"))
        except OSError:  # a home that may not be entered
            return None
        for path in made:
            try:
                return load_wav(path)
            except AudioError:
                continue
        return None

    async def prepare(self, text: str, source: TtsSource, *, lasting: bool = True) -> None:
        """Render a text while all is well, once; failures are logged and harm nobody.

        Args:
            text: The words.
            source: A TTS, or a callable that makes one.
            lasting: Whether the words are the same in other calls. What was made up in a call may
                hold what its caller has told, and is not written to disk.
        """
        try:
            engine = source if is_tts(source) else source()
            name = engine_of(engine)
            if await self.find(text, name) is not None:
                return
            pcm = await render(engine, text, deadline=_HEALTHY_DEADLINE)
        except AudioError as error:
            logger.info("no rendering prepared, the built-in prompt stands by: %s", error)
            return
        self._made[text, name] = pcm
        while len(self._made) > _IN_MEMORY:
            self._made.popitem(last=False)
        if lasting:
            await in_thread(self._keep, text, name, pcm)

    def _keep(self, text: str, engine: str, pcm: Pcm) -> None:
        path = self.path(text, engine)
        if path is None or self._folder is None:
            return
        try:
            save_wav(path, pcm)
            for old in _newest_first(self._folder.glob("*/*.wav"))[_ON_DISK:]:
                old.unlink(missing_ok=True)
        except OSError as error:
            logger.info("a rendering is kept for this call only: %s", error)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _newest_first(paths: Iterable[Path]) -> list[Path]:
    """Sort files by age; those that another process has taken away meanwhile are the oldest."""
    return sorted(paths, key=_modified, reverse=True)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
