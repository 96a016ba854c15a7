"""What a canary finds of an agent, that its room never stays, and what it costs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from livekit.protocol.agent import Job
from livekit.protocol.agent_dispatch import (
    AgentDispatch,
    AgentDispatchState,
    ListAgentDispatchResponse,
)
from livekit.protocol.models import ParticipantInfo, Room
from livekit.protocol.room import CreateRoomRequest, ListParticipantsResponse

from onhook.errors import PolicyError
from onhook.livekit.api import ServerApi
from onhook.livekit.attribute_names import AGENT_NAME, GUARD
from onhook.sentinel.canary import Canaries, CanaryResult, CanaryState
from onhook.sentinel.canary_settings import CanarySettings
from onhook.takeover import CANARY, CANARY_ROOM
from tests.livekit.twirp import Answer, Twirp, error, hang, says, twirp

NAME = "front-desk"
SETTINGS = CanarySettings(guarded=(NAME,), unguarded=("old-desk",), bound=10.0)
NOBODY = says(ListParticipantsResponse())
UNTAKEN = says(ListAgentDispatchResponse(agent_dispatches=[AgentDispatch(agent_name=NAME)]))
TAKEN = says(
    ListAgentDispatchResponse(
        agent_dispatches=[AgentDispatch(state=AgentDispatchState(jobs=[Job(id="AJ_1")]))]
    )
)
MADE = says(Room(name="r"))


def agent(name: str = NAME, **told: str) -> Answer:
    attributes = {AGENT_NAME: name, **told}
    kind = ParticipantInfo.Kind.AGENT
    here = ParticipantInfo(identity="agent-1", kind=kind, attributes=attributes)
    return says(ListParticipantsResponse(participants=[here]))


class Clock:
    """Passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


class Purse:
    def __init__(self, *, refuses: Callable[[int], bool] = lambda _: False) -> None:
        self.spent = 0
        self.refuses = refuses

    def spend(self, requests: int) -> bool:
        self.spent += requests
        return not self.refuses(self.spent)


async def asked(
    name: str = NAME, purse: Purse | None = None, **scripts: list[Answer]
) -> tuple[CanaryResult, Twirp, Purse]:
    clock, purse = Clock(), purse or Purse()
    async with (
        twirp(**{"CreateRoom": [MADE], "ListDispatch": [UNTAKEN], **scripts}) as server,
        ServerApi(server.credentials, timeout=1.0) as api,
    ):
        canaries = Canaries(SETTINGS, api, spend=purse.spend, clock=clock, sleep=clock.sleep)
        result = await canaries.ask(name)
    return result, server, purse


async def test_an_agent_whose_guard_answers_takes_calls_and_costs_four_requests() -> None:
    result, server, purse = await asked(ListParticipants=[NOBODY, agent(**{GUARD: "1"})])
    assert result.state is CanaryState.TAKES_CALLS
    assert result.seconds == 0.5
    assert server.calls == ["CreateRoom", "ListParticipants", "ListParticipants", "DeleteRoom"]
    assert purse.spent == len(server.calls) - 1, "the first was paid before"
    made = CreateRoomRequest.FromString(server.bodies[0])
    assert made.name.startswith(CANARY_ROOM)
    assert (made.empty_timeout, made.departure_timeout) == (15, 1), "it ends by itself"
    (dispatch,) = made.agents
    assert (dispatch.agent_name, dict(dispatch.attributes)) == (NAME, {CANARY: "1"})


@pytest.mark.parametrize(
    ("listed", "state"), [(UNTAKEN, CanaryState.NOT_TAKEN), (TAKEN, CanaryState.NOT_JOINED)]
)
async def test_an_agent_that_does_not_come_takes_no_calls(
    listed: Answer, state: CanaryState
) -> None:
    result, server, purse = await asked(ListParticipants=[NOBODY], ListDispatch=[listed])
    assert (result.state, result.seconds) == (state, 10.0)
    assert server.calls[-1] == "DeleteRoom"
    assert purse.spent <= 15


async def test_somebody_else_in_the_room_is_not_the_agent() -> None:
    result, _, _ = await asked(ListParticipants=[agent("supervisor")])
    assert result.state is CanaryState.NOT_TAKEN


async def test_a_guard_has_a_moment_to_tell_that_it_is_one() -> None:
    late = [agent(), agent(), agent(**{GUARD: "1"})]
    assert (await asked(ListParticipants=late))[0].state is CanaryState.TAKES_CALLS
    assert (await asked(ListParticipants=[agent()]))[0].state is CanaryState.UNGUARDED
    just = [*[NOBODY] * 11, agent()]
    assert (await asked(ListParticipants=just))[0].state is CanaryState.UNGUARDED


async def test_an_agent_that_may_run_needs_no_guard() -> None:
    result, _, _ = await asked("old-desk", ListParticipants=[agent("old-desk")])
    assert result.state is CanaryState.TAKES_CALLS


@pytest.mark.parametrize("answer", [error(500, "internal"), error(401, "unauthenticated"), hang])
@pytest.mark.parametrize("method", ["CreateRoom", "ListParticipants", "ListDispatch"])
async def test_a_server_that_fails_says_nothing_about_an_agent(method: str, answer: Answer) -> None:
    scripts: Any = {"ListParticipants": [NOBODY], method: [answer]}
    result, server, _ = await asked(**scripts)
    assert result.state is CanaryState.UNKNOWN
    assert result.detail
    assert server.calls[-1] == "DeleteRoom"


async def test_a_canary_that_is_cancelled_leaves_no_room() -> None:
    async with (
        twirp(CreateRoom=[MADE], ListParticipants=[hang]) as server,
        ServerApi(server.credentials, timeout=5.0) as api,
    ):
        asking = asyncio.create_task(Canaries(SETTINGS, api, spend=lambda _: True).ask(NAME))
        await _until(lambda: "ListParticipants" in server.calls)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert server.calls[-1] == "DeleteRoom"


async def test_a_budget_that_is_used_up_is_no_verdict_and_the_room_is_deleted() -> None:
    result, server, _ = await asked(
        purse=Purse(refuses=lambda spent: spent > 2), ListParticipants=[NOBODY]
    )
    assert server.calls == ["CreateRoom", "ListParticipants", "ListParticipants", "DeleteRoom"]
    assert result.state is CanaryState.UNKNOWN, "it may have come since"


async def _until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(5.0):
        while not holds():  # noqa: ASYNC110 - a server's requests
            await asyncio.sleep(0.005)


async def _run(
    states: list[CanaryState],
    settings: CanarySettings = SETTINGS,
    *,
    spend: Callable[[int], bool] = lambda _: True,
    until: float = 1000.0,
    logged: Callable[[Sequence[object]], bool] = lambda _: False,
    tell: Callable[[CanaryResult], None] | None = None,
) -> tuple[Canaries, list[tuple[str, float]]]:
    clock, when = Clock(), []

    class Scripted(Canaries):
        async def ask(self, agent: str) -> CanaryResult:
            when.append((agent, clock.now))
            state = states.pop(0) if len(states) > 1 else states[0]
            if agent != NAME:
                state = CanaryState.TAKES_CALLS
            return CanaryResult(agent, state, 1.0, "detail")

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        if clock.now > until:
            await asyncio.Event().wait()

    nothing: Any = None
    canaries = Scripted(settings, nothing, spend=spend, tell=tell, clock=clock, sleep=sleep)
    running = asyncio.create_task(canaries.run())
    await _until(lambda: clock.now > until or logged(when))
    running.cancel()
    await asyncio.wait({running})
    return canaries, when


async def test_the_agents_are_spread_and_asked_again() -> None:
    canaries, when = await _run([CanaryState.TAKES_CALLS])
    assert when[:4] == [(NAME, 0.0), ("old-desk", 150.0), (NAME, 300.0), ("old-desk", 450.0)]
    assert canaries.counts[NAME, CanaryState.TAKES_CALLS] == 4
    assert set(canaries.latest) == {NAME, "old-desk"}


async def test_what_changes_is_told_once_and_a_miss_is_asked_again_soon(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "onhook")
    well, missed = CanaryState.TAKES_CALLS, CanaryState.NOT_TAKEN
    only = CanarySettings(guarded=(NAME,))
    canaries, when = await _run([well, missed, missed, missed, well], only, until=460.0)
    assert [at for _, at in when] == [0.0, 300.0, 330.0, 360.0, 390.0]
    told = [(r.levelname, r.getMessage()) for r in caplog.records]
    assert [level for level, _ in told] == ["INFO", "ERROR", "INFO"]
    assert "takes no calls: no worker" in told[1][1]
    assert told[2][1].endswith("takes calls again")
    assert canaries.counts[NAME, missed] == 3


async def test_an_agent_whose_guard_does_not_answer_is_asked_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    only = CanarySettings(guarded=(NAME,))
    _, when = await _run([CanaryState.UNGUARDED], only, logged=lambda _: bool(caplog.records))
    assert len(when) == 1
    assert "asked no more" in caplog.text


async def test_without_budget_an_agent_waits_for_its_turn() -> None:
    left = iter([False, False, True])
    _, when = await _run(
        [CanaryState.TAKES_CALLS],
        CanarySettings(guarded=(NAME,)),
        spend=lambda _: next(left, True),
        until=100.0,
    )
    assert when == [(NAME, 60.0)]


async def test_who_is_told_disturbs_no_canary(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: CanaryResult) -> None:
        raise ZeroDivisionError("a bug of theirs")

    _, when = await _run([CanaryState.TAKES_CALLS], tell=broken)
    assert len(when) > 2
    assert "a bug of theirs" in caplog.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"guarded": ("",)},
        {"guarded": ("a", "a")},
        {"guarded": ("a",), "unguarded": ("a",)},
        {"every": 5.0},
        {"bound": 0.0},
    ],
)
def test_what_cannot_be_asked_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(PolicyError, match="CanarySettings"):
        CanarySettings(**wrong)
