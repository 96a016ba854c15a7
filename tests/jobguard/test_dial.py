"""`onhook.dial` against a server whose every answer is scripted."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from livekit import rtc
from livekit.protocol.sip import CreateSIPParticipantRequest

from onhook.errors import ConfigurationError, OutageError, PolicyError
from onhook.faults import Fault
from onhook.jobguard import dial as dial_module
from onhook.jobguard import outage_check
from onhook.jobguard.dial import DialResult, dial
from onhook.livekit import ServerApi
from tests.livekit.test_livekit_line import nothing_is_open
from tests.livekit.twirp import SECRET, Answer, Twirp, error, hang, ok, twirp

IDENTITY = "callee_+15550123"


class OutboundJob:
    """The part of a `JobContext` that dialling touches."""

    def __init__(self) -> None:
        self.room: Any = OutboundRoom()

    async def connect(self) -> None:
        self.room.connected = True


class OutboundRoom(rtc.EventEmitter[str]):
    name = "out-1"

    def __init__(self) -> None:
        super().__init__()
        self.connected = False
        self.remote_participants: dict[str, object] = {}

    def isconnected(self) -> bool:
        return self.connected


@pytest.fixture
def job() -> OutboundJob:
    return OutboundJob()


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Twirp]:
    async with twirp() as running:
        monkeypatch.setenv("LIVEKIT_URL", running.credentials.url)
        monkeypatch.setenv("LIVEKIT_API_KEY", "key")
        monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
        monkeypatch.delenv("LIVEKIT_TOKEN", raising=False)
        yield running


async def call(job: OutboundJob, **more: Any) -> DialResult:
    return await dial(job, "+15550123", "ST_1", **{"deadline": 5.0, **more})  # type: ignore[arg-type]


def refused(status: int, reason: str) -> Answer:
    return error(400, "unknown", sip_status_code=str(status), sip_status=reason)


def until(released: asyncio.Event, answer: Answer = ok) -> Answer:
    async def later() -> web.Response:
        await released.wait()
        return await answer()

    return later


async def test_an_answer_leaves_the_leg_and_everything_closed(
    server: Twirp, job: OutboundJob
) -> None:
    result = await call(job, max_call=None)
    assert result.answered
    assert (result.identity, result.fault) == (IDENTITY, None)
    assert server.calls == ["CreateSIPParticipant"]
    assert job.room.connected, "the room comes before the call"


@pytest.mark.parametrize(
    ("answer", "ending", "status"),
    [
        (refused(486, "Busy Here"), "busy", 486),
        (refused(600, "Busy Everywhere"), "busy", 600),
        (refused(603, "Decline"), "declined", 603),
        (refused(480, "Temporarily Unavailable"), "no_answer", 480),
        (refused(404, "Not Found"), "failed", 404),
        (error(408, "canceled"), "no_answer", None),
        (error(401, "unauthenticated"), "failed", None),
        (error(404, "not_found"), "failed", None),
    ],
)
async def test_each_way_of_not_answering_has_its_word_and_leaves_no_leg(
    server: Twirp, job: OutboundJob, answer: Answer, ending: str, status: int | None
) -> None:
    server.scripts["CreateSIPParticipant"] = [answer]
    result = await call(job)
    assert (result.ending, result.status) == (ending, status)
    assert result.fault is Fault.OUTBOUND_UNANSWERED
    assert server.calls == ["CreateSIPParticipant", "RemoveParticipant"]


async def test_nobody_answers_within_the_deadline(server: Twirp, job: OutboundJob) -> None:
    gone = asyncio.Event()
    server.scripts["CreateSIPParticipant"] = [until(gone, error(408, "canceled"))]
    server.scripts["RemoveParticipant"] = [then(gone.set)]
    result = await call(job, deadline=0.3)
    assert (result.ending, result.fault) == ("no_answer", Fault.OUTBOUND_UNANSWERED)
    assert "within 0.3 s" in result.detail
    assert 0.3 <= result.seconds < 2
    assert server.calls.count("RemoveParticipant") == 2, "and once more when the request is over"


async def test_a_late_answer_is_hung_up_on(server: Twirp, job: OutboundJob) -> None:
    answered = asyncio.Event()
    server.scripts["CreateSIPParticipant"] = [until(answered)]
    server.scripts["RemoveParticipant"] = [error(404, "not_found"), then(answered.set)]
    result = await call(job, deadline=0.3)
    assert (result.ending, result.fault) == ("no_answer", Fault.OUTBOUND_LATE_ANSWER)
    assert server.calls[-1] == "RemoveParticipant"


async def test_cancelled_it_leaves_no_leg(server: Twirp, job: OutboundJob) -> None:
    gone = asyncio.Event()
    server.scripts["CreateSIPParticipant"] = [until(gone)]
    server.scripts["RemoveParticipant"] = [then(gone.set)]
    task = asyncio.create_task(call(job, deadline=30))
    while not server.calls:  # noqa: ASYNC110 - the far end tells by this alone
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.calls[-1] == "RemoveParticipant"


async def test_cancelled_twice_the_removal_goes_on(server: Twirp, job: OutboundJob) -> None:
    gone, removing = asyncio.Event(), asyncio.Event()
    server.scripts["CreateSIPParticipant"] = [until(gone)]
    server.scripts["RemoveParticipant"] = [then(removing.set), then(gone.set), ok]
    task = asyncio.create_task(call(job, deadline=30))
    while not server.calls:  # noqa: ASYNC110 - the far end tells by this alone
        await asyncio.sleep(0.01)
    task.cancel()
    await removing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait(dial_module._owned)
    assert server.calls.count("RemoveParticipant") == 3


async def test_a_server_that_hangs_is_given_up_on(
    server: Twirp, job: OutboundJob, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(dial_module, "_ENDING", 0.3)
    server.scripts["CreateSIPParticipant"] = [hang]
    server.scripts["RemoveParticipant"] = [hang]
    assert (await call(job, deadline=0.3)).ending == "no_answer"
    assert "cannot tell whether the call" in caplog.text


async def test_an_error_of_our_own_request_leaves_no_leg_and_nothing_open(
    server: Twirp, job: OutboundJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(server: ServerApi, _: object) -> None:
        await server.participants("out-1")  # a connection is open
        raise TypeError("no such field")

    monkeypatch.setattr(dial_module, "invite", broken)
    with pytest.raises(TypeError, match="no such field"):
        await call(job)
    assert server.calls == ["ListParticipants", "RemoveParticipant"]
    await nothing_is_open()


async def test_the_request_says_whom_and_how(server: Twirp, job: OutboundJob) -> None:
    result = await call(job, identity="ann", caller="+15550199", name="Ann", headers={"X-A": "1"})
    assert result.identity == "ann"
    request = CreateSIPParticipantRequest.FromString(server.bodies[0])
    assert (request.sip_trunk_id, request.sip_call_to) == ("ST_1", "+15550123")
    assert (request.sip_number, request.participant_name) == ("+15550199", "Ann")
    assert dict(request.headers) == {"X-A": "1"}
    assert request.wait_until_answered
    assert request.ringing_timeout.seconds == 6, "the deadline, and a second"


async def test_without_a_guard_the_limit_is_kept_and_said_once(
    server: Twirp, job: OutboundJob, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(dial_module, "_warned", False)
    for _ in range(2):
        await call(job, max_call=0.2)
        await asyncio.wait(dial_module._owned)
    assert server.calls.count("RemoveParticipant") == 2
    warnings = [r for r in caplog.records if "without @onhook.guard" in r.getMessage()]
    assert len(warnings) == 1


async def test_a_leg_that_leaves_needs_no_limit_any_more(server: Twirp, job: OutboundJob) -> None:
    job.room.remote_participants[IDENTITY] = object()
    await call(job, max_call=30)
    await asyncio.sleep(0)
    del job.room.remote_participants[IDENTITY]
    job.room.emit("participant_disconnected")
    async with asyncio.timeout(10):
        await asyncio.wait(dial_module._owned)
    assert "RemoveParticipant" not in server.calls


async def test_the_guard_limits_the_call_where_there_is_one(
    server: Twirp, job: OutboundJob, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    limits: list[float] = []

    class Guard:
        observes = False
        call_limit: float | None = None

        def limit_call(self, seconds: float) -> None:
            limits.append(seconds)

    guard = Guard()
    monkeypatch.setattr(dial_module, "guarded", lambda _: guard)
    with caplog.at_level(logging.WARNING):
        await call(job, max_call=60)
    assert limits == [60]
    assert caplog.text == ""
    await call(job)
    assert limits == [60, 3600], "an hour, where nothing was said"
    guard.call_limit = 120.0
    await call(job)
    await call(job, max_call=None)
    assert limits == [60, 3600], "what the policy says holds"
    del limits[1:]
    guard.observes = True
    with caplog.at_level(logging.WARNING):
        await call(job, max_call=0.2)
        job.room.remote_participants[IDENTITY] = object()
        await asyncio.sleep(0.6)
    assert limits == [60], "a guard that only observes ends no call: `dial` does"
    assert server.calls[-1] == "RemoveParticipant"
    assert "without @onhook.guard" not in caplog.text


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"number": " "}, "number"),
        ({"trunk": ""}, "trunk"),
        ({"deadline": 0}, "deadline"),
        ({"deadline": 90}, "deadline"),
        ({"max_call": -1}, "max_call"),
    ],
)
async def test_settings_are_checked(job: OutboundJob, settings: dict[str, Any], says: str) -> None:
    given = {"number": "+15550123", "trunk": "ST_1", **settings}
    with pytest.raises(PolicyError, match=rf"dial\({says}="):
        await dial(job, given.pop("number"), given.pop("trunk"), **given)  # type: ignore[arg-type]


async def test_without_a_server_it_says_what_is_missing(
    job: OutboundJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="LIVEKIT_URL"):
        await call(job)


def then(act: Callable[[], None]) -> Answer:
    async def answer() -> web.Response:
        act()
        return await ok()

    return answer


def switched_on(path: Path, scope: str, value: str = "") -> None:
    now = time.time()
    one = {"scope": scope, "value": value, "since": now - 1, "until": now + 60, "by": "eve"}
    path.write_text(json.dumps({"version": 1, "outages": [one]}))
    path.chmod(0o600)


@pytest.fixture
def outages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ONHOOK_OUTAGES", str(tmp_path / "outages.json"))
    return tmp_path / "outages.json"


@pytest.mark.parametrize(
    ("scope", "value"),
    [("all", ""), ("trunk", "ST_1"), ("number", "1-555-0123"), ("number", "+15550100")],
)
async def test_while_an_outage_is_on_nobody_is_dialled(
    server: Twirp, job: OutboundJob, outages: Path, scope: str, value: str
) -> None:
    switched_on(outages, scope, value)
    with pytest.raises(OutageError, match=r"'\+15550123' was not dialled: an outage of .* by eve"):
        await call(job, caller="+15550100")
    assert server.calls == []
    assert not job.room.connected
    outages.unlink()
    assert (await call(job, caller="+15550100", max_call=None)).answered


async def test_an_outage_of_others_stops_nothing(
    server: Twirp, job: OutboundJob, outages: Path
) -> None:
    switched_on(outages, "trunk", "ST_2")
    assert (await call(job, max_call=None)).answered


async def test_a_file_of_outages_that_cannot_be_read_stops_nothing(
    server: Twirp, job: OutboundJob, outages: Path
) -> None:
    outages.write_text("{")
    assert (await call(job, max_call=None)).answered


async def test_a_file_system_that_hangs_stops_nothing(
    server: Twirp, job: OutboundJob, outages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switched_on(outages, "all")
    released = threading.Event()
    looks = []

    def hang(*_: object) -> None:
        looks.append(1)
        released.wait(5)

    monkeypatch.setattr(outage_check, "_look", hang)
    for _ in range(3):
        assert (await call(job, max_call=None)).answered
    assert len(looks) == 1, "it holds one thread and not all of them"
    released.set()
    await asyncio.sleep(0.05)


async def test_a_bug_in_the_switch_stops_nothing(
    server: Twirp, job: OutboundJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onhook.settings.outages", lambda: 1 / 0)
    assert (await call(job, max_call=None)).answered
