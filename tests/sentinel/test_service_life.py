"""A sentinel as a whole: how it begins, what it says of itself, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from google.protobuf.message import Message
from livekit.protocol.agent_dispatch import AgentDispatch, ListAgentDispatchResponse
from livekit.protocol.models import ParticipantInfo, Room
from livekit.protocol.room import ListParticipantsResponse, ListRoomsResponse

from onhook.errors import ConfigurationError
from onhook.sentinel.records.call_book import CallBook
from onhook.sentinel.records.record_keeper import RecordKeeper
from onhook.sentinel.sentinel_settings import Address, SentinelSettings
from onhook.sentinel.service import Sentinel
from onhook.sentinel.web.page import Page
from onhook.sinks.journal import SqliteJournal, Step
from tests.livekit.twirp import Answer, Twirp, error, hang, says, twirp

CALLER = ParticipantInfo(
    sid="PA_1",
    identity="sip_+15550100",
    kind=ParticipantInfo.Kind.SIP,
    state=ParticipantInfo.State.ACTIVE,
    attributes={
        "sip.callStatus": "ringing",
        "sip.callID": "SCL_1",
        "sip.ruleID": "SDR_1",
        "sip.trunkID": "ST_1",
        "sip.trunkPhoneNumber": "+15550199",
    },
)
SENT = AgentDispatch(id="AD_1", agent_name="support", room="call-1")
ROOM = Room(name="call-1", sid="RM_1", num_participants=1)


def answers(message: Message) -> list[Answer]:
    return [says(message)]


def server(**scripts: list[Answer]) -> contextlib.AbstractAsyncContextManager[Twirp]:
    empty = {
        "ListRooms": answers(ListRoomsResponse()),
        "ListParticipants": answers(ListParticipantsResponse()),
        "ListDispatch": answers(ListAgentDispatchResponse()),
    }
    return twirp(**{**empty, **scripts})


def ringing() -> dict[str, list[Answer]]:
    return {
        "ListRooms": answers(ListRoomsResponse(rooms=[ROOM])),
        "ListParticipants": answers(ListParticipantsResponse(participants=[CALLER])),
        "ListDispatch": answers(ListAgentDispatchResponse(agent_dispatches=[SENT])),
    }


@contextlib.asynccontextmanager
async def running(
    at: Twirp, folder: Path, *, absent: float = 8.0, observe: bool = False
) -> AsyncIterator[tuple[Sentinel, asyncio.Event, asyncio.Task[None]]]:
    plans = folder / "plans.toml"
    plans.write_text(f"[default]\nabsent = {absent}\nsecond_dispatch = false\n")
    given = SentinelSettings(
        observe=observe,
        plans=plans,
        webhook=Address("127.0.0.1", 0),
        poll=0.5,
        journal=folder / "incidents.db",
        outages=folder / "outages.json",
    )
    told = asyncio.Event()
    async with Sentinel(given, at.credentials) as sentinel:
        task = asyncio.create_task(sentinel.run_until(told))
        try:
            async with asyncio.timeout(10.0):
                while sentinel.port is None and not task.done():  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.02)
            yield sentinel, told, task
        finally:
            told.set()
            await task


async def get(sentinel: Sentinel, path: str) -> dict[str, object]:
    url = f"http://127.0.0.1:{sentinel.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        return dict(await answer.json())


async def until(holds: object, seconds: float = 10.0) -> None:
    assert callable(holds)
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - the loop under test tells nobody
            await asyncio.sleep(0.05)


async def test_it_tells_how_it_is(tmp_path: Path) -> None:
    async with server(**ringing()) as at, running(at, tmp_path) as (sentinel, _, _):
        await until(lambda: sentinel.status()["calls"])
        told = await get(sentinel, "/status")
        health = await get(sentinel, "/healthz")
    assert (told["mode"], told["calls"], told["failing"]) == ("act", 1, [])
    assert health["status"] == "ok"
    assert at.credentials.secret not in str(told)


async def test_it_tells_that_the_server_refuses_its_key(tmp_path: Path) -> None:
    refused = [error(401, "unauthenticated")]
    async with server(ListRooms=refused) as at, running(at, tmp_path) as (sentinel, _, _):
        await until(lambda: sentinel.status()["failing"])
        (told,) = sentinel.status()["failing"]
        assert "roomList" in told
        assert (await get(sentinel, "/healthz"))["status"] == "failing"


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    taken = asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with server() as at, await taken as listening:
        port = listening.sockets[0].getsockname()[1]
        given = SentinelSettings(
            webhook=Address("127.0.0.1", port),
            journal=tmp_path / "incidents.db",
            outages=tmp_path / "outages.json",
        )
        async with Sentinel(given, at.credentials) as sentinel:
            with pytest.raises(ConfigurationError, match="another port"):
                await sentinel.run_until(asyncio.Event())


async def test_told_to_end_in_the_middle_of_a_rescue_it_ends_within_five_seconds(
    tmp_path: Path,
) -> None:
    """The server hangs, so that the line cannot be released: the incident says so."""
    async with (
        server(**ringing(), DeleteRoom=[hang], RemoveParticipant=[hang]) as at,
        running(at, tmp_path, absent=0.1) as (_, told, task),
    ):
        await until(lambda: "DeleteRoom" in at.calls, 20.0)
        began = time.monotonic()
        told.set()
        await task
        assert time.monotonic() - began < 5.5
    with contextlib.closing(SqliteJournal(tmp_path / "incidents.db")) as journal:
        (incident,) = journal.incidents()
        steps = [(e.step, e.subject) for e in journal.entries(incident)]
    assert steps[0] == (Step.OPENED, "agent.absent")
    assert steps[-1] == (Step.CLOSED, "handed_outward")


async def test_a_page_and_records_that_break_keep_no_caller_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(Page, "run", breaks_later)
    monkeypatch.setattr(RecordKeeper, "watch", breaks_later)
    monkeypatch.setattr(CallBook, "leg_seen", breaks)
    monkeypatch.setattr(CallBook, "listed", breaks)
    async with server(**ringing()) as at, running(at, tmp_path, absent=0.1) as (_, _, task):
        await until(lambda: "DeleteRoom" in at.calls, 20.0)
        assert not task.done()
    said = [record.getMessage() for record in caplog.records]
    for what in ("the page: ", "call records: ", "a call may be missing"):
        assert len([text for text in said if text.startswith(what)]) == 1, said


async def breaks_later(*_: object, **__: object) -> None:
    raise RuntimeError("a bug of ours")


async def test_where_it_observes_nothing_but_questions_is_sent(tmp_path: Path) -> None:
    async with (
        server(**ringing()) as at,
        running(at, tmp_path, absent=0.1, observe=True) as (sentinel, _, _),
    ):
        await until(lambda: sentinel.status()["incidents"]["endings"])
        await asyncio.sleep(1.0)
        assert sentinel.status()["incidents"]["endings"] == {"observed": 1}
    assert {call for call in at.calls if not call.startswith("List")} == set()
