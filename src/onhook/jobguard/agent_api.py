"""What an agent's own code can tell its guard."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

from livekit.agents import AgentSession, JobContext, get_job_context

from onhook.errors import OnhookError
from onhook.jobguard.job import GuardedJob
from onhook.jobguard.registry import guarded
from onhook.jobguard.silence.conversation import Conversation
from onhook.line import Announcement
from onhook.tasks import end
from onhook.validation import require_seconds, require_text

__all__ = ["busy", "explain", "release", "watch"]

logger = logging.getLogger("onhook")

_RENDERING = 3.0
"""Seconds that the words of `busy` get to be rendered; then the built-in prompt is good enough."""


def release(ctx: JobContext, reason: str) -> None:
    """Say that the agent leaves the call on purpose: from now on the guard leaves it alone.

    Without it the end of a job, or an error after it, is taken for a fault while a caller is there.
    The watchdog and a sentinel leave the call alone too: it is written on the callers' legs, in the
    background, and in the watchdog's lease.

    Args:
        ctx: The job.
        reason: Why, in a few words; everybody in the room can read the first 200 characters.

    Raises:
        PolicyError: The reason is no text.
    """
    require_text("release", "reason", reason, "a few words on why the agent leaves")
    if (job := guarded(ctx)) is None:
        logger.info("released (%s), but this job is not guarded", reason)
        return
    logger.info("the agent releases the call in %s: %s", ctx.job.room.name, reason)
    job.release(reason)


def explain(ctx: JobContext) -> str:
    """Tell how this call stands, in plain sentences for a developer; cheap, at any time.

    Who owes whom what since when, which limits run, what would come next and when, and what was
    judged before in this call: also for a healthy one.

    Args:
        ctx: The job.
    """
    job = guarded(ctx)
    return "This job is not guarded." if job is None else job.explain()


def watch(session: AgentSession[Any]) -> None:
    """Follow one more session of this job; the first one that starts is followed by itself.

    Args:
        session: A session, started or about to be.
    """
    if (job := _this_job("watch")) is not None:
        job.sessions.add(session)


@contextlib.asynccontextmanager
async def busy(
    words: str | None = None, *, every: float = 8.0, after: float = 1.5, limit: float = 120.0
) -> AsyncIterator[None]:
    """Tell the caller that something takes time, and let the silence meanwhile be no fault.

        async with onhook.busy("I'm checking your order.", every=8):
            order = await look_up(number)

    The words are spoken on a track of their own, never into the agent's or the caller's speech.

    Args:
        words: What the caller is told; `None` where they hear something already, such as music.
        every: Seconds of silence after which they are told again.
        after: Seconds of silence before they are told for the first time.
        limit: Seconds until silence counts again.

    Raises:
        PolicyError: A duration is no positive number, or the words are empty.
    """
    for name, value in (("every", every), ("limit", limit)):
        require_seconds("busy", name, value)
    require_seconds("busy", "after", after, zero=True)
    if words is not None:
        require_text("busy", "words", words, "the words to say, or None to say nothing")
    job = _this_job("busy")
    conversations = () if job is None else tuple(w.conversation for w in job.sessions.watches)
    if job is None or not conversations:
        yield
        return
    holds = [c.hold(object(), job.clock() + limit) for c in conversations]
    telling = None
    if words is not None:
        tell = _tell(job, conversations[0], words, every=every, after=after)
        telling = asyncio.create_task(tell, name="onhook-busy")
    try:
        yield
    finally:
        if telling is not None:
            await end(telling)
        for release_hold in holds:
            release_hold()


async def _tell(
    job: GuardedJob, conversation: Conversation, words: str, *, every: float, after: float
) -> None:
    voice = job.voice()
    if voice is not None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RENDERING):
                await job.renderings.prepare(words, voice, lasting=False)
    pause, since = after, job.clock()
    while not job.rescuer.state.over or job.rescuer.observed:  # what the agent asks for is done
        await _silence(job, conversation, pause, since)
        try:
            await _say(job, conversation, words)
        except OnhookError as error:
            logger.warning("the caller could not be told %r: %s", words, error)
        since, pause = job.clock(), every


async def _silence(
    job: GuardedJob, conversation: Conversation, seconds: float, since: float
) -> None:
    """Wait until neither side has been heard for some seconds."""
    while True:
        await conversation.pauses()
        began = max(since, conversation.quiet_since or since)
        if (left := began + seconds - job.clock()) <= 0:
            return
        await conversation.changes(left)


async def _say(job: GuardedJob, conversation: Conversation, words: str) -> None:
    async with job.open_line() as line:
        saying = asyncio.create_task(line.say(Announcement(words, gentle=True)))
        spoken = asyncio.create_task(conversation.settles())
        try:
            await asyncio.wait((saying, spoken), return_when=asyncio.FIRST_COMPLETED)
            if spoken.done():
                spoken.result()
            if saying.done():
                saying.result()
                conversation.caller_is_told()
        finally:
            saying.cancel()
            spoken.cancel()
            await asyncio.gather(saying, spoken, return_exceptions=True)


def _this_job(what: str) -> GuardedJob | None:
    ctx = get_job_context(required=False)
    job = None if ctx is None else guarded(ctx)
    if job is None:
        logger.info("onhook.%s() does nothing here: this is no guarded job", what)
    return job
