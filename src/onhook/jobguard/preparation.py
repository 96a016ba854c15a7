"""Done while all is well, so that no caller waits for it once something is not."""

from __future__ import annotations

import asyncio
import linecache
import logging
from collections.abc import Callable

from onhook.errors import JournalError
from onhook.jobguard.argument_checks import announcements
from onhook.jobguard.coroutines import waits_in
from onhook.livekit import Renderings
from onhook.livekit.renderings import Tts
from onhook.policy import Policy
from onhook.sinks.journal import Journal
from onhook.threads import in_thread

__all__ = ["prepare"]

logger = logging.getLogger("onhook")


async def prepare(
    policy: Policy,
    renderings: Renderings | None,
    voice: Callable[[], Tts | None],
    entry: asyncio.Task[None] | None,
    journal: Journal | None,
) -> None:
    """Render what may have to be said, and read the sources that a traceback would quote.

    Args:
        policy: Its announcements are rendered, in the agent's own voice unless they have one.
        renderings: Where renderings are kept; `None` where nothing will be said.
        voice: Returns the TTS of the running session, or `None`.
        entry: The entrypoint's task.
        journal: Will keep the evidence.
    """
    for file in _sources(entry):
        linecache.getlines(file)
    if journal is not None:
        try:
            await in_thread(journal.prepare)
        except JournalError as error:
            logger.warning("the journal is not ready for this call: %s", error)
    if renderings is None:
        return
    for say in announcements(policy):
        source = say.tts if say.tts is not None else voice()
        if say.audio is not None or source is None:
            continue
        try:
            await renderings.prepare(say.text, source)
        except Exception:  # a callable of the developer's makes the TTS
            logger.exception("no rendering prepared of %r, the built-in prompt stands by", say.text)


def _sources(task: asyncio.Task[None] | None) -> set[str]:
    """Return the files of the coroutines through which a task waits now."""
    return set() if task is None else {code.co_filename for code in waits_in(task)}
