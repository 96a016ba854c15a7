"""Which plan is for a call: the most specific rule's, whatever the order of the file."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.ladder import Ladder
from onhook.outages import Outage
from onhook.rungs import APOLOGY, ONE_MOMENT, HangUp, Say, Transfer
from onhook.sentinel.limits import Limits
from onhook.sentinel.plans import CallKey, Match, Plan, Plans, Rule, built_ladder, tags_of

NUMBERS = ("", "+15550100", "+15550101")
TRUNKS = ("", "ST_a", "ST_b")
AGENTS = ("", "desk", "sales")
PREFIXES = ("", "call-", "call-vip-", "other-")
TAGS = ("", "emergency", "night")

matches = st.builds(
    Match,
    number=st.sampled_from(NUMBERS),
    trunk=st.sampled_from(TRUNKS),
    agent=st.sampled_from(AGENTS),
    room_prefix=st.sampled_from(PREFIXES),
    tag=st.sampled_from(TAGS),
).filter(str)
calls = st.builds(
    CallKey,
    room=st.sampled_from(("call-1", "call-vip-1", "other-1", "web")),
    number=st.sampled_from(NUMBERS),
    trunk=st.sampled_from(TRUNKS),
    agent=st.sampled_from(AGENTS),
    tags=st.frozensets(st.sampled_from(TAGS[1:])),
)


def plans(*of: Match) -> Plans:
    return Plans(rules=tuple(Rule(match, Plan(name=str(match))) for match in of))


@given(st.lists(matches, unique=True, max_size=12), calls, st.randoms(use_true_random=False))
def test_the_order_of_the_rules_does_not_matter(
    rules: list[Match], call: CallKey, by: random.Random
) -> None:
    expected = plans(*rules).for_call(call)
    by.shuffle(rules)
    assert plans(*rules).for_call(call) == expected


@given(st.lists(matches, unique=True, max_size=12), calls)
def test_the_most_specific_rule_wins(rules: list[Match], call: CallKey) -> None:
    got = plans(*rules).for_call(call).name
    fitting = [rule for rule in rules if rule.holds(call)]
    assert (got == "default") is (not fitting)
    for rule in fitting:
        if got == str(rule):
            continue
        won = next(other for other in fitting if str(other) == got)
        ranks: tuple[Callable[[Match], object], ...] = (
            lambda m: bool(m.number),
            lambda m: bool(m.trunk),
            lambda m: bool(m.agent),
            lambda m: len(m.room_prefix),
            lambda m: bool(m.tag),
        )
        first = next((r for r in ranks if r(won) != r(rule)), None)
        assert first is None or first(won) > first(rule), "the first difference decides"  # type: ignore[operator]
        assert first is not None or won.tag < rule.tag, "only two tags of one room are equal"


def test_a_number_comes_before_everything_else() -> None:
    every = Match(trunk="ST_a", agent="desk", room_prefix="call-", tag="night")
    call = CallKey(
        room="call-1",
        number="+15550100",
        trunk="ST_a",
        agent="desk",
        tags=frozenset({"night"}),
    )
    assert plans(every, Match(number="+15550100")).for_call(call).name == "number 15550100"
    assert plans(every).for_call(call).name == str(every)


@pytest.mark.parametrize("written", ["+1 (555) 01-00", "0015550100", "15550100", "+1.555.0100"])
def test_one_number_has_many_spellings(written: str) -> None:
    assert plans(Match(number=written)).for_call(CallKey(room="r", number="+15550100")).name
    assert Match(number=written).holds(CallKey(room="r", number="+15550100"))
    assert not Match(number=written).holds(CallKey(room="r", number="+15550101"))


def test_a_call_is_read_from_what_the_server_tells() -> None:
    leg = {"sip.trunkPhoneNumber": "+15550100", "sip.trunkID": "ST_a", "sip.phoneNumber": "+1666"}
    key = CallKey.of("r", leg, agent="desk", metadata='{"tags": ["night"]}', ladder="{}")
    assert key == CallKey(
        room="r",
        number="+15550100",
        trunk="ST_a",
        agent="desk",
        tags=frozenset({"night"}),
        ladder="{}",
    )
    assert CallKey.of("r", {}) == CallKey(room="r")


@pytest.mark.parametrize(
    ("metadata", "tags"),
    [
        ("", ()),
        ('{"tags": "night"}', ("night",)),
        ('{"tags": ["a", 5, "", "b"]}', ("a", "b")),
        ('{"tags": null}', ()),
        ('["tags"]', ()),
        ('{"tags": [', ()),
        ("not json with tags", ()),
        ('{"a":' * 100_000 + '"tags"', ()),
        ('{"x": "' + "y" * 70_000 + '", "tags": ["a"]}', ()),
        (json.dumps({"tags": [str(n) for n in range(1000)]}), tuple(str(n) for n in range(32))),
    ],
)
def test_the_tags_of_other_peoples_metadata(metadata: str, tags: tuple[str, ...]) -> None:
    assert tags_of(metadata) == frozenset(tags)


def test_the_ladder_that_travels_with_a_call_comes_first() -> None:
    brought = Ladder([Say("Un moment."), Transfer("tel:+15550199")])
    plan = plans(Match(trunk="ST_a")).for_call(
        CallKey(room="r", trunk="ST_a", ladder=brought.to_json())
    )
    assert plan.name == "trunk ST_a", "all else is the rule's"
    assert plan.ladder == brought.ended_by(HangUp()), "and it is completed"


@pytest.mark.parametrize("bad", ["{", '{"version": 9, "rungs": []}', "x" * 20_000, "\ud800"])
def test_a_bad_ladder_of_a_call_is_logged_once_and_left(
    bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    call = CallKey(room="r", ladder=bad + " ")
    for _ in range(3):
        assert Plans().for_call(call).ladder == built_ladder()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_the_ladders_that_are_built() -> None:
    assert built_ladder().rungs == (Say(APOLOGY), HangUp())
    to = built_ladder("tel:+15550123")
    assert to.rungs == (Say(ONE_MOMENT), Transfer("tel:+15550123"), Say(APOLOGY), HangUp())
    assert built_ladder(text="Hallo", audio="a.wav").rungs[0] == Say("Hallo", audio="a.wav")


def test_a_plan_is_a_policy() -> None:
    plan = Plan(
        ladder=built_ladder("tel:+15550123"), limits=Limits(max_call=60.0), ringing="reject"
    )
    assert plan.policy.lost == plan.ladder
    assert (plan.policy.max_call, plan.policy.ringing, plan.policy.watchdog) == (
        60,
        "reject",
        "off",
    )


def test_where_no_agent_is_expected_none_is_sent() -> None:
    assert Plan().second_dispatch == 2.5
    assert Plan(limits=Limits(absent=None)).second_dispatch is None


def test_in_an_outage_a_call_goes_to_the_outages_fallback_else_to_the_plans() -> None:
    plan = Plan(ladder=Ladder([Say("x"), HangUp()]), fallback="tel:+15550123", ringing="reject")
    outage = Outage("trunk", "ST_a", 0.0, 9.0)
    gone = plan.in_outage(outage)
    assert gone.ladder == built_ladder("tel:+15550123")
    assert (gone.ringing, gone.second_dispatch) == ("say", None)
    assert gone.name == "default, outage of trunk ST_a"
    other = Outage("all", "", 0.0, 9.0, fallback="sip:desk@pbx")
    assert plan.in_outage(other).ladder == built_ladder("sip:desk@pbx")
    assert Plan().in_outage(outage).ladder == built_ladder()
