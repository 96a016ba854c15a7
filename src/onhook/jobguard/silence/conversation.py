"""One conversation as the guard understands it: what a session tells, kept as facts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from livekit.agents.voice import SpeechHandle

from onhook.jobguard.silence.agent_audio import AgentAudio
from onhook.jobguard.silence.agent_debts import AgentDebts
from onhook.jobguard.silence.caller_side import A_SENTENCE, NEVER, CallerSide
from onhook.jobguard.silence.standing import Facts, Limits, Warned
from onhook.jobguard.silence.utterances import Utterance

__all__ = ["Conversation", "Surroundings"]

_TALKS_WITH_US = 60.0
"""Seconds for which a person who was answered audibly is known not to be a menu or on hold."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the call and the session look like from outside the conversation.

    Args:
        answered: Whether the caller's line is answered.
        outbound: Whether we dialled.
        held: Why no silence counts now; empty for no reason.
        alone: Whether nobody but the agent could answer the caller, and it is meant to hear them.
        manual: Whether turns are committed by hand: speaking alone asks for nothing.
        realtime: Whether a realtime model hears the caller itself: transcripts answer nothing.
        task_listens: Whether a task inside a tool has the call.
        ambience: Whether the agent plays sounds on a track of its own.
    """

    answered: bool = True
    outbound: bool = False
    held: str = ""
    alone: bool = True
    manual: bool = False
    realtime: bool = False
    task_listens: bool = False
    ambience: bool = False


class Conversation:
    """Is told what a session does and what its meter and our ears measure; gives the facts.

    It is the `Listener` of the session's `Meter` and the `VoiceListener` of the phone's track.

    Args:
        limits: How long a silence may last.
        clock: Seconds of a monotonic clock.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self.audio = AgentAudio()
        self.warned: Warned | None = None
        """The soft words that the caller has heard since the agent."""
        self.heard_by_session_at = NEVER
        """When the session's own ears (VAD, STT, realtime model) noticed the caller last."""
        self.gone = False
        """Whether the session has closed."""
        self._clock = clock
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self._holds: dict[object, float] = {}
        self._held_until = 0.0
        self._ambience_at = NEVER
        self._answered_at: float | None = None
        self._realtime = False
        self._caller = CallerSide()
        self.debts = AgentDebts(self.audio, self._caller, clock, self._changed.set)
        self._answered_caller_at = NEVER

    # -- the facts

    def facts(self, around: Surroundings) -> Facts:
        """Return what is known now.

        Args:
            around: What the call and the session look like from outside.
        """
        now = self._clock()
        self._realtime = around.realtime
        if around.answered and self._answered_at is None:
            self._answered_at = now
        held = self._held(around, now)
        if held:
            self._held_until = now
        floor = max(self._held_until, now if self._answered_at is None else self._answered_at)
        if around.ambience:
            self._ambience_at = now
        else:
            floor = max(floor, self._ambience_at)
        last_heard = max(self.audio.heard_until, self._ambience_at)
        debts = self.debts
        listens = around.task_listens and debts.nothing_but_tasks
        tools_since = debts.tools_since if listens or not around.task_listens else None
        talks = now - self._answered_caller_at < _TALKS_WITH_US
        return Facts(
            now=now,
            answered=around.answered,
            answered_at=self._answered_at,
            gone=self.gone,
            held=held,
            caller_speaks=self._caller.speaks and not self._asks_again(now),
            quiet_since=max(self.audio.heard_until, self._caller.quiet_at, floor),
            heard_until=self.audio.heard_until,
            broken_off_at=self.audio.broken_off_at,
            tools_since=tools_since,
            tools_told=tools_since is not None and last_heard > tools_since,
            task_listens=listens,
            answer_due_since=debts.due_since,
            model_asked_at=debts.model_asked_at,
            nothing_since=debts.nothing_since,
            nothings=debts.nothings,
            callback_since=debts.callback_since,
            unanswered_since=self._not_answered() if around.alone and not around.manual else None,
            sentences=self._caller.sentences,
            heeded=self._heeded(),
            still=self._still(),
            conversed=self._answered_caller_at > NEVER and (talks or not around.outbound),
            outbound=around.outbound,
        )

    def _still(self) -> bool:
        """Return whether a realtime model owes something and has understood nothing since then.

        What it has a transcript of it may well ignore. That it hears a voice says little: another
        part does that.
        """
        said, since = self._caller.unanswered, self.debts.due_since
        if since is None and self._not_answered() is not None and said is not None:
            since = said.began
        return self._realtime and since is not None and self._caller.understood_at < since

    def _heeded(self) -> bool:
        """Return whether a realtime model has a transcript of what it does not answer."""
        said = self._caller.unanswered
        return self._realtime and said is not None and self._caller.understood_at > said.began

    def _asks_again(self, now: float) -> bool:
        """Return whether the caller is saying a second sentence that nothing stirs for."""
        warned = self.warned
        if warned is None or not self._still():
            return False
        if now - max(self._caller.speaks_since, warned.at) < A_SENTENCE:
            return False
        self.warned = Warned(warned.at, warned.spoke_again_at or now)
        return True

    def _held(self, around: Surroundings, now: float) -> str:
        if any(until > now for until in self._holds.values()):
            return "the agent is busy, and the caller knows"
        return around.held

    def _not_answered(self) -> float | None:
        """Return when the caller ended what nothing of the session followed, if they did."""
        said = self._caller.unanswered
        if said is None:
            return None
        signs = [self.audio.frames_at, self.audio.heard_until]
        if not self._realtime:  # there a transcript is no sign that the model answers
            signs.append(self._caller.understood_at)
        return None if max(signs) > said.began else said.ended

    @property
    def quiet_since(self) -> float | None:
        """Since when neither of the two is heard; `None` while the caller speaks."""
        caller = self._caller
        return None if caller.speaks else max(self.audio.heard_until, caller.quiet_at)

    # -- waiting

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
        while (since := self.quiet_since) is None or since > self._clock():
            await self.changes(None if since is None else since - self._clock())

    # -- what onhook does itself

    def is_warned(self) -> None:
        """The caller has been told to be patient."""
        spoke_again_at = None if self.warned is None else self.warned.spoke_again_at
        self.warned = Warned(self._clock(), spoke_again_at)

    def is_lost(self) -> None:
        """The session is beyond help."""
        self._settled.set()
        self._changed.set()

    def nobody_waits(self) -> None:
        """There is no caller: nothing is due to anybody."""
        self.warned = None
        self.debts.nobody_waits()
        self._caller.is_answered()
        self.audio.something_else_is_heard(self._clock())

    def caller_is_told(self) -> None:
        """The caller was told on another track to be patient; that is as good as an answer."""
        self.audio.something_else_is_heard(self._clock())
        self.warned = None
        self.debts.forget()
        self._caller.is_answered()
        self._changed.set()

    def hold(self, key: object, until: float) -> Callable[[], None]:
        """Let no silence count before a moment, because the caller knows why it is silent.

        Args:
            key: Who holds.
            until: Seconds of the clock; the hold ends then at the latest.

        Returns:
            What ends it. Whatever was due before is due from then on.
        """
        self._holds[key] = until
        self._changed.set()

        def let_go() -> None:
            self._holds.pop(key, None)
            self._held_until = max(self._held_until, min(self._clock(), until))
            self._changed.set()

        return let_go

    # -- what the session tells; the rest of it goes to `debts`

    def speech_is_heard(self, speech: SpeechHandle) -> None:
        """A speech that the meter does not measure is heard now."""
        self.debts.drop(speech)
        self.caller_is_told()

    def understood(self, *, whole: bool) -> None:
        """A transcript came.

        Args:
            whole: Whether it is a final one of something that was not said into the agent's words.
        """
        now = self._clock()
        self.heard_by_session_at = now
        if whole:
            self._caller.is_understood(now)
            self.debts.understood(now)
        self._changed.set()

    def turn_taken(self) -> None:
        """What the caller said was taken as a turn: the debts of the one before are history."""
        self._caller.is_understood(self._clock())
        if not self._realtime:  # there it may come when the answer is over
            self.debts.turn_taken()
        self._changed.set()

    def noticed(self) -> None:
        """The session's own voice detection noticed the caller."""
        self.heard_by_session_at = self._clock()

    # -- what our ears tell, see `VoiceListener`

    def caller_voice(self, at: float, *, speaking: bool, by: str = "ears") -> None:
        """See `VoiceListener.caller_voice`."""
        self._caller.voice(at, speaking=speaking, by=by)
        self._changed.set()

    def caller_said(self, utterance: Utterance) -> None:
        """See `VoiceListener.caller_said`."""
        heard_until, answered = self.audio.heard_until, self._not_answered() is None
        if not self._caller.said(utterance, agent_heard_until=heard_until, answered=answered):
            return
        warned = self.warned
        if warned is not None:  # only what they say after the words: before it may be their echo
            after = utterance.ended - max(utterance.began, warned.at)
            if min(after, utterance.voiced) >= A_SENTENCE:
                self.warned = Warned(warned.at, utterance.ended)
        self._changed.set()

    # -- what the meter tells, see `Listener`

    def agent_sends(self, at: float, seconds: float, *, audible: bool) -> None:
        """See `Listener`."""
        was_heard_until = self.audio.heard_until
        self.audio.sends(at, seconds, audible=audible)
        if not audible:
            return
        spoke_at = max(self._caller.quiet_at, self._caller.understood_at)
        if spoke_at > was_heard_until > 0 or self._answered_caller_at > NEVER:
            self._answered_caller_at = at
            self._caller.is_recognised()
        self.warned = None
        self.debts.agent_is_heard()
        self._caller.is_answered()
        self._settled.set()
        if was_heard_until < at:
            self._changed.set()

    def agent_is_done(self) -> None:
        """See `Listener`."""
        self.audio.is_done()
        self._changed.set()

    def agent_is_cut_off(self, at: float) -> None:
        """See `Listener`."""
        self.audio.is_cut_off(at)
        self._changed.set()

    def agent_pauses(self, at: float) -> None:
        """See `Listener`."""
        self.audio.pauses(at)
        self._changed.set()

    def agent_resumes(self, at: float) -> None:
        """See `Listener`."""
        self.audio.resumes(at)
        self._changed.set()
