"""What a caller would hear: judged from a call that our phone has placed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from onhook.doctor.findings import Finding, Kind, Level

__all__ = ["KINDS", "HeardCall", "judge_call", "told"]

FAILED = Kind(
    "call.failed",
    Level.ERROR,
    "the call could not be placed",
    "callers may not get through",
    "check the address (--sip HOST:PORT): livekit-sip, its port, the firewall",
)
REJECTED = Kind(
    "call.rejected",
    Level.ERROR,
    "the call was refused",
    "the caller hears a busy tone, or a message of the carrier's",
    "486 after a while: no agent has come in time; at once: no trunk or rule takes it from here",
)
UNANSWERED = Kind(
    "call.unanswered",
    Level.ERROR,
    "the call was not answered",
    "the caller hears it ring until they give up",
    "is there a rule for the number, and a worker of its agent? --canary asks the agents",
)
RINGS_LONG = Kind(
    "call.rings-long",
    Level.WARNING,
    "the call was answered late",
    "callers hang up after four or five rings",
    "keep idle processes (`num_idle_processes`), and do less before the agent's first audio",
)
SILENT = Kind(
    "call.silent",
    Level.ERROR,
    "the call was answered, and nothing was heard",
    "the caller is on a silent line",
    "look at the agent's log of this call; let it greet its callers (`session.say`)",
)
LATE_SOUND = Kind(
    "call.late-sound",
    Level.WARNING,
    "the first sound came late after the answer",
    "callers say hello twice, and hang up",
    "let the agent say its greeting from a file, or start its session before it publishes audio",
)
CUT = Kind(
    "call.ended",
    Level.WARNING,
    "the other side ended the call within seconds",
    "the caller is cut off",
    "`onhook incidents list` tells whether a guard has released it, and why",
)

KINDS: Sequence[Kind] = (FAILED, REJECTED, UNANSWERED, RINGS_LONG, SILENT, LATE_SOUND, CUT)

_LONG_RINGING = 12.0
_LATE_SOUND = 4.0
"""Seconds; the README's table says why `first_audio` is 8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardCall:
    """What became of a call, in seconds.

    Args:
        number: What was called.
        wrong: Why it could not be placed.
        status: The last SIP status.
        rejected: Whether it was refused.
        ringing: From the INVITE to the first ringing; `None` without.
        answered: From the INVITE to the answer; `None` without.
        first_sound: From the answer to the first sound; `None` without.
        listened: From the answer to the end.
        ended: From the INVITE to the end.
        ended_by_other: Whether the other side hung up.
    """

    number: str
    wrong: str = ""
    status: int = 0
    rejected: bool = False
    ringing: float | None = None
    answered: float | None = None
    first_sound: float | None = None
    listened: float = 0.0
    ended: float = 0.0
    ended_by_other: bool = False


def told(call: HeardCall) -> str:
    """Return in a sentence what the caller would hear."""
    if call.wrong:
        return f"{call.number} could not be called: {call.wrong}"
    rings = "no ringing" if call.ringing is None else f"ringing after {call.ringing:.1f} s"
    if call.answered is None:
        how = f"{'refused' if call.rejected else 'not answered'} ({call.status or 'no answer'})"
        how += f" after {call.ended:.1f} s"
        return f"{call.number}: {rings}, {how}"
    sound = (
        f"silence for {call.listened:.1f} s"
        if call.first_sound is None
        else f"the first sound {call.first_sound:.1f} s later"
    )
    return f"{call.number}: {rings}, answered after {call.answered:.1f} s, {sound}"


def judge_call(call: HeardCall) -> Iterator[Finding]:
    """Judge a call.

    Args:
        call: What became of it.
    """
    what = told(call)
    if call.wrong:
        yield FAILED.found(call.number, what)
    elif call.answered is None:
        kind = REJECTED if call.rejected else UNANSWERED
        yield kind.found(call.number, what)
    else:
        if call.answered >= _LONG_RINGING:
            yield RINGS_LONG.found(call.number, what)
        if call.first_sound is None:
            yield SILENT.found(call.number, what)
        elif call.first_sound >= _LATE_SOUND:
            yield LATE_SOUND.found(call.number, what)
        if call.ended_by_other and call.first_sound is None:
            yield CUT.found(call.number, f"{what}, and it was ended after {call.listened:.1f} s")
