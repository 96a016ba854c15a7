from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.faults import Fault
from onhook.incident import Failure, Incident
from onhook.takeover import KEY, Earlier, Takeover, compose, incident_of, read
from tests.fakes import call_of, caller

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
plain = st.dictionaries(st.text().filter(lambda key: key != KEY), json_values).map(json.dumps)
earlier = st.builds(Earlier, st.text(), st.text(), st.text(), st.text())


def incident(detail: str = "it broke") -> Incident:
    return Incident(Failure(Fault.ENTRYPOINT_RAISED, detail, 0.0), call_of(caller()))


@given(
    st.builds(
        Takeover,
        incident=st.text(),
        fault=st.text(),
        detail=st.text(),
        attempt=st.integers(1, 99),
        agent=st.text(),
        job=st.text(),
        metadata=plain | st.text(),
        history=st.lists(earlier, max_size=8).map(tuple),
    )
)
def test_it_comes_back_as_it_was(takeover: Takeover) -> None:
    assert read(compose(takeover)) == takeover


@given(st.text() | json_values.map(json.dumps))
def test_metadata_of_others_tells_of_no_incident(metadata: str) -> None:
    assert read(metadata) is None


@pytest.mark.parametrize("told", [None, 7, [], {}, {"version": 2}, {"version": "1"}])
def test_what_is_not_ours_under_our_key_is_no_incident(told: Any) -> None:
    assert read(json.dumps({KEY: told})) is None


def test_strange_values_are_left_out() -> None:
    told = {"version": 1, "incident": 7, "attempt": "x", "history": [3, {"agent": "a"}]}
    assert read(json.dumps({KEY: told})) == Takeover("", "", history=(Earlier("", "", "a"),))


def test_an_agent_that_reads_its_metadata_as_json_goes_on_doing_so() -> None:
    metadata = json.loads(compose(Takeover.of(incident(), '{"customer": 7}')))
    assert metadata.pop(KEY)["fault"] == "entrypoint.raised"
    assert metadata == {"customer": 7}


def test_a_chain_keeps_its_count_its_past_and_the_first_metadata() -> None:
    metadata = "customer 7"
    for _ in range(12):
        metadata = compose(Takeover.of(incident(), metadata))
    told = read(metadata)
    assert told is not None
    assert told.attempt == 12
    assert told.metadata == "customer 7"
    assert len(told.history) == 8


def test_a_long_detail_is_cut() -> None:
    assert len(Takeover.of(incident("x" * 10_000), "").detail) == 500


def test_other_metadata_cannot_bring_an_incident_of_its_own() -> None:
    foreign = compose(Takeover("inc_x", "job.died", metadata='{"a": 1}'))
    told = Takeover.of(incident(), "").given(foreign)
    assert told.metadata == '{"a": 1}'


def test_a_job_asks_by_its_context() -> None:
    ctx: Any = SimpleNamespace(job=SimpleNamespace(metadata=""))
    assert incident_of(ctx) is None
    ctx.job.metadata = compose(Takeover.of(incident(), "{}"))
    found = incident_of(ctx)
    assert found is not None
    assert found.metadata == "{}"
