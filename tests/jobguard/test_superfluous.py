"""Who leaves when two agents of one name come to one call, and above all who does not."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from livekit.protocol.agent import Job, JobState
from livekit.protocol.agent_dispatch import (
    AgentDispatch,
    AgentDispatchState,
    ListAgentDispatchResponse,
)
from livekit.protocol.models import ParticipantInfo, TrackInfo, TrackType
from livekit.protocol.room import ListParticipantsResponse

from onhook.incident import Incident
from onhook.jobguard.decorator import Guarded, guard
from onhook.jobguard.superfluous import is_superfluous, rival
from onhook.line import Dispatch
from onhook.livekit.api import ServerApi
from onhook.livekit.attribute_names import AGENT_NAME, GUARD, RELEASED, RESCUE
from onhook.livekit.credentials import WITHDRAWN
from onhook.takeover import SECOND_DISPATCH, Takeover, compose
from tests.fakes import call_of, caller
from tests.jobguard.fakes import AGENT, FakeJob
from tests.livekit.twirp import Twirp, error, hang, says, twirp
from tests.watchdog.test_job_table import FAILURE

NAME = "front-desk"
OTHER = "agent-other"
FIRST = Dispatch("AD_1", NAME, "", ("AJ_1",), (AGENT,), {}, 100.0)
SECOND = Dispatch("AD_2", NAME, "", ("AJ_2",), (OTHER,), {SECOND_DISPATCH: "1"}, 102.5)


def member(
    identity: str = OTHER, told: Mapping[str, str] | None = None, *, audible: bool = True
) -> ParticipantInfo:
    """An agent of the room; `told` are its attributes beside its name."""
    sound = TrackInfo(type=TrackType.AUDIO)
    return ParticipantInfo(
        identity=identity,
        kind=ParticipantInfo.Kind.AGENT,
        attributes={AGENT_NAME: NAME, **(told or {})},
        tracks=[sound] if audible else [],
    )


SIP = ParticipantInfo(
    identity="sip_1",
    kind=ParticipantInfo.Kind.SIP,
    attributes={"sip.callID": "SCL_1", "sip.callStatus": "ringing", "sip.ruleID": "SDR_1"},
)


def late(dispatch: Dispatch = FIRST) -> FakeJob:
    """A job that comes six seconds after its room began."""
    job = FakeJob()
    job.job.agent_name, job.job.dispatch_id = dispatch.agent_name, dispatch.id
    job.job.attributes, job.job.metadata = dict(dispatch.attributes), dispatch.metadata
    job.job.room.creation_time_ms = 100_000
    return job


def now() -> float:
    return 106.0


def sent(*dispatches: Dispatch) -> ListAgentDispatchResponse:
    return ListAgentDispatchResponse(agent_dispatches=[_sent(d) for d in dispatches])


def _sent(d: Dispatch) -> AgentDispatch:
    jobs = [Job(id=j, state=JobState(participant_identity=d.agents[0])) for j in d.jobs]
    state = AgentDispatchState(jobs=jobs, created_at=int(d.created_at * 1e9))
    return AgentDispatch(id=d.id, agent_name=d.agent_name, state=state, attributes=d.attributes)


async def judged(
    job: FakeJob,
    here: Sequence[ParticipantInfo],
    dispatches: Sequence[Dispatch] = (FIRST, SECOND),
) -> tuple[bool, Twirp]:
    listing = ListParticipantsResponse(participants=list(here))
    async with twirp(
        ListParticipants=[says(listing)], ListDispatch=[says(sent(*dispatches))]
    ) as server:
        leaves = await is_superfluous(
            job.ctx, open_api=lambda: ServerApi(server.credentials, timeout=1.0), wall=now
        )
    return leaves, server


@pytest.mark.parametrize("other", [member(), member(told={GUARD: "0.1.0"}, audible=False)])
async def test_a_late_original_leaves_the_caller_to_the_repetition(
    other: ParticipantInfo, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "onhook")
    assert (await judged(late(), [SIP, other]))[0]
    told = [r for r in caplog.records if r.name == "onhook"]
    assert [r.levelno for r in told] == [logging.INFO]
    assert OTHER in told[0].getMessage()


async def test_a_repetition_leaves_the_caller_to_the_original_that_came_after_all() -> None:
    first, second = replace(FIRST, agents=(OTHER,)), replace(SECOND, agents=(AGENT,))
    assert (await judged(late(second), [SIP, member()], [first, second]))[0]


async def test_a_job_that_comes_in_time_asks_nothing() -> None:
    job = late()
    job.job.room.creation_time_ms = 105_000
    leaves, server = await judged(job, [SIP, member()])
    assert (leaves, server.calls) == (False, [])
    job.job.room = SimpleNamespace(name="r", creation_time=105, creation_time_ms=0)
    leaves, server = await judged(job, [SIP, member()])
    assert (leaves, server.calls) == (False, [])


async def test_one_whose_room_has_no_other_of_its_name_asks_once() -> None:
    leaves, server = await judged(late(), [SIP])
    assert (leaves, server.calls) == (False, ["ListParticipants"])


def _redispatched() -> FakeJob:
    job = late()
    told = Takeover.of(Incident(FAILURE, call_of(caller()), "inc_1"), json.dumps({"x": 1}))
    job.job.metadata = compose(told)
    return job


def _nameless() -> FakeJob:
    job = late()
    job.job.agent_name = ""
    return job


HEALTHY: dict[str, tuple[FakeJob, list[ParticipantInfo], list[Dispatch]]] = {
    "nobody repeated anything: two agents on purpose": (
        *(late(), [SIP, member()]),
        [FIRST, replace(SECOND, attributes={})],
    ),
    "a rescuer's redispatch": (_redispatched(), [SIP, member()], [FIRST, SECOND]),
    "no caller is on the line": (late(), [member()], [FIRST, SECOND]),
    "an agent of another name": (
        *(late(), [SIP, member(told={AGENT_NAME: "supervisor"})]),
        [FIRST, SECOND],
    ),
    "an agent without a name": (_nameless(), [SIP, member()], [FIRST, SECOND]),
    "a scribe: unguarded, and without a voice": (
        *(late(), [SIP, member(audible=False)]),
        [FIRST, SECOND],
    ),
    "a colleague of its name who was sent later, on purpose": (
        *(late(replace(FIRST, id="AD_3")), [SIP, member()]),
        [FIRST, SECOND, replace(FIRST, id="AD_3", created_at=160.0)],
    ),
    "the other came by no dispatch of this call": (  # though it bears the name
        *(late(), [SIP, member("agent-else")]),
        [FIRST, SECOND],
    ),
    "its own dispatch is not known": (late(replace(FIRST, id="AD_9")), [SIP, member()], [SECOND]),
    "the other is taken away": (late(), [SIP, member(told={WITHDRAWN: "1"})], [FIRST, SECOND]),
    "the other's call is being rescued": (
        *(late(), [SIP, member(told={RESCUE: "inc;9", GUARD: "1"})]),
        [FIRST, SECOND],
    ),
    "the other has left on purpose": (late(), [SIP, member(told={RELEASED: "x"})], [FIRST, SECOND]),
    "it is the only one": (late(), [SIP, member(AGENT)], [FIRST, SECOND]),
}


@pytest.mark.parametrize("name", HEALTHY)
async def test_who_is_meant_to_be_there_stays(name: str) -> None:
    job, here, dispatches = HEALTHY[name]
    assert not (await judged(job, here, dispatches))[0]


def test_the_server_may_list_the_other_dispatch_without_its_job_yet() -> None:
    unlisted = [FIRST, replace(SECOND, jobs=(), agents=())]
    assert rival("AD_1", NAME, [member()], unlisted) == OTHER
    third = replace(SECOND, id="AD_3", agent_name="supervisor")
    assert rival("AD_1", NAME, [member()], [*unlisted, third]) == "", "it came by another one"


def test_two_repetitions_or_two_originals_are_no_pair() -> None:
    other = [member()]
    assert rival("AD_1", NAME, other, [FIRST, SECOND]) == OTHER
    twice = [replace(FIRST, attributes=SECOND.attributes), SECOND]
    assert rival("AD_1", NAME, other, twice) == ""
    before = replace(SECOND, created_at=99.0)
    assert rival("AD_1", NAME, other, [FIRST, before]) == "", "it repeats something else"


@pytest.mark.parametrize("answer", [error(500, "internal"), error(401, "unauthenticated"), hang])
async def test_in_doubt_both_run(answer: Any) -> None:
    async with twirp(ListParticipants=[answer]) as server:
        assert not await is_superfluous(
            late().ctx, open_api=lambda: ServerApi(server.credentials, timeout=0.2), wall=now
        )


async def _guarded(
    job: FakeJob, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> tuple[list[str], Twirp]:
    ran: list[str] = []

    async def entrypoint(_: Any) -> None:
        ran.append("ran")

    guarded = guard(**options)(entrypoint)
    assert isinstance(guarded, Guarded)
    listing = ListParticipantsResponse(participants=[SIP, member()])
    async with twirp(
        ListParticipants=[says(listing)], ListDispatch=[says(sent(FIRST, SECOND))]
    ) as server:
        monkeypatch.setenv("LIVEKIT_URL", server.credentials.url)
        monkeypatch.setenv("LIVEKIT_API_KEY", server.credentials.key)
        monkeypatch.setenv("LIVEKIT_API_SECRET", server.credentials.secret)
        await guarded(job.ctx)
        await job.end()
    return ran, server


async def test_its_entrypoint_is_not_run_and_the_job_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    job = late()
    job.job.room.creation_time_ms = 1
    ran, _ = await _guarded(job, monkeypatch)
    assert ran == []
    assert len(job.shutdowns) == 1
    assert job.callbacks == [], "no guard: no incident, no word to the watchdog"


async def test_who_only_observes_sends_nobody_away(monkeypatch: pytest.MonkeyPatch) -> None:
    job = late()
    job.job.room.creation_time_ms = 1
    ran, server = await _guarded(job, monkeypatch, mode="observe")
    assert ran == ["ran"]
    assert "ListDispatch" not in server.calls
