"""Which fault a silence is, from what is known of the turn: pure."""

from __future__ import annotations

from dataclasses import dataclass

from onhook.faults import Fault
from onhook.jobguard.silence.silence_limits import Silence

__all__ = ["Turn", "diagnose"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What is known of the turn in which a caller waits.

    Args:
        state: The session's `agent_state`.
        tools: Names of the tools that still run.
        callbacks: Names of the agent's own callbacks that still run.
        raised: What one of them raised, in the framework's log; an empty string for nothing.
        thought: Whether the agent has been thinking in this turn.
        answered: Whether the model has given an answer in this turn.
        at_work: Whether an answer is still being made.
        sent: Whether any of it was sent, audible or not.
        cut_short: Whether the voice stopped in the middle of its words.
    """

    state: str
    tools: tuple[str, ...] = ()
    callbacks: tuple[str, ...] = ()
    raised: str = ""
    thought: bool = False
    answered: bool = False
    at_work: bool = False
    sent: bool = False
    cut_short: bool = False


def diagnose(silence: Silence, turn: Turn) -> tuple[Fault, str]:
    """Name the fault, and say why in a few words.

    Args:
        silence: How long nothing was heard, and of what kind it is.
        turn: What is known of the turn.
    """
    stuck = ", ".join(turn.callbacks)
    verdicts = (
        (silence.kind == "deaf", Fault.STT_DEAF, "the caller has spoken, and no transcript came"),
        (turn.tools, Fault.TURN_STUCK, f"the tool {', '.join(turn.tools)} still runs"),
        (turn.callbacks, Fault.TURN_STUCK, f"{stuck} still runs"),
        (turn.raised, Fault.TURN_STUCK, turn.raised),
        (turn.cut_short, Fault.TTS_STALLED, "the voice stopped in the middle of its words"),
        (
            turn.answered and turn.at_work and not turn.sent,
            Fault.TTS_STALLED,
            "there is an answer, and the voice does not come",
        ),
        (
            turn.state == "speaking" or turn.answered or turn.sent,
            Fault.TTS_MUTE,
            "there was an answer, and no sound of it was sent",
        ),
        (turn.state == "thinking", Fault.LLM_STALLED, "the agent is still thinking"),
        (turn.thought, Fault.LLM_EMPTY, "the agent has thought, and answered nothing"),
        (True, Fault.TURN_STUCK, f"the turn did not go on (agent state {turn.state!r})"),
    )
    return next((fault, why) for applies, fault, why in verdicts if applies)
