from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest

from onhook.call import Call, Direction, LineState
from onhook.errors import LadderError, PolicyError
from onhook.faults import Fault, Severity
from onhook.incident import Failure, Incident
from onhook.ladder import Ladder
from onhook.policy import Policy, plan
from onhook.rungs import DeleteRoom, HangUp, Keep, RemoveCallers, Say
from tests.fakes import agent, call_of, caller, human

RAISED, SHUTDOWN = Fault.ENTRYPOINT_RAISED, Fault.AGENT_SHUTDOWN
RINGING = LineState.RINGING


def rungs(call: Call, fault: Fault = RAISED, policy: Policy | None = None, by: str = "") -> str:
    failure = Failure(fault, "it broke", 0.0, evidence={"by": by} if by else {})
    chosen = plan(policy or Policy(), Incident(failure, call), call)
    return " ".join(rung.name for rung in chosen.rungs)


def test_a_turn_that_failed_is_softened_and_the_call_goes_on() -> None:
    def soft(policy: Policy, call: Call) -> str:
        failure = Failure(Fault.LLM_STALLED, "it hangs", 0.0, severity=Severity.IMPAIRED)
        chosen = plan(policy, Incident(failure, call), call)
        return " ".join(rung.name for rung in chosen.rungs)

    assert soft(Policy(), call_of(caller())) == "say keep"
    assert soft(Policy(impaired=[Say("Bear with me.")]), call_of(caller())) == "say keep"
    assert soft(Policy(impaired=Ladder((Say("Bear with me."),))), call_of(caller())) == "say keep"
    assert soft(Policy(impaired=[HangUp()]), call_of(caller())) == "hang_up"
    assert soft(Policy(), call_of(caller(LineState.RINGING))) == "keep", "words would answer it"
    assert soft(Policy(on={"llm.stalled": [HangUp()]}), call_of(caller())) == "say keep"
    assert soft(Policy(), call_of(caller(), agent(audible=True))) == "keep"
    assert soft(Policy(), call_of()) == "keep"


@pytest.mark.parametrize(
    "fault",
    ["transfer.failed", "outbound.unanswered", Fault.OUTBOUND_LATE_ANSWER, "cleanup.failed"],
)
def test_a_ladder_that_would_never_be_climbed_is_refused(fault: str) -> None:
    with pytest.raises(PolicyError, match=f"on=.*{fault}.*no incident ever has this fault: "):
        Policy(on={fault: [HangUp()]})


@pytest.mark.parametrize("fault", list(Fault))
def test_alone_with_a_caller_the_default_says_and_hangs_up(fault: Fault) -> None:
    assert rungs(call_of(caller()), fault, by="worker") == "say hang_up"


@pytest.mark.parametrize(
    ("call", "fault", "by", "expected"),
    [
        (call_of(), RAISED, "", "keep"),
        (call_of(human()), RAISED, "", "keep"),
        (call_of(caller(), human()), RAISED, "", "say hang_up"),
        (call_of(caller(), human(), human("ben")), RAISED, "", "keep"),
        (call_of(caller(), agent()), RAISED, "", "say hang_up"),
        (call_of(caller(), agent(audible=True)), RAISED, "", "keep"),
        (call_of(caller()), SHUTDOWN, "agent", "hang_up"),
        (call_of(caller(), human()), SHUTDOWN, "agent", "keep"),
        (call_of(caller(), agent(audible=True)), SHUTDOWN, "agent", "keep"),
        (call_of(caller(), agent()), SHUTDOWN, "agent", "hang_up"),
        (call_of(caller(), replace(human(), may_speak=False)), SHUTDOWN, "agent", "hang_up"),
        (call_of(caller(), caller(identity="sip_2")), RAISED, "", "keep"),
        (call_of(caller(), caller(RINGING, "sip_2")), RAISED, "", "say hang_up"),
        (call_of(caller(), caller(identity="sip_2")), SHUTDOWN, "worker", "keep"),
    ],
)
def test_who_else_is_there_decides(call: Call, fault: Fault, by: str, expected: str) -> None:
    assert rungs(call, fault, by=by) == expected


def test_a_call_nobody_could_see_gets_the_ladder() -> None:
    unseen = replace(call_of(), complete=False)
    assert rungs(unseen) == "say hang_up"


def test_a_ringing_line_is_answered_or_released_as_the_policy_says() -> None:
    call = call_of(caller(RINGING))
    assert rungs(call) == "say hang_up"
    assert rungs(call, policy=Policy(ringing="reject")) == "hang_up"
    answered = call_of(caller())
    assert rungs(answered, policy=Policy(ringing="reject")) == "say hang_up"


def test_a_callee_who_has_not_answered_hears_no_words() -> None:
    call = call_of(caller(RINGING), direction=Direction.OUTBOUND)
    assert rungs(call) == "hang_up"


def test_a_caller_who_may_not_hear_gets_no_words() -> None:
    deaf = replace(caller(), may_hear=False)
    assert rungs(call_of(deaf)) == "hang_up"
    assert rungs(call_of(deaf, caller(RINGING, "sip_2"))) == "say hang_up"
    soft = Incident(Failure(Fault.LLM_STALLED, "slow", 0.0, severity=Severity.IMPAIRED), call_of())
    assert [rung.name for rung in plan(Policy(), soft, call_of(deaf)).rungs] == ["keep"]


def test_a_fault_may_have_a_ladder_of_its_own() -> None:
    policy = Policy(on={"entrypoint.stalled": [DeleteRoom()], SHUTDOWN: [Keep("we redial")]})
    assert rungs(call_of(caller()), Fault.ENTRYPOINT_STALLED, policy) == "delete_room"
    assert rungs(call_of(caller()), SHUTDOWN, policy, by="agent") == "keep"
    assert rungs(call_of(caller()), RAISED, policy) == "say hang_up"
    assert len(policy.ladders) == 4, "lost, impaired and two of their own"


def test_lists_become_ladders_and_a_policy_pickles() -> None:
    policy = Policy(lost=[Say("Sorry.")], on={RAISED: [RemoveCallers()]})
    assert policy.lost == Ladder((Say("Sorry."), HangUp()))
    assert pickle.loads(pickle.dumps(policy)) == policy  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"first_audio": -1}, "first_audio=-1"),
        ({"dead_air": 0}, "dead_air=0"),
        ({"tool_limit": None}, "tool_limit=None"),
        ({"impaired": []}, "impaired"),
        ({"impaired": Say}, "impaired"),
        ({"first_audio": 0}, "more than 0"),
        ({"first_audio": "8"}, "first_audio='8'"),
        ({"api_timeout": float("inf")}, "api_timeout=inf"),
        ({"late_caller": -0.1}, "at least 0"),
        ({"cancel_grace": None}, "cancel_grace=None"),
        ({"ringing": "busy"}, "'say' or 'reject'"),
        ({"on": {"entrypoint.exploded": [HangUp()]}}, "known are entrypoint.raised"),
        ({"on": [HangUp()]}, "dict of fault to ladder"),
        ({"lost": []}, "needs a rung"),
        ({"lost": HangUp()}, "is no ladder"),
        ({"on": {"agent.shutdown": [Keep(), Say()]}}, r"on\['agent.shutdown'\].*Put it last"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], says: str) -> None:
    with pytest.raises((PolicyError, LadderError), match=says):
        Policy(**settings)


def test_an_agent_that_never_speaks_turns_the_timer_off() -> None:
    assert Policy(first_audio=None).first_audio is None
