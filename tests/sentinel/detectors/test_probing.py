from __future__ import annotations

from onhook.call import Call, Leg, LegKind, LineState
from onhook.sentinel.call_view import AgentView, CallView, Lease
from onhook.sentinel.detectors import probes_due
from onhook.sentinel.limits import Limits

NOW = 100.0
LIMITS = Limits()


def view(
    room: str,
    *,
    lease: Lease | None = None,
    company: bool = False,
    sends: bool = False,
    **more: object,
) -> CallView:
    identity = f"agent-{room}"
    caller = Leg("sip_1", LegKind.CALLER, LineState.ACTIVE, call_id="SCL_1")
    legs = (caller, Leg(identity, LegKind.AGENT, audible=sends, may_speak=False))
    others = (Leg("ann", LegKind.HUMAN),) if company else ()
    told = {"since": 50.0, "changed": 50.0, **more}
    agent = AgentView(identity, f"PA_{room}", **told)  # type: ignore[arg-type]
    call = Call(room, (*legs, *others), identity)
    return CallView(call=call, agents=(agent,), lease=lease, polled=NOW - 1, listed=NOW - 1)


def asked(*views: CallView, most: int = 10) -> list[str]:
    return [probe.room for probe in probes_due(views, NOW, LIMITS, most=most)]


def test_who_has_left_a_question_unanswered_is_asked_first_then_who_starts_for_long() -> None:
    views = (
        view("never asked"),
        view("asked lately", asked=NOW - 0.5),
        view("asked long ago", asked=20.0),
        view("starts", attributes={"lk.agent.state": "initializing"}, since=70.0),
        view("unanswered", asked=NOW - 2.5, unanswered=1, unanswered_since=NOW - 2.5),
        view("still being asked", asked=NOW - 1.0, unanswered=1, unanswered_since=NOW - 1.0),
    )
    assert asked(*views) == ["unanswered", "starts", "asked long ago", "never asked"]
    assert asked(*views, most=1) == ["unanswered"]
    assert asked(*views, most=0) == []


def test_who_needs_no_proof_is_not_asked() -> None:
    covered = Lease("h", "agent-covered", "AJ_1", NOW + 2)
    assert (
        asked(
            view("covered", lease=covered),
            view("company", company=True),
            view("just came", since=NOW - 3.0),
        )
        == []
    )


def test_who_has_just_come_is_asked_as_soon_as_packets_of_its_voice_have_arrived() -> None:
    assert asked(view("comes", since=NOW - 2.0), view("speaks", since=NOW - 2.0, sends=True)) == [
        "speaks"
    ]
    assert asked(view("speaks", since=NOW - 0.5, sends=True)) == []


def test_an_agent_whose_host_is_late_is_asked_by_its_own_detector() -> None:
    lapsed = Lease("h", "agent-lapsed", "AJ_1", NOW - 2)
    assert asked(view("lapsed", lease=lapsed)) == []
    proven = view("lapsed", lease=lapsed, answered=NOW - 1.9, asked=NOW - 2.1)
    assert asked(proven) == ["lapsed"]
