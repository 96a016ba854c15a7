"""A file of plans: what it means, and what is said of each mistake, with its line."""

from __future__ import annotations

import dataclasses
import shutil
from importlib.resources import as_file, files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.errors import PlansError
from onhook.ladder import Ladder
from onhook.rungs import APOLOGY, HangUp, Say, Transfer
from onhook.sentinel.limits import Limits
from onhook.sentinel.plans import CallKey, Plan, Plans, built_ladder
from onhook.sentinel.plans_parser import parse


def read(text: str, folder: Path = Path(), own: tuple[str, ...] = ()) -> Plans:
    return parse(text, name="plans.toml", folder=folder, own=own)


@pytest.fixture
def with_a_wav(tmp_path: Path) -> Path:
    with as_file(files("onhook") / "prompts" / "apology.wav") as prompt:
        shutil.copy(prompt, tmp_path / "sorry.wav")
    return tmp_path


def test_an_empty_file_is_the_built_in_plan() -> None:
    assert read("") == read("# nothing\n") == Plans()
    assert Plans().default.ladder.rungs == (Say(APOLOGY), HangUp())


def test_a_plan_has_what_it_sets_and_the_rest_of_the_default() -> None:
    plans = read("""
        [default]
        absent = 10
        fallback = "+15550123"
        mode = "observe"

        [[plan]]
        match.number = "+15550100"
        mode = "act"
        second_dispatch = false
        max_call = 3600

        [[plan]]
        match.trunk = "ST_a"
        name = "night"
        ladder = [{rung = "say", text = "Un moment."}, {rung = "hang_up", deadline = 5.0}]
        abandoned = false
        zombie = false
        zombie_probes = 3
        two_legs = 60
        second_dispatch = true
        ringing = "reject"
        agent = "desk"
    """)
    to = built_ladder("tel:+15550123")
    assert plans.default == Plan(
        ladder=to, fallback="tel:+15550123", mode="observe", limits=Limits(absent=10.0)
    )
    assert plans.for_call(CallKey(room="r", number="15550100")) == Plan(
        name="number +15550100",
        ladder=to,
        fallback="tel:+15550123",
        limits=Limits(absent=10.0, second_dispatch=None, max_call=3600.0),
    )
    assert plans.for_call(CallKey(room="r", trunk="ST_a")) == Plan(
        name="night",
        ladder=Ladder([Say("Un moment."), HangUp(deadline=5.0)]),
        fallback="tel:+15550123",
        mode="observe",
        ringing="reject",
        agent="desk",
        limits=Limits(absent=10.0, abandoned=None, zombie=None, two_legs=60.0, zombie_probes=3),
    )


def test_a_fallback_of_its_own_takes_the_place_of_the_defaults_ladder() -> None:
    plans = read("""
        [default]
        ladder = [{rung = "say"}]
        [[plan]]
        match.tag = "a"
        fallback = "sip:desk@pbx.example"
        [[plan]]
        match.tag = "b"
        absent = 9
    """)
    assert plans.default.ladder == built_ladder(), "and it ends the call"
    a, b = (plans.for_call(CallKey(room="r", tags=frozenset({tag}))) for tag in "ab")
    assert a.ladder == built_ladder("sip:desk@pbx.example")
    assert b.ladder == plans.default.ladder


def test_every_limit_can_be_set() -> None:
    fields = dataclasses.fields(Limits)
    for field in fields:
        plans = read(f"[default]\n{field.name} = 5")
        assert getattr(plans.default.limits, field.name) == 5
    assert len(fields) > 10


def test_several_values_are_several_rules_of_one_plan() -> None:
    plans = read("""
        [[plan]]
        match.number = ["+15550100", "+15550101", "+15550102"]
        match.room_prefix = ["call-", "web-"]
        absent = 20
    """)
    for number in ("+15550100", "+15550101"):
        plan = plans.for_call(CallKey(room="web-1", number=number))
        assert (plan.limits.absent, plan.name) == (
            20.0,
            "number +15550100, +15550101 and 1 more; room prefix call-, web-",
        )
    assert plans.for_call(CallKey(room="x", number="+15550100")).limits.absent == 8.0


def test_audio_is_looked_for_beside_the_file(with_a_wav: Path) -> None:
    plans = read(
        """
        [default]
        audio = "sorry.wav"
        [[plan]]
        match.tag = "a"
        ladder = [{rung = "say", text = "Sorry.", audio = "sorry.wav"}]
        """,
        folder=with_a_wav,
    )
    wav = str(with_a_wav / "sorry.wav")
    assert plans.default.ladder.rungs[0] == Say(APOLOGY, audio=wav)
    plan = plans.for_call(CallKey(room="r", tags=frozenset("a")))
    assert plan.ladder.rungs[0] == Say("Sorry.", audio=wav)


BAD = [
    ("x = ", "1: this is no TOML: Invalid value"),
    ("[default]\n\nabsent = 1\nabsent = 2", "4: this is no TOML: Cannot overwrite a value"),
    ("[default]\nfallback = '+15550123", "2: this is no TOML"),
    ("a = " + "[" * 3000, "1: this is no TOML"),
    ("[default]\n# a\nabsant = 8", "3: unknown key 'absant': did you mean 'absent'?"),
    ("[defualt]\nabsent = 8", "1: unknown key 'defualt': did you mean 'default'?"),
    ("\n[default]\nqqq = 8", "3: unknown key 'qqq': known are abandoned, absent, agent, audio,"),
    ("[[default]]\nabsent = 8", "1: default = [{'absent': 8}]: give a table"),
    ("default = 5", "1: default = 5: give a table"),
    ("[plan]\nmatch.tag = 'a'", "1: write [[plan]], with two brackets, once for each plan"),
    ("[[plan]]\nabsent = 9", '1: a plan needs the calls that it is for: match.number = "+1555'),
    ("[[plan]]\nmatch = {}", "2: match is empty: what is for all calls is [default]"),
    ("[[plan]]\nmatch = 'a'", "2: match = 'a': give a table with keys, such as match.number"),
    ("[[plan]]\nmatch.nummer = '5'", "2: unknown key 'nummer': did you mean 'number'?"),
    ("[[plan]]\nmatch.tag = 'a'\nnumber = '5'", "3: unknown key 'number': write match.number"),
    ("[[plan]]\nmatch.number = 5550100", "2: number = 5550100: give a text, or a list of texts"),
    ("[[plan]]\nmatch.tag = [\n'a',\n5]", "4: tag = 5: give a text, or a list of texts"),
    ("[[plan]]\nmatch.tag = []", "2: tag = []: give a text, or a list of 1 to"),
    ("[[plan]]\nmatch.tag = 'a'\nname = ''", "3: name = '': give a text"),
    (
        "[default]\nabsent = '8'",
        "2: absent = '8': give a number of seconds, more than 0 and finite; false for never",
    ),
    (
        "[default]\nabsent = true",
        "2: absent = true: give a number of seconds, more than 0 and finite; false for never",
    ),
    (
        "[default]\nabsent = nan",
        "2: absent = nan: give a number of seconds, more than 0 and finite; false for never",
    ),
    ("[default]\nabsent = 2", "2: the second dispatch would come after 2.5 s, and the words after"),
    ("[default]\nsecond_dispatch = 8", "2: the second dispatch would come after 8 s"),
    (
        "[default]\nsecond_dispatch = 0",
        "2: second_dispatch = 0: give a number of seconds, more than 0",
    ),
    (
        "[default]\nmax_call = -1",
        "2: max_call = -1: give a number of seconds, more than 0 and finite; false for never",
    ),
    (
        "[default]\nmax_call = true",
        "2: max_call = true: give a number of seconds, more than 0 and finite; false for never",
    ),
    ("[default]\nlapsed = false", "2: lapsed = false: give a number of seconds, more than 0"),
    ("[default]\nzombie_probes = 0.5", "2: zombie_probes = 0.5: give a whole number, at least 1"),
    ("[default]\nmode = 'watch'", "2: mode = 'watch': give 'act' or 'observe'"),
    ("[default]\nringing = true", "2: ringing = true: give 'say' or 'reject'"),
    ("[default]\naudio = 'no.wav'", "2: there is no audio file"),
    ("[default]\nfallback = true", "2: fallback = true: give '+15550123', 'tel:+15550123' or"),
    ("[default]\nfallback = '0555'", "2: '0555' is no number that a caller"),
    ("[default]\nfallback = 'sip:pbx'", "2: 'sip:pbx' is no SIP address"),
    ("[default]\nladder = 'say'", "2: ladder = 'say': give a list of rungs, [{rung = "),
    ("[default]\nladder = [\n\n{rung = 'sai'}]", "4: rung 0 is 'sai', which is no rung; did you"),
    (
        "[default]\nladder = [{rung = 'say'},\n{rung = 'transfer', to = '5'}]",
        "3: rung 1 (transfer): Transfer(to='5'): give an address",
    ),
    ("[default]\nladder = [\n{rung = 'say', words = 'a'}]", "3: rung 0 (say) has no setting 'word"),
    ("[default]\nladder = [{rung = 'transfer'}]", "2: rung 0 (transfer) lacks a setting"),
    ("[default]\nladder = [{rung = 'retry'}]", "2: rung = 'retry': only the agent's own process"),
    (
        "[default]\nladder = [{rung = 'say', deadline = nan}]",
        "2: deadline = nan: give a text, a num",
    ),
    (
        "[default]\nladder = [{rung = 'say', text = 2020-01-01}]",
        "2: text = datetime.date(2020, 1, 1): ",
    ),
    ("[default]\nladder = [\n{rung='say', audio='no.wav'}]", "3: there is no audio file"),
    ("[default]\nladder = [{rung='hang_up'},\n{rung='say'}]", "2: rung 0 is HangUp(deadline=10.0)"),
    (
        "[[plan]]\nmatch.tag = 'a'\n[[plan]]\nmatch.tag = 'b'\n[[plan]]\n\nmatch.tag = ['c', 'a']",
        "7: another plan is for tag a too: leave one out",
    ),
    (
        "[[plan]]\nmatch.number = '+1 555 0100'\n[[plan]]\nmatch.number = '15550100'",
        "4: another plan is for number 15550100 too",
    ),
    (
        "[default]\nfallback = '+15550100'\n[[plan]]\nmatch.number = '15550100'",
        "2: 'tel:+15550100' leads to 15550100, a number of your own",
    ),
    (
        "[[plan]]\nmatch.number = '15550100'\nladder = [\n{rung = 'transfer', "
        "to = 'sip:+15550100@carrier.example'}]",
        "4: 'sip:+15550100@carrier.example' leads to 15550100, a number of your own",
    ),
]


@pytest.mark.parametrize(("text", "told"), BAD, ids=range(len(BAD)))
def test_each_mistake_has_its_line(text: str, told: str) -> None:
    with pytest.raises(PlansError) as refused:
        read(text)
    assert str(refused.value).startswith(f"plans.toml:{told}")
    assert len(str(refused.value).splitlines()) == 1


def test_the_numbers_of_the_trunks_are_no_fallbacks() -> None:
    text = "[default]\nfallback = 'tel:+1-555-0123'"
    assert read(text).default.fallback == "tel:+15550123"
    with pytest.raises(PlansError, match=r":2: .* leads to 0015550123, a number of your own"):
        read(text, own=("+15550100", "0015550123"))


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    mistakes = "\n".join(f"[[plan]]\nmatch.tag = '{n}'\nmodes = 1" for n in range(30))
    with pytest.raises(PlansError) as refused:
        read(f"[default]\nabsent = -1\nmode = 1\n{mistakes}")
    lines = str(refused.value).splitlines()
    assert [line.split(":")[1] for line in lines[:4]] == ["2", "3", "6", "9"]
    assert lines[-1] == "plans.toml: and 12 more mistakes"
    assert len(lines) == 21


def test_more_rules_than_can_be_meant_are_refused() -> None:
    many = ", ".join(f"'{n}'" for n in range(500))
    with pytest.raises(PlansError, match=r":1: these are more than 20000 matches"):
        read(f"[[plan]]\nmatch.tag = [{many}]\nmatch.agent = [{many}]")


@given(st.text(alphabet="[]{}=\"'\n.,#abdefglnopt015 ", max_size=120))
def test_whatever_the_text_it_is_read_or_refused_with_a_line(text: str) -> None:
    try:
        read(text)
    except PlansError as error:
        first = str(error).split(":")[1]
        assert 1 <= int(first) <= text.count("\n") + 1


def test_a_transfer_without_words_is_read_and_completed() -> None:
    plans = read("[default]\nladder = [{rung = 'transfer', to = 'tel:+15550123'}]")
    assert plans.default.ladder.rungs == (Transfer("tel:+15550123"), HangUp())
