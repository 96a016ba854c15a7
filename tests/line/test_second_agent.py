"""Two agents for one call, because a dispatch came late: one stays. And canaries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from livekit import api
from livekit.protocol.models import ParticipantInfo

from onhook.bench.phone import Phone
from onhook.bench.stack import Stack
from onhook.livekit.api import ServerApi
from onhook.livekit.credentials import Credentials
from onhook.sentinel.canary import Canaries, CanaryState
from onhook.sentinel.canary_settings import CanarySettings
from onhook.takeover import CANARY_ROOM, SECOND_DISPATCH
from tests.line.bench import Bench, full_form, worker

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

SOON = 10.0
START = 45.0
"""Seconds for a job whose process is yet to start, on two busy cores."""


async def agents(bench: Bench, room: str) -> list[str]:
    async with bench.api() as server, asyncio.timeout(SOON):
        listing = await server.room.list_participants(api.ListParticipantsRequest(room=room))
    kind = ParticipantInfo.Kind.AGENT
    return [p.identity for p in listing.participants if p.kind == kind]


async def room_with_caller(bench: Bench, seen: set[str]) -> str:
    """Wait for the room of a call that nobody has answered yet."""
    async with bench.api() as server, asyncio.timeout(SOON):
        while True:
            rooms = await server.room.list_rooms(api.ListRoomsRequest())
            for room in rooms.rooms:
                if room.name not in seen and room.num_participants:
                    return room.name
            await asyncio.sleep(0.05)


async def rooms_now(bench: Bench) -> set[str]:
    async with bench.api() as server, asyncio.timeout(SOON):
        return {room.name for room in (await server.room.list_rooms(api.ListRoomsRequest())).rooms}


async def repeat(bench: Bench, room: str, scenario: Mapping[str, Any], *, marked: bool) -> None:
    """Send a second agent to a room, as a sentinel does, or as a developer does."""
    marks = {SECOND_DISPATCH: "1"} if marked else {}
    async with ServerApi(Credentials.from_env(bench.stack.env), timeout=SOON) as server:
        await server.create_dispatch(room, bench.agent, json.dumps(scenario), marks)


@pytest.mark.parametrize("marked", [False, True])  # the first one finds the worker cold
async def test_a_late_original_leaves_where_its_dispatch_was_repeated(
    bench: Bench, marked: bool
) -> None:
    second = bench.scenario("is_healthy", "default")
    original = bench.scenario("is_healthy", "default", after=second["id"])
    seen = await rooms_now(bench)
    async with Phone() as phone:
        call = await bench.call_in(phone, original)
        room = await room_with_caller(bench, seen)
        await repeat(bench, room, second, marked=marked)
        await bench.worker.wait("greeted", second["id"], deadline=START)
        if marked:
            await bench.worker.wait("left", original["id"], deadline=START)
            await asyncio.sleep(1.0)
            assert bench.worker.event("entered", original["id"]) is None, "nothing of it ran"
            assert len(await agents(bench, room)) == 1
            assert "agent.superfluous" in bench.worker.log.read_text()
        else:
            await bench.worker.wait("greeted", original["id"], deadline=START)
            assert len(await agents(bench, room)) == 2, "two agents on purpose: both stay"
        assert call.report().ending is None
        await call.hang_up()
    for scenario in (original, second):
        assert bench.worker.event("opened", scenario["id"]) is None


async def test_a_late_repetition_leaves_the_caller_to_the_original(bench: Bench) -> None:
    original = bench.scenario("is_healthy", "default")
    second = bench.scenario("is_healthy", "default", after=original["id"])
    seen = await rooms_now(bench)
    async with Phone() as phone:
        call = await bench.call_in(phone, original)
        room = await room_with_caller(bench, seen)
        await repeat(bench, room, second, marked=True)
        await bench.worker.wait("greeted", original["id"], deadline=START)
        await bench.worker.wait("left", second["id"], deadline=START)
        assert bench.worker.event("entered", second["id"]) is None
        assert len(await agents(bench, room)) == 1
        await call.hang_up()


@full_form
async def test_canaries_of_a_guarded_agent_of_a_broken_one_and_of_nobody(
    bench: Bench, stack: Stack, tmp_path: Path
) -> None:
    settings = CanarySettings(guarded=("formal", bench.agent, "nobody"), bound=8.0)
    spent = 0

    def spend(requests: int) -> bool:
        nonlocal spent
        spent += requests
        return True

    async with (
        worker(stack, tmp_path, "tests.agents.forms", ONHOOK_FORM="decorated") as running,
        ServerApi(Credentials.from_env(stack.env), timeout=SOON) as server,
    ):
        canaries = Canaries(settings, server, spend=spend)
        async with asyncio.timeout(START):  # its first process is yet to start
            while (await canaries.ask("formal")).state is not CanaryState.TAKES_CALLS:
                pass
        before = spent
        result = await canaries.ask("formal")
        assert result.state is CanaryState.TAKES_CALLS, running.tail()
        assert spent - before <= 12
        assert running.events_of("fault") == [], "nothing of the agent ran"
        assert "answered the canary" in running.log.read_text()
        assert (await canaries.ask("nobody")).state is CanaryState.NOT_TAKEN
        broken = await canaries.ask(bench.agent)  # its metadata is missing: it raises at once
        assert broken.state is CanaryState.NOT_JOINED
        assert not any(name.startswith(CANARY_ROOM) for name in await rooms_now(bench))
