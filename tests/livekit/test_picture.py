from __future__ import annotations

import pytest
from livekit.protocol.models import (
    ParticipantInfo,
    ParticipantPermission,
    TrackInfo,
    TrackSource,
    TrackType,
)

from onhook.call import Call, Direction, LegKind, LineState
from onhook.livekit.picture import from_listing

Kind = ParticipantInfo.Kind
AUDIO = TrackInfo(type=TrackType.AUDIO)


def person(identity: str, kind: ParticipantInfo.Kind, **more: object) -> ParticipantInfo:
    return ParticipantInfo(
        identity=identity,
        kind=kind,
        state=ParticipantInfo.State.ACTIVE,
        **more,  # type: ignore[arg-type]
    )


def sip(identity: str = "sip_+15550100", **attributes: str) -> ParticipantInfo:
    dotted = {f"sip.{name}": value for name, value in attributes.items()}
    return person(identity, Kind.SIP, attributes={"sip.callID": "SCL_1", **dotted})


def see(*people: ParticipantInfo) -> Call:
    return from_listing("r", people, agent="agent-1", job="AJ_1")


def test_callers_are_known_by_kind_and_not_by_identity() -> None:
    call = see(sip("the-patient"), person("sip_fake", Kind.STANDARD))
    assert [leg.identity for leg in call.callers] == ["the-patient"]
    assert [leg.identity for leg in call.humans] == ["sip_fake"]
    assert call.call_id == "SCL_1"


def test_agents_egress_ingress_hidden_and_our_own_are_no_humans() -> None:
    hidden = ParticipantPermission(hidden=True)
    call = see(
        person("agent-1", Kind.AGENT),
        person("agent-2", Kind.AGENT),
        person("recorder", Kind.EGRESS),
        person("stream", Kind.INGRESS),
        person("supervisor", Kind.STANDARD, permission=hidden),
        person("ours", Kind.AGENT, attributes={"onhook.role": "announcer"}),
        person("avatar", Kind.AGENT, attributes={"lk.publish_on_behalf": "agent-1"}),
        person("from another network", Kind.CONNECTOR),
    )
    assert [leg.identity for leg in call.humans] == ["from another network"]
    assert [leg.identity for leg in call.other_agents] == ["agent-2"]
    assert call.callers == ()


def test_a_phone_or_whatsapp_call_by_a_connector_is_a_caller() -> None:
    details = ParticipantInfo.KindDetail
    call = see(
        person("whatsapp", Kind.CONNECTOR, kind_details=[details.CONNECTOR_WHATSAPP]),
        person("twilio", Kind.CONNECTOR, kind_details=[details.CONNECTOR_TWILIO]),
    )
    assert [leg.identity for leg in call.callers] == ["whatsapp", "twilio"]


def test_company_is_who_can_be_heard_or_can_speak() -> None:
    listens = ParticipantPermission(can_subscribe=True)
    video = ParticipantPermission(can_publish=True, can_publish_sources=[TrackSource.CAMERA])
    speaks = ParticipantPermission(can_subscribe=True, can_publish=True)
    call = see(
        sip("caller", callStatus="active"),
        sip("colleague", callStatus="active"),
        sip("rung", callStatus="ringing"),
        person("agent-1", Kind.AGENT),
        person("dashboard", Kind.STANDARD, permission=listens),
        person("camera", Kind.STANDARD, permission=video),
        person("ann", Kind.STANDARD, permission=speaks),
        person("scribe", Kind.AGENT, attributes={"lk.agent.state": "listening"}),
        person("next agent", Kind.AGENT, attributes={"lk.agent.state": "initializing"}),
        person("other agent", Kind.AGENT, tracks=[AUDIO]),
    )
    names = [leg.identity for leg in call.company]
    assert names == ["ann", "next agent", "other agent", "colleague"]


@pytest.mark.parametrize(("allowed", "deaf"), [(True, False), (False, True)])
def test_a_leg_that_may_not_subscribe_hears_nobody(allowed: bool, deaf: bool) -> None:
    leg = sip("caller", callStatus="active")
    assert not see(leg).deaf, "nothing is told of it"
    leg.permission.CopyFrom(ParticipantPermission(can_publish=True, can_subscribe=allowed))
    assert see(leg).deaf is deaf


def test_who_has_left_is_not_on_the_call() -> None:
    gone = sip()
    gone.state = ParticipantInfo.State.DISCONNECTED
    assert see(gone).legs == ()
    assert see(sip(callStatus="hangup")).callers == ()


def test_the_state_of_the_line_and_who_dialled() -> None:
    inbound = see(sip(callStatus="ringing", ruleID="SDR_1"))
    assert inbound.direction is Direction.INBOUND
    assert inbound.ringing
    outbound = see(sip(callStatus="automation"))
    assert outbound.direction is Direction.OUTBOUND
    assert outbound.legs[0].line is LineState.ACTIVE
    assert see(sip(callStatus="new in 2027")).legs[0].line is LineState.UNKNOWN
    assert see().direction is Direction.UNKNOWN


def test_audible_is_who_publishes_audio_that_is_not_muted() -> None:
    muted = TrackInfo(type=TrackType.AUDIO, muted=True)
    video = TrackInfo(type=TrackType.VIDEO)
    call = see(
        person("speaks", Kind.AGENT, tracks=[AUDIO]),
        person("muted", Kind.STANDARD, tracks=[muted]),
        person("camera", Kind.STANDARD, tracks=[video]),
        person(
            "avatar", Kind.AGENT, attributes={"lk.publish_on_behalf": "agent-1"}, tracks=[AUDIO]
        ),
        person("ours", Kind.AGENT, attributes={"onhook.role": "announcer"}, tracks=[AUDIO]),
    )
    assert {leg.identity for leg in call.legs if leg.audible} == {"speaks", "avatar"}
    assert {leg.kind for leg in call.legs if leg.identity == "avatar"} == {LegKind.OTHER}
