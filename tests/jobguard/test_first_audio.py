from __future__ import annotations

import pytest

from onhook.call import Call, Direction, Leg, LegKind, LineState
from onhook.jobguard.detectors.first_audio import caller_waits

IN, OUT = Direction.INBOUND, Direction.OUTBOUND


def caller(line: LineState = LineState.ACTIVE, identity: str = "sip_1") -> Leg:
    return Leg(identity, LegKind.CALLER, line, audible=True)


@pytest.mark.parametrize(
    ("direction", "legs", "waits"),
    [
        (IN, [caller(LineState.RINGING)], True),
        (IN, [caller()], True),
        (IN, [], False),
        (OUT, [caller(LineState.DIALING)], False),
        (OUT, [caller(LineState.RINGING)], False),
        (OUT, [caller()], True),
        (IN, [caller(), Leg("me", LegKind.AGENT, audible=True)], False),
        (IN, [caller(), Leg("me", LegKind.AGENT, audible=False)], True),
        (IN, [caller(), Leg("ann", LegKind.HUMAN, audible=True)], False),
        (IN, [caller(), Leg("ann", LegKind.HUMAN, audible=False)], True),
        (IN, [caller(), Leg("avatar", LegKind.OTHER, audible=True)], False),
        (IN, [caller(), caller(identity="sip_2")], False),
        (IN, [caller(LineState.HANGUP)], False),
    ],
)
def test_who_waits_for_a_first_word(direction: Direction, legs: list[Leg], waits: bool) -> None:
    assert caller_waits(Call("r", tuple(legs), agent="me", direction=direction)) is waits
