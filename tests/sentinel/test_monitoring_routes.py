"""What a sentinel answers to probes, scrapers and hooks, as a whole."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from onhook.call import Call
from onhook.faults import Fault
from onhook.incident import Failure, Incident, Outcome
from onhook.ladder import Ladder
from onhook.rungs import HangUp
from onhook.sentinel import readiness
from onhook.sentinel.service import Sentinel
from tests.livekit.twirp import error, hang, twirp
from tests.rescue.telling import closed, opened
from tests.sentinel.fleet.conftest import own_redis
from tests.sentinel.fleet.redis_server import RedisServer
from tests.sentinel.signals.events import lease, lease_token
from tests.sentinel.signals.test_incident_reports import body, now
from tests.sentinel.test_service import ROOMS, credentials, running, until

__all__ = ["own_redis"]

TOKEN = "a-token-of-the-page"


async def asked(
    sentinel: Sentinel, path: str, token: str = "", accept: str = "*/*"
) -> tuple[int, Any]:
    headers = {"Accept": accept, **({"Authorization": f"Bearer {token}"} if token else {})}
    url = f"http://127.0.0.1:{sentinel.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        json = answer.content_type == "application/json"
        return answer.status, await answer.json() if json else await answer.text()


async def tell(sentinel: Sentinel, body: bytes, path: str = "/lease") -> None:
    headers = {"Authorization": lease_token(body)}
    url = f"http://127.0.0.1:{sentinel.port}{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=io.BytesIO(body), headers=headers) as answer,
    ):
        assert answer.status == 200


async def test_it_is_ready_once_all_rooms_were_listed(tmp_path: Path) -> None:
    async with (
        twirp(ListRooms=[hang, ROOMS]) as server,
        running(tmp_path, credentials(server), "") as sentinel,
    ):
        status, told = await asked(sentinel, "/readyz")
        assert (status, told["ready"]) == (503, False)
        (reason,) = told["reasons"]
        # on a busy machine the list's time-out may have passed by now
        assert reason == "no list of rooms has come yet" or "no answer within" in reason
        assert (await asked(sentinel, "/healthz"))[0] == 200
        await until(lambda: sentinel.status()["polls"]["last"] is not None, 30.0)
        # a failure of the first list is over at the end of that round, a moment later
        await until(lambda: not sentinel.status()["failing"])
        status, told = await asked(sentinel, "/readyz")
        assert (status, told["reasons"]) == (200, [])


async def test_it_is_not_ready_while_the_api_fails_and_lives_all_the_same(tmp_path: Path) -> None:
    async with (
        twirp(ListRooms=[error(401, "unauthenticated")]) as server,
        running(tmp_path, credentials(server), "") as sentinel,
    ):
        await until(lambda: bool(sentinel.status()["failing"]))
        status, told = await asked(sentinel, "/readyz")
        assert status == 503
        assert "roomList" in told["reasons"][0]
        assert (await asked(sentinel, "/healthz"))[0] == 200


async def test_a_redis_that_was_never_there_is_a_reason_and_one_that_is_gone_a_note(
    tmp_path: Path, own_redis: RedisServer
) -> None:
    own_redis.kill()
    async with (
        twirp(ListRooms=[ROOMS]) as server,
        running(tmp_path, credentials(server), own_redis.url) as sentinel,
    ):
        await until(lambda: sentinel.status()["polls"]["last"] is not None)
        status, told = await asked(sentinel, "/readyz")
        assert status == 503
        assert "never reached" in told["reasons"][0]
        own_redis.start()
        await until(lambda: not sentinel.status()["failing"])
        assert (await asked(sentinel, "/readyz"))[0] == 200
        own_redis.kill()
        await until(lambda: bool(sentinel.status()["failing"]))
        status, told = await asked(sentinel, "/readyz")
        assert (status, told["reasons"]) == (200, [])
        assert "goes on alone" in told["notes"][0]
        text = (await asked(sentinel, "/metrics"))[1]
        assert "onhook_sentinel_fleet_degraded 1.0" in text


async def test_of_two_sentinels_both_are_ready_and_one_leads(
    tmp_path: Path, own_redis: RedisServer
) -> None:
    async with (
        twirp(ListRooms=[ROOMS]) as server,
        running(tmp_path / "a", credentials(server), own_redis.url) as a,
        running(tmp_path / "b", credentials(server), own_redis.url) as b,
    ):
        await until(lambda: a.status()["polls"]["last"] is not None)
        assert [(await asked(one, "/readyz"))[0] for one in (a, b)] == [200, 200]
        told = [(await asked(one, "/metrics"))[1] for one in (a, b)]
        leads = [float(re.findall(r"^onhook_sentinel_leads (.*)$", t, re.M)[0]) for t in told]
        assert leads == [1.0, 0.0]
        assert 'onhook_sentinel_calls{state="nobody"} 0.0' in told[1], "the other one counts it"


async def test_a_watch_that_is_stuck_is_told_so_that_somebody_restarts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "_STUCK", -1.0)
    async with (
        twirp(ListRooms=[ROOMS]) as server,
        running(tmp_path, credentials(server), "") as sentinel,
    ):
        status, told = await asked(sentinel, "/healthz")
        assert status == 503
        assert "no call has been looked at" in told["status"]


async def test_whether_a_host_may_be_stopped(tmp_path: Path) -> None:
    host = "worker-7-12-0123abcd"
    async with (
        twirp(ListRooms=[ROOMS]) as server,
        running(tmp_path, credentials(server), "") as sentinel,
    ):
        path = "/api/calls?host=worker-7"
        status, told = await asked(sentinel, path)
        assert (status, told["calls"], told["safe"]) == (200, None, None)
        await tell(sentinel, lease("a", "b", host=host))
        said = (await asked(sentinel, path))[1]
        assert said == {"host": "worker-7", "calls": 2, "safe": False, "why": ""}
        await tell(sentinel, lease(host=host))
        assert (await asked(sentinel, path))[1]["safe"] is True
        assert (
            'onhook_sentinel_hosts{state="covered"} 1.0' in (await asked(sentinel, "/metrics"))[1]
        )


async def test_calls_are_json_for_programs_and_a_page_for_people(tmp_path: Path) -> None:
    async with (
        twirp(ListRooms=[ROOMS]) as server,
        running(tmp_path, credentials(server), "") as sentinel,
    ):
        assert (await asked(sentinel, "/calls?host=h1"))[1]["host"] == "h1"
        status, told = await asked(sentinel, "/calls", accept="application/json")
        assert status == 400
        assert "host=HOST" in told["error"]
        page = await asked(sentinel, "/calls", accept="text/html,application/json;q=0.9")
        assert not isinstance(page[1], dict), "it is left to the page"
        assert (await asked(sentinel, f"/api/calls?host={'h' * 300}"))[0] == 400


@pytest.mark.parametrize("path", ["/metrics", "/api/calls?host=h1", "/calls?host=h1"])
async def test_with_a_token_who_has_none_is_refused(tmp_path: Path, path: str) -> None:
    async with (
        twirp(ListRooms=[ROOMS]) as server,
        running(tmp_path, credentials(server), "", token=TOKEN) as sentinel,
    ):
        for wrong in ("", TOKEN[:-1], f"{TOKEN}x", "é"):
            status, text = await asked(sentinel, path, wrong)
            assert (status, TOKEN in text) == (401, False)
        assert (await asked(sentinel, path, TOKEN))[0] == 200
        for open_path in ("/healthz", "/readyz"):
            assert (await asked(sentinel, open_path))[0] in (200, 503)


async def test_incidents_of_the_inner_rings_are_counted_as_their_watchdog_tells_them(
    tmp_path: Path,
) -> None:
    failure = Failure(Fault.LLM_FAILED, "it broke", 0.0)
    incident = Incident(failure, Call("call-1"), "inc_1")
    ended = closed(Outcome("inc_1", "released", "gone"))
    report = body(now(opened(incident, Ladder.of([HangUp()]))), now(ended))
    async with (
        twirp(ListRooms=[ROOMS]) as server,
        running(tmp_path, credentials(server), "") as sentinel,
    ):
        for _ in range(2):  # it had no answer to the first one
            await tell(sentinel, report, "/incidents")
        _, text = await asked(sentinel, "/metrics")
    which = 'fault="llm.failed",mode="act",outcome="released",ring="guard"'
    assert f"onhook_incidents_total{{{which}}} 1.0" in text
    assert 'onhook_time_to_safe_seconds_count{ring="guard"} 1.0' in text
