"""Which fault a silence is, from what is known of the turn: pure."""

from __future__ import annotations

from dataclasses import dataclass

from onhook.faults import Fault
from onhook.jobguard.silence.standing import Standing

__all__ = ["Turn", "diagnose"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What is known of the turn in which a caller waits.

    Args:
        state: The session's `agent_state`.
        tools: Names of the tools that still run.
        callbacks: Names of the agent's own callbacks that still run.
        raised: What one of them raised, in the framework's log; an empty string for nothing.
        provider: The fault of the provider whose error event the turn has seen, if any.
        answered: Whether the model has given an answer in this turn.
        at_work: Whether an answer is still being made.
        sent: Whether any of it was sent, audible or not.
        cut_short: Whether the voice stopped in the middle of its words.
        realtime: Whether a realtime model hears the caller.
        linked: Whether the session listens to the caller, and not to somebody else or nobody.
        noticed: Whether the session's own voice detection noticed the caller.
        unheard: Why callers get nothing of what the agent sends; empty where they do.
    """

    state: str
    tools: tuple[str, ...] = ()
    callbacks: tuple[str, ...] = ()
    raised: str = ""
    provider: Fault | None = None
    answered: bool = False
    at_work: bool = False
    sent: bool = False
    cut_short: bool = False
    realtime: bool = False
    linked: bool = True
    noticed: bool = True
    unheard: str = ""


def diagnose(standing: Standing, turn: Turn) -> tuple[Fault, str]:
    """Name the fault, and say why in a few words.

    Args:
        standing: How agent and caller stand with each other.
        turn: What is known of the turn.
    """
    if standing is Standing.CALLER_WAS_NOT_ANSWERED:
        return _unanswered(turn)
    if standing is Standing.AGENT_ANSWERED_NOTHING:
        return Fault.LLM_EMPTY, "the model has answered nothing"
    verdicts = (
        (turn.tools, Fault.TURN_STUCK, f"the tool {', '.join(turn.tools)} still runs"),
        (turn.callbacks, Fault.TURN_STUCK, f"{', '.join(turn.callbacks)} still runs"),
        (turn.raised, Fault.TURN_STUCK, turn.raised),
        (turn.cut_short, Fault.TTS_STALLED, "the voice stopped in the middle of its words"),
        (
            turn.answered and turn.at_work and not turn.sent,
            Fault.TTS_STALLED,
            "there is an answer, and the voice does not come",
        ),
        (turn.provider, turn.provider or Fault.LLM_FAILED, "a provider failed"),
        (
            turn.unheard and (turn.state == "speaking" or turn.answered or turn.sent),
            Fault.AUDIO_UNHEARD,
            turn.unheard,
        ),
        (
            turn.state == "speaking" or turn.answered or turn.sent,
            Fault.TTS_MUTE,
            "there was an answer, and no sound of it was sent",
        ),
        (turn.realtime, Fault.REALTIME_QUIET, "the realtime model does not go on"),
        (
            turn.at_work or turn.state == "thinking",
            Fault.LLM_STALLED,
            "the agent is still thinking",
        ),
        (True, Fault.TURN_STUCK, f"the turn did not go on (agent state {turn.state!r})"),
    )
    return next((fault, why) for applies, fault, why in verdicts if applies)


def _unanswered(turn: Turn) -> tuple[Fault, str]:
    if not turn.linked:
        return Fault.CALLER_UNHEARD, "the caller has spoken, and the session listens to nobody"
    if turn.realtime:
        return Fault.REALTIME_QUIET, "the caller has spoken, and the realtime model does nothing"
    if not turn.noticed:
        return Fault.CALLER_UNHEARD, "the caller has spoken, and the session heard nothing of it"
    return Fault.STT_DEAF, "the caller has spoken, and no transcript came"
