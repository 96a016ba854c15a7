"""One conversation as the guard understands it: whose turn it is, and who waits for what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from livekit.agents.voice import SpeechHandle

from onhook.jobguard.silence.deafness import Deafness
from onhook.jobguard.silence.pending_work import PendingWork
from onhook.jobguard.silence.silence_limits import Silence, SilenceLimits
from onhook.jobguard.silence.turns import Turns

__all__ = ["Conversation"]


class Conversation:
    """Is told what a session does and what its meter measures, and tells of silences.

    It is the `Listener` of the session's `Meter`.

    Args:
        patience: How long a silence may last.
        clock: Seconds of a monotonic clock.
    """

    def __init__(self, patience: SilenceLimits, clock: Callable[[], float]) -> None:
        self.patience = patience
        self.turns = Turns()
        self.work = PendingWork(self.turns, clock, self._speech_is_over)
        self._clock = clock
        self._deafness = Deafness()
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self._entered_at: float | None = None
        self._counted = False
        self.raised: tuple[BaseException, str] | None = None
        """What the framework's log or an error event told of in this turn, and what it means."""
        self.thought = False
        """Whether the agent has been thinking in this turn."""
        self.answered = False
        """Whether the model has given an answer in this turn."""

    def silence(self, *, transcribed: bool) -> Silence | None:
        """Return the silence in which the caller waits now, if they do.

        Args:
            transcribed: Whether what the caller says ought to be transcribed.
        """
        turns, deafness = self.turns, self._deafness
        if (since := turns.silent_since) is not None:
            told = not turns.asked and not turns.cut_short and turns.heard_until > 0
            return Silence(since, tools=bool(self.work.tools), told=told)
        if (quiet := turns.quiet_since) is None:
            return None
        if transcribed and deafness.suspected and deafness.since is not None:
            return Silence(max(deafness.since, quiet), "deaf", certain=deafness.certain)
        if self._entered_at is not None:
            return Silence(max(self._entered_at, quiet), "entry")
        return None

    async def changes(self, seconds: float | None = None) -> None:
        """Return at the next change, or after some seconds, whichever is first."""
        try:
            async with asyncio.timeout(None if seconds == float("inf") else seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        finally:
            self._changed.clear()

    async def settles(self) -> None:
        """Wait until the agent is heard again, or lost."""
        self._settled.clear()
        await self._settled.wait()

    async def pauses(self) -> None:
        """Wait until neither the agent nor the caller speaks."""
        while (since := self.turns.quiet_since) is None or since > self._clock():
            await self.changes(None if since is None else since - self._clock())

    def is_lost(self) -> None:
        """The session is beyond help."""
        self._settled.set()
        self._changed.set()

    def agent_entered(self) -> None:
        """An agent has the call now, and has not said a word yet."""
        self._entered_at = self._clock()
        self._changed.set()

    def entry_is_over(self) -> None:
        """The agent that has the call is ready, and need not say a word."""
        self._entered_at = None

    def agent_thinks(self, *, thinking: bool) -> None:
        """The session's agent state has become, or has ceased to be, `thinking`."""
        self.thought = self.thought or thinking
        self.work.thinks(thinking=thinking)
        self._changed.set()

    def speech_began(self, speech: SpeechHandle, *, said: bool) -> None:
        """A speech was created; see `PendingWork.speech_began`."""
        self.work.speech_began(speech, said=said)
        self._changed.set()

    def speech_is_heard(self, speech: SpeechHandle) -> None:
        """A speech that the meter does not measure is heard now."""
        self.work.forget(speech)
        self._entered_at = self.raised = None
        self.caller_is_told()

    def nobody_waits(self) -> None:
        """There is no caller: nothing is due to anybody."""
        self.patience.heard()
        self.work.forget_all()
        self.turns.caller_is_told(self._clock())
        self._deafness.understood()
        self._entered_at = None

    def tool_updated(self, update: object) -> None:
        """A tool call has begun, ended, or told of its progress."""
        if self.work.tool_updated(update):
            self.answered = False  # what the model has answered so far was the tool's call
        self._changed.set()

    def caller_speaks(self, *, speaking: bool) -> None:
        """The caller has begun, or ceased, to speak."""
        now = self._clock()
        if speaking:
            self.turns.caller_speaks(now)
            self._deafness.caller_speaks(now, into_the_agent=self.turns.heard_until > now)
        else:
            self.turns.caller_is_quiet(now)
            self._deafness.caller_is_quiet(now)
        self._changed.set()

    def understood(self, *, whole: bool) -> None:
        """A transcript came.

        Args:
            whole: Whether it asks for an answer: final, and not spoken into the agent's words,
                where it may be a mere "uh-huh" that counts once it is taken as a turn.
        """
        self._deafness.understood()
        if whole:
            self._counted = True
            self._ask()

    def turn_taken(self) -> None:
        """What the caller said was taken as a turn."""
        self._deafness.understood()
        if not self._counted:
            self._ask()
        self._counted = False

    def recognition_failed(self) -> None:
        """The speech recognition reported an error."""
        self._deafness.recognition_failed()

    def complained(self, error: BaseException, meaning: str) -> None:
        """Something of the agent's raised; with a meaning, the turn has come to nothing by it."""
        self.raised = (error, f"{meaning} {error!r}" if meaning else "")
        if meaning and not self.turns.asked:
            self.turns.caller_asked(self._clock())
        self._changed.set()

    def caller_is_told(self) -> None:
        """The caller was told on another track to be patient; that is as good as an answer."""
        self.turns.caller_is_told(self._clock())
        self.patience.heard()
        self._changed.set()

    def hold(self, key: object, until: float) -> Callable[[], None]:
        """Let no silence count before a moment, because the caller knows why it is silent.

        Args:
            key: Who holds.
            until: Seconds of the clock; the hold ends then at the latest.

        Returns:
            What ends it. Whatever was due before is due from then on.
        """
        asked = self.turns.asked
        self.patience.hold(key, until)
        self._changed.set()

        def let_go() -> None:
            now = self._clock()
            self.patience.let_go(key)
            if asked and self.turns.heard_until <= now:
                self.turns.caller_asked(now)
            self.turns.caller_was_held(min(now, until))
            self._changed.set()

        return let_go

    def agent_sends(self, at: float, seconds: float, *, audible: bool) -> None:
        """See `Listener`."""
        self.turns.agent_sends(at, seconds, audible=audible)
        if audible:
            self.patience.heard()
            self._entered_at = self.raised = None
            self._settled.set()
        self._changed.set()

    def agent_is_done(self) -> None:
        """See `Listener`."""
        self.turns.agent_is_done()
        self._changed.set()

    def agent_is_cut_off(self, at: float) -> None:
        """See `Listener`."""
        self.turns.agent_is_cut_off(at)
        self._changed.set()

    def agent_pauses(self, at: float) -> None:
        """See `Listener`."""
        self.turns.agent_pauses(at)
        self._changed.set()

    def agent_resumes(self, at: float) -> None:
        """See `Listener`."""
        self.turns.agent_resumes(at)
        self._changed.set()

    def _ask(self) -> None:
        self.thought = self.answered = False
        self.raised = None
        self.turns.caller_asked(self._clock())
        self._changed.set()

    def _speech_is_over(self, began: float, *, said: bool) -> None:
        """Count words that were to be said and were not heard as an answer that is due."""
        due = said or self.answered or self.turns.heard_until == 0
        if due and self.turns.heard_until < began and not self.turns.asked:
            self.answered = self.answered or said
            self.turns.caller_asked(began)
        self._changed.set()
