from __future__ import annotations

import pytest

from onhook.call import Call, Leg, LegKind, LineState
from onhook.faults import Fault
from onhook.sentinel.call_view import AgentView, CallView
from onhook.sentinel.detectors import suspicion
from onhook.sentinel.limits import Limits

NOW = 100.0
LIMITS = Limits(zombie=5.0)


def agent(identity: str = "agent-1", **more: object) -> AgentView:
    told = {
        "since": 50.0,
        "changed": 80.0,
        "asked": NOW - 2.5,
        "unanswered": 2,
        "unanswered_since": NOW - 5.0,
        **more,
    }
    return AgentView(identity, f"PA_{identity}", **told)  # type: ignore[arg-type]


def judged(*agents: AgentView, limits: Limits = LIMITS, named: str = "agent-1") -> Fault | None:
    caller = Leg("sip_1", LegKind.CALLER, LineState.ACTIVE, call_id="SCL_1")
    legs = (caller, *(Leg(a.identity, LegKind.AGENT, may_speak=False) for a in agents))
    view = CallView(call=Call("r", legs, named), agents=agents, polled=NOW - 1, listed=NOW - 1)
    found = suspicion(view, NOW, limits)
    return None if found is None else found.fault


def test_two_questions_that_were_not_even_acknowledged_are_enough() -> None:
    assert judged(agent()) is Fault.AGENT_ZOMBIE


@pytest.mark.parametrize(
    "more",
    [
        {"unanswered": 1},
        {"unanswered_since": NOW - 4.9},
        {"unanswered": 0, "unanswered_since": None},
        {"blocked": True},
        {"changed": NOW - 1.0},
        {"asked": NOW - 20.0, "unanswered_since": NOW - 30.0},
    ],
    ids=["one", "a blip", "answered", "blocked for a moment", "told of itself", "long ago"],
)
def test_less_is_not(more: dict[str, object]) -> None:
    assert judged(agent("agent-1", **more)) is None


def test_an_event_loop_that_is_blocked_for_long_is_dead() -> None:
    assert judged(agent(blocked=True, unanswered_since=NOW - 15.0)) is Fault.AGENT_ZOMBIE


def test_a_plan_may_leave_its_agents_unasked() -> None:
    assert judged(agent(), limits=Limits(zombie=None)) is None


def test_a_scribe_that_lives_does_not_speak_for_the_agent() -> None:
    scribe = agent("scribe", unanswered=0, unanswered_since=None)
    assert judged(agent(), scribe) is Fault.AGENT_ZOMBIE
    assert judged(agent(), scribe, named="") is None  # which of them is the agent?
    assert judged(agent(), agent("scribe"), named="") is Fault.AGENT_ZOMBIE
