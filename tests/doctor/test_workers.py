from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from onhook.doctor.placed_call import HeardCall, judge_call, told
from onhook.doctor.sentinel import judge_sentinel, sentinel_status
from onhook.doctor.workers import (
    Waiting,
    canary_answers,
    judge_canaries,
    judge_names,
    judge_waiting,
    judge_workers,
    worker_answer,
)
from onhook.sentinel.canary import Canaries, CanaryResult, CanaryState
from tests.http_server import http_server


@asynccontextmanager
async def serving(path: str, body: object, status: int = 200) -> AsyncIterator[str]:
    async def answer(_: web.Request) -> web.Response:
        if isinstance(body, str):
            return web.Response(text=body, status=status)
        return web.json_response(body, status=status)

    async with http_server(web.get(path, answer)) as url:
        yield url.removeprefix("http://")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"agent_name": "desk"}, []),
        ({"agent_name": "Desk"}, ["agent.unregistered"]),
        ({"agent_name": ""}, ["worker.unnamed"]),
        ({"other": 1}, ["worker.unreachable"]),
        ("hello", ["worker.unreachable"]),
    ],
)
async def test_a_worker_tells_its_agent(body: object, expected: list[str]) -> None:
    async with serving("/worker", body) as address:
        answer = await worker_answer(address, timeout=2.0)
    assert [found.code for found in judge_workers([answer], ["desk"])] == expected


async def test_a_worker_that_is_not_there() -> None:
    answer = await worker_answer("127.0.0.1:1", timeout=2.0)
    found = list(judge_workers([answer], ["desk"]))
    assert [each.code for each in found] == ["worker.unreachable"]


def test_names_are_compared_whole() -> None:
    assert list(judge_names([], ["desk"], "nobody has")) == []
    assert list(judge_names(["desk", "notes"], ["desk"], "the workers have")) == []


def test_a_call_gets_some_seconds() -> None:
    assert list(judge_waiting([Waiting("call-1", "desk", 3.0)])) == []
    assert [f.code for f in judge_waiting([Waiting("call-1", "desk", 30.0)])] == ["agent.untaken"]


WELL = {"webhooks": {"room_started": 3}, "mode": "act", "calls": 2, "failing": [], "canaries": {}}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"failing": ["LiveKit's API: 401"]}, ["sentinel.failing"]),
        ({"mode": "observe"}, ["sentinel.observes"]),
        ({"canaries": {"desk": "takes calls"}}, []),
        ({"canaries": {"desk": "no worker has taken the call"}}, ["sentinel.canary"]),
        ({"webhooks": {}}, ["sentinel.no-webhooks"]),
        ({"webhooks": {}, "calls": 0}, []),
    ],
)
async def test_a_sentinel_tells_how_it_is(change: dict[str, object], expected: list[str]) -> None:
    async with serving("/status", {**WELL, **change}) as address:
        status, wrong = await sentinel_status(f"http://{address}", timeout=2.0)
    assert [found.code for found in judge_sentinel(address, status, wrong)] == expected


@pytest.mark.parametrize(("body", "status"), [("<html>", 200), ({"x": 1}, 200), ("no", 404)])
async def test_what_is_no_sentinel(body: object, status: int) -> None:
    async with serving("/status", body, status) as address:
        told_, wrong = await sentinel_status(f"http://{address}", timeout=2.0)
    assert [f.code for f in judge_sentinel(address, told_, wrong)] == ["sentinel.other"]


async def test_no_sentinel() -> None:
    told_, wrong = await sentinel_status("http://127.0.0.1:1", timeout=2.0)
    assert [f.code for f in judge_sentinel("x", told_, wrong)] == ["sentinel.unreachable"]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({"answered": 0.5, "first_sound": 1.0, "listened": 5.0}, []),
        ({"wrong": "no route"}, ["call.failed"]),
        ({"status": 486, "rejected": True}, ["call.rejected"]),
        ({"status": 180}, ["call.unanswered"]),
        ({"answered": 20.0, "first_sound": 1.0}, ["call.rings-long"]),
        ({"answered": 0.5, "listened": 10.0}, ["call.silent"]),
        ({"answered": 0.5, "first_sound": 6.0}, ["call.late-sound"]),
        (
            {"answered": 0.5, "listened": 2.0, "ended_by_other": True},
            ["call.silent", "call.ended"],
        ),
    ],
)
def test_what_a_caller_would_hear(call: dict[str, float], expected: list[str]) -> None:
    heard = HeardCall(number="+15550100", ringing=0.1, **call)  # type: ignore[arg-type]
    assert [found.code for found in judge_call(heard)] == expected
    assert heard.number in told(heard)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([CanaryState.TAKES_CALLS], []),
        ([CanaryState.NOT_TAKEN, CanaryState.TAKES_CALLS], []),
        ([CanaryState.NOT_TAKEN, CanaryState.NOT_TAKEN], ["agent.unregistered"]),
        ([CanaryState.NOT_JOINED, CanaryState.NOT_JOINED], ["agent.not-joined"]),
        ([CanaryState.UNGUARDED], ["agent.unguarded"]),
        ([CanaryState.UNKNOWN], []),
    ],
)
async def test_an_agent_that_does_not_come_is_asked_once_more(
    states: list[CanaryState], expected: list[str]
) -> None:
    class Scripted(Canaries):
        def __init__(self) -> None:
            pass

        async def ask(self, agent: str) -> CanaryResult:
            return CanaryResult(agent, states.pop(0), 10.0)

    results = await canary_answers(Scripted(), ["desk"])
    assert [found.code for found in judge_canaries(results)] == expected
    assert states == []
