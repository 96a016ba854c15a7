"""A rescue over the server's API alone, against a server that refuses, stumbles, hangs, is gone."""

from __future__ import annotations

import asyncio
import gc
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from livekit import rtc
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.room import ListParticipantsResponse

from onhook.faults import Fault
from onhook.incident import Failure, Incident, Outcome
from onhook.line import Announcement
from onhook.livekit import Credentials, LiveKitLine, Renderings, announcer
from onhook.livekit.pcm import Pcm, built_in_prompt
from onhook.policy import Policy
from onhook.rescue.engine import Engine
from onhook.rungs import APOLOGY, ONE_MOMENT, TIME_LIMIT, HangUp
from tests.livekit.twirp import SECRET, Answer, error, hang, ok, twirp

ERROR = RuntimeError("the customer database is down")
LIMIT = 1.0
POLICY = Policy(lost=[HangUp(deadline=3.0)], api_timeout=LIMIT)


async def one_caller() -> web.Response:
    caller = ParticipantInfo(
        identity="sip_1",
        kind=ParticipantInfo.Kind.SIP,
        attributes={"sip.callID": "SCL_1", "sip.callStatus": "active"},
    )
    body = ListParticipantsResponse(participants=[caller]).SerializeToString()
    return web.Response(body=body, content_type="application/protobuf")


async def rescue(credentials: Credentials) -> Outcome:
    async with LiveKitLine(credentials, "r", agent="me", api_timeout=LIMIT) as line:
        call = await line.picture()
        incident = Incident(Failure(Fault.ENTRYPOINT_RAISED, "it broke", 0.0, ERROR), call)
        outcome = await Engine(line, policy=POLICY).handle(incident)
        assert incident.failure.error is ERROR
        return outcome


@pytest.mark.parametrize(
    ("delete", "remove", "ending", "calls"),
    [
        ([ok], [ok], "released", 1),
        ([error(404, "not_found")], [ok], "released", 1),
        ([error(500, "internal"), error(500, "internal"), ok], [ok], "released", 3),
        ([error(401, "unauthenticated")], [ok], "released", 1),
        ([error(401, "unauthenticated")], [error(401, "unauthenticated")], "handed_outward", 1),
        ([hang, ok], [ok], "released", 2),
    ],
)
async def test_each_failure_has_its_outcome_and_leaves_nothing_open(
    delete: list[Answer], remove: list[Answer], ending: str, calls: int
) -> None:
    async with twirp(
        ListParticipants=[one_caller], DeleteRoom=delete, RemoveParticipant=remove
    ) as server:
        outcome = await rescue(server.credentials)
        assert outcome.ending == ending, outcome
        assert server.calls.count("DeleteRoom") == calls
        await nothing_is_open()


async def test_a_server_that_hangs_for_ever_costs_the_deadline_and_no_more() -> None:
    loop = asyncio.get_running_loop()
    async with twirp(ListParticipants=[one_caller], DeleteRoom=[hang]) as server:
        began = loop.time()
        outcome = await rescue(server.credentials)
        assert outcome.ending == "handed_outward"
        assert "no answer within 1 s" in outcome.detail
        assert loop.time() - began < 4.0
        await nothing_is_open()


async def test_a_server_that_is_gone_is_named() -> None:
    async with twirp(ListParticipants=[one_caller]) as server:
        credentials = server.credentials
        async with LiveKitLine(credentials, "r", agent="me", api_timeout=LIMIT) as line:
            call = await line.picture()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        gone = Credentials(f"http://127.0.0.1:{closed.getsockname()[1]}", "key", SECRET)
        async with LiveKitLine(gone, "r", agent="me", api_timeout=LIMIT) as line:
            incident = Incident(Failure(Fault.ENTRYPOINT_RAISED, "it broke", 0.0, ERROR), call)
            outcome = await Engine(line, policy=POLICY).handle(incident)
    assert outcome.ending == "handed_outward"
    assert "not reachable" in outcome.detail
    await nothing_is_open()


@pytest.mark.parametrize(
    ("text", "gentle", "prompt"),
    [
        (APOLOGY, False, "apology"),
        (APOLOGY, True, "apology"),
        (ONE_MOMENT, True, "one-moment"),
        (ONE_MOMENT, False, "one-moment"),
        (TIME_LIMIT, False, "time-limit"),
        ("Own words.", False, "apology"),
        ("Own words.", True, "one-moment"),
    ],
)
async def test_the_built_in_prompt_is_that_of_the_words(
    text: str, gentle: bool, prompt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken: list[Pcm] = []

    async def speak(_: object, pcm: Pcm, **more: object) -> None:
        spoken.append(pcm)

    monkeypatch.setattr(announcer, "speak", speak)
    room = SimpleNamespace(
        isconnected=lambda: True,
        connection_state=rtc.ConnectionState.CONN_CONNECTED,
        local_participant=SimpleNamespace(track_publications={}),
    )
    credentials = Credentials("http://127.0.0.1:1", "key", SECRET)
    own = cast(rtc.Room, room)
    async with LiveKitLine(credentials, "r", own=own, renderings=Renderings(tmp_path)) as line:
        source = await line.say(Announcement(text, gentle=gentle))
    assert spoken == [built_in_prompt(prompt)]
    assert source.startswith("built-in prompt")


def file_of(task: asyncio.Task[Any]) -> str:
    coroutine: Any = task.get_coro()
    return str(coroutine.cr_code.co_filename)


async def nothing_is_open() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    server = Path(aiohttp.__file__).parent  # the far end's own tasks
    assert [t for t in others if not Path(file_of(t)).is_relative_to(server)] == []
    gc.collect()
    sessions = [o for o in gc.get_objects() if type(o) is aiohttp.ClientSession]
    assert [session for session in sessions if not session.closed] == []
