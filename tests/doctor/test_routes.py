from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from livekit import api

from onhook.doctor.rules import judge_rules, refusing_trunks
from onhook.doctor.trunks import judge_inbound, judge_outbound, normalized


def trunk(key: str = "ST_1", **given: Any) -> api.SIPInboundTrunkInfo:
    sound: dict[str, Any] = {
        "sip_trunk_id": key,
        "numbers": ["+15550100"],
        "allowed_addresses": ["203.0.113.0/24"],
        "ringing_timeout": Duration(seconds=25),
        "max_call_duration": Duration(seconds=7200),
    }
    return api.SIPInboundTrunkInfo(**{**sound, **given})


def rule(key: str = "SDR_1", *, agents: Sequence[str] = ("desk",), **given: Any) -> Any:
    individual = api.SIPDispatchRuleIndividual(room_prefix="call-", pin=given.pop("pin", ""))
    named = [api.RoomAgentDispatch(agent_name=name) for name in agents]
    sound: dict[str, Any] = {
        "sip_dispatch_rule_id": key,
        "trunk_ids": ["ST_1"],
        "rule": api.SIPDispatchRule(dispatch_rule_individual=individual),
        "room_config": api.RoomConfiguration(agents=named),
    }
    return api.SIPDispatchRuleInfo(**{**sound, **given})


def codes(trunks: Sequence[Any], rules: Sequence[Any]) -> list[str]:
    found = [*judge_inbound(trunks, refusing=refusing_trunks(trunks, rules))]
    found += judge_rules(trunks, rules)
    return [each.code for each in found]


@pytest.mark.parametrize(
    "allowed",
    [
        ["203.0.113.7"],
        ["203.0.113.0/24", "198.51.100.0/24"],
        ["2001:db8::/32"],
        ["sip.carrier.example"],
        ["1.2.3.4/8"],
    ],
)
def test_a_sound_trunk_and_rule(allowed: list[str]) -> None:
    assert codes([trunk(allowed_addresses=allowed)], [rule()]) == []


def test_a_trunk_with_user_and_password_needs_no_address() -> None:
    known = trunk(numbers=(), allowed_addresses=(), auth_username="u", auth_password="p")
    assert codes([known], [rule()]) == []
    # LiveKit Cloud may not tell the password
    hidden = trunk(numbers=(), allowed_addresses=(), auth_username="u")
    assert codes([hidden], [rule()]) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"numbers": (), "allowed_addresses": ()}, ["trunk.open"]),
        ({"numbers": (), "allowed_addresses": ["0.0.0.0/0"]}, ["trunk.open"]),
        ({"numbers": (), "allowed_addresses": ["::/0"]}, ["trunk.open"]),
        ({"allowed_addresses": ["0.0.0.0/0"]}, ["trunk.numbers-alone"]),
        ({"numbers": (), "allowed_addresses": ["tcp://1.2.3.4"]}, ["trunk.address", "trunk.open"]),
        ({"allowed_addresses": ["1.2.3.4/99"]}, ["trunk.address"]),
        ({"allowed_addresses": ["300.2.3.4"]}, ["trunk.address"]),
        ({"allowed_addresses": ["1.2.3.4:5060"]}, ["trunk.address"]),
        ({"numbers": ["5550100"]}, ["trunk.number-format"]),
        ({"numbers": ["+1 555 0100"]}, ["trunk.number-format"]),
        ({"numbers": ["tel:+15550100"]}, ["trunk.number-format"]),
        ({"numbers": ["reception"]}, []),
        (
            {"ringing_timeout": None, "max_call_duration": None},
            ["trunk.ringing-timeout", "trunk.max-duration"],
        ),
        ({"max_call_duration": Duration(seconds=86_400)}, ["trunk.max-duration"]),
    ],
)
def test_what_is_wrong_in_a_trunk(given: dict[str, Any], expected: list[str]) -> None:
    assert codes([trunk(**given)], [rule()]) == expected


def test_a_number_on_two_trunks() -> None:
    two = [trunk(), trunk("ST_2", numbers=["1 (555) 0100"])]
    rules = [rule(trunk_ids=["ST_1", "ST_2"])]
    assert codes(two, rules) == ["trunk.number-format", "trunk.duplicate-number"]
    apart = [
        trunk(allowed_numbers=["+15550001"]),
        trunk("ST_2", allowed_numbers=["+15550002"]),
    ]
    assert codes(apart, rules) == []
    assert codes([trunk(numbers=["+15550100", "15550100"])], [rule()]) == ["trunk.number-format"]


def test_two_trunks_without_numbers() -> None:
    two = [trunk(numbers=()), trunk("ST_2", numbers=())]
    assert codes(two, [rule(trunk_ids=["ST_1", "ST_2"])]) == ["trunk.several-defaults"]


def test_a_trunk_that_refuses_what_no_other_takes_is_sound() -> None:
    last = trunk("ST_2", numbers=(), ringing_timeout=Duration(seconds=2), max_call_duration=None)
    rules = [rule(), rule("SDR_2", agents=(), trunk_ids=["ST_2"])]
    assert codes([trunk(), last], rules) == []
    endless = trunk("ST_2", numbers=(), ringing_timeout=None)
    assert codes([trunk(), endless], rules) == ["trunk.ringing-timeout"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"trunk_ids": ()}, ["rule.any-trunk"]),
        ({"trunk_ids": (), "pin": "1234"}, []),
        ({"trunk_ids": ["ST_1", "ST_9"]}, ["rule.missing-trunk"]),
        ({"agents": ()}, ["rule.no-agent"]),
        ({"agents": (), "room_preset": "desk"}, ["rule.preset"]),
        ({"agents": ("desk", "desk")}, ["rule.agent-twice"]),
        ({"agents": ("desk", "notes")}, []),
        ({"agents": (" desk",)}, ["rule.agent-spelling"]),
        ({"numbers": ["+15550100"]}, []),
        ({"numbers": ["15550100"]}, ["rule.number"]),
        ({"numbers": ["+15550199"]}, ["rule.number", "trunk.no-rule"]),
        ({"inbound_numbers": ["+15550001"]}, []),
        ({"inbound_numbers": ["5550001"]}, ["rule.number"]),
    ],
)
def test_what_is_wrong_in_a_rule(given: dict[str, Any], expected: list[str]) -> None:
    assert codes([trunk()], [rule(**given)]) == expected


def test_a_rule_without_agents_beside_others_with_agents_is_an_error() -> None:
    two = [trunk(), trunk("ST_2", numbers=["+15550101"])]
    found = list(judge_rules(two, [rule(), rule("SDR_2", agents=(), trunk_ids=["ST_2"])]))
    assert [(each.code, str(each.level)) for each in found] == [("rule.no-agent", "error")]


def test_trunks_and_rules_without_each_other() -> None:
    assert codes([trunk()], []) == ["trunk.no-rule"]
    assert codes([], [rule(trunk_ids=())]) == ["trunk.none", "rule.any-trunk"]
    assert codes([], []) == []


@pytest.mark.parametrize(
    ("address", "sound"),
    [
        *(("sip.carrier.example", True), ("10.0.0.1", True), ("carrier:5061", True)),
        *(("[2001:db8::1]:5060", True), ("sip:carrier.example", False), ("", False)),
        *(("user@carrier.example", False), ("carrier:port", False), ("carrier:99999", False)),
        *(("10.0.0.300", False), ("carrier example", False)),
    ],
)
def test_the_address_of_an_outbound_trunk(address: str, sound: bool) -> None:
    out = api.SIPOutboundTrunkInfo(sip_trunk_id="ST_o", address=address, numbers=["+15550100"])
    expected = [] if sound else ["outbound.address"]
    assert [each.code for each in judge_outbound([out])] == expected


def test_any_number_may_call_out() -> None:
    out = api.SIPOutboundTrunkInfo(sip_trunk_id="ST_o", address="carrier.example", numbers=["*"])
    assert list(judge_outbound([out])) == []


@pytest.mark.parametrize(
    ("number", "same"),
    [("+1 (555) 01-00", "+15550100"), ("15550100", "+15550100"), ("desk", "desk"), ("", "")],
)
def test_numbers_are_compared_as_livekit_does(number: str, same: str) -> None:
    assert normalized(number) == same
