"""What a server's answers mean: the failures that a real one does not give."""

from __future__ import annotations

import os
import time

import pytest
from aiohttp import web
from livekit.protocol.room import ListRoomsResponse

from onhook.doctor.api_probe import ApiProbe, Outcome
from onhook.doctor.examination import Examination, Order
from onhook.doctor.findings import Group
from onhook.doctor.server import judge_clock, judge_connection
from onhook.doctor.server_probe import first_answer
from onhook.livekit import Credentials
from tests.livekit.twirp import SECRET, Answer, error, hang, says, twirp

KEY = "APIabcdefgh123"


def page(status: int, text: str) -> Answer:
    async def answer() -> web.Response:
        return web.Response(status=status, text=text, content_type="text/html")

    return answer


def plain(status: int, text: str) -> Answer:
    async def answer() -> web.Response:
        return web.json_response({"error": text}, status=status)

    return answer


async def first(script: Answer, *, timeout: float = 2.0) -> list[str]:
    async with twirp(ListRooms=[script]) as server:
        url = server.credentials.url
        async with ApiProbe(Credentials(url, KEY, SECRET), timeout=timeout) as probe:
            answer = await first_answer(probe)
            found = [*judge_connection(url, answer), *judge_clock(url, [answer])]
    return [each.code for each in found]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (says(ListRoomsResponse()), []),
        (plain(401, "invalid API key: APIabcdefgh123"), ["key.unknown"]),
        (plain(401, "invalid token: eyJa.b.c, error: signature is invalid"), ["key.secret"]),
        (plain(401, "invalid token: eyJa.b.c, error: token is not valid yet"), ["clock.skew"]),
        (plain(401, "invalid token: eyJa.b.c, error: token is expired"), ["clock.skew"]),
        (error(401, "unauthenticated"), ["key.refused"]),
        (error(403, "permission_denied"), ["key.refused"]),
        (error(500, "internal"), ["server.fails"]),
        (error(503, "unavailable"), ["server.fails"]),
        (error(429, "resource_exhausted"), ["server.fails"]),
        (error(404, "bad_route"), ["server.no-livekit"]),
        (page(200, "<html>welcome</html>"), ["server.no-livekit"]),
        (page(404, "<html>not found</html>"), ["server.no-livekit"]),
        (page(302, ""), ["server.no-livekit"]),
        (page(502, "<html>bad gateway</html>"), ["server.fails"]),
    ],
)
async def test_the_first_answer(script: Answer, expected: list[str]) -> None:
    assert await first(script) == expected


async def test_a_server_that_does_not_answer() -> None:
    assert await first(hang, timeout=0.3) == ["server.silent"]


async def test_a_token_that_is_refused_is_not_shown() -> None:
    script = plain(401, "invalid token: eyJa.b.c, error")
    async with (
        twirp(ListRooms=[script]) as it,
        ApiProbe(Credentials(it.credentials.url, KEY, SECRET), timeout=2.0) as probe,
    ):
        answer = await first_answer(probe)
    assert answer.outcome is Outcome.REFUSED
    assert "eyJ" not in answer.words


@pytest.mark.parametrize(
    ("ahead", "level"), [(3.0, None), (-8.0, None), (12.0, "warning"), (70.0, "error")]
)
async def test_the_clock_is_that_of_the_answers(ahead: float, level: str | None) -> None:
    def clock() -> float:
        return time.time() + ahead

    async with twirp(ListRooms=[says(ListRoomsResponse())]) as it:
        credentials = Credentials(it.credentials.url, KEY, SECRET)
        async with ApiProbe(credentials, timeout=2.0, clock=clock) as probe:
            found = list(judge_clock("it", [await first_answer(probe)]))
    assert [str(each.level) for each in found] == ([level] if level else [])


async def examined(scripts: dict[str, list[Answer]], timeout: float = 2.0) -> list[tuple[str, str]]:
    every: dict[str, list[Answer]] = {
        "ListRooms": [says(ListRoomsResponse())],
        "DeleteRoom": [error(404, "not_found")],
        "CreateSIPParticipant": [error(400, "invalid_argument")],
    }
    async with twirp(**{**every, **scripts}) as server:
        env = {
            **os.environ,
            "LIVEKIT_URL": server.credentials.url,
            "LIVEKIT_API_KEY": KEY,
            "LIVEKIT_API_SECRET": SECRET,
        }
        order = Order(groups=(Group.SERVER, Group.ROUTES), timeout=timeout)
        report = await Examination(order, env=env).report()
    return [(found.code, found.subject) for found in report.findings]


@pytest.mark.parametrize(
    ("method", "grant"),
    [
        ("ListParticipants", "roomAdmin"),
        ("DeleteRoom", "roomCreate"),
        ("CreateSIPParticipant", "sip.call"),
        ("ListSIPInboundTrunk", "sip.admin"),
        ("ListSIPDispatchRule", "sip.admin"),
    ],
)
async def test_a_grant_that_is_missing(method: str, grant: str) -> None:
    found = await examined({method: [error(401, "unauthenticated")]})
    assert found == [("grant.missing", grant)]


async def test_a_server_without_sip() -> None:
    async def not_connected() -> web.Response:
        told = {"code": "internal", "msg": "sip not connected (redis required)"}
        return web.json_response(told, status=500)

    methods = ("ListSIPInboundTrunk", "ListSIPOutboundTrunk", "ListSIPDispatchRule")
    every = (*methods, "CreateSIPParticipant")
    found = await examined({name: [not_connected] for name in every})
    assert [code for code, _ in found] == ["sip.not-connected"]


async def test_one_request_that_hangs_does_not_hold_the_others_up() -> None:
    began = time.monotonic()
    found = await examined({"DeleteRoom": [hang]}, timeout=0.5)
    assert [code for code, _ in found] == ["server.silent"]
    assert time.monotonic() - began < 5.0


@pytest.mark.parametrize(
    ("url", "outcome"),
    [
        ("ws://127.0.0.1:1", Outcome.UNREACHABLE),
        ("wss://no-such-host.invalid", Outcome.UNKNOWN_HOST),
    ],
)
async def test_nobody_there(url: str, outcome: Outcome) -> None:
    async with ApiProbe(Credentials(url, KEY, SECRET), timeout=5.0) as probe:
        assert (await first_answer(probe)).outcome is outcome


async def test_tls_where_there_is_none() -> None:
    async with twirp() as it:
        url = it.credentials.url.replace("http://", "https://")
        async with ApiProbe(Credentials(url, KEY, SECRET), timeout=2.0) as probe:
            answer = await first_answer(probe)
    (found,) = judge_connection(url, answer)
    assert found.code == "server.certificate"


async def test_a_secret_in_the_keys_place_is_not_shown() -> None:
    async with twirp(ListRooms=[plain(401, f"invalid API key: {SECRET}")]) as it:
        env = {
            "LIVEKIT_URL": it.credentials.url,
            "LIVEKIT_API_KEY": SECRET,
            "LIVEKIT_API_SECRET": KEY,
        }
        report = await Examination(Order(timeout=2.0), env=env).report()
    assert {"key.unknown", "env.swapped"} <= {found.code for found in report.findings}
    assert SECRET not in str(report)
