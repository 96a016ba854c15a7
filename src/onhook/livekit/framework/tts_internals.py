"""What the voices of livekit-agents keep to themselves."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Any, TypeAlias

from livekit import rtc

if TYPE_CHECKING:  # 90 MB that a watchdog, which has no TTS, does without
    from livekit.agents import tts

__all__ = ["copy_unheard", "voice_of"]

logger = logging.getLogger("onhook")

Tts: TypeAlias = "tts.TTS[Any]"


def voice_of(engine: Tts) -> str:
    """Return the voice that a TTS speaks with, which plugins keep in `_opts`; empty if unknown.

    Args:
        engine: The TTS.
    """
    options: Any = getattr(engine, "_opts", None)
    return str(getattr(options, "voice", None) or getattr(options, "voice_id", None) or "")


def copy_unheard(engine: Tts) -> Tts:
    """Return a copy of a TTS, with the same connections, whose events nobody listens to.

    The activity of a session listens to the session's own TTS, and `AgentSession._on_error` counts
    what it emits, whoever had asked for the words (`voice/agent_activity.py`).

    Args:
        engine: The TTS; it is returned itself where it cannot be copied.
    """
    try:
        unheard = copy.copy(engine)
        rtc.EventEmitter.__init__(unheard)  # a table of handlers of its own
    except Exception as error:  # noqa: BLE001 - a plugin's class may refuse to be copied
        logger.info("%s cannot be copied (%r): its session hears of renderings", engine, error)
        return engine
    return unheard
