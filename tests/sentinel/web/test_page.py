"""The page as programs and attackers see it, at a real port of a sentinel's whole application."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from onhook import settings
from onhook.sentinel.outage import OutageSwitch
from onhook.sentinel.web.response_headers import CONTENT_SECURITY_POLICY
from tests.sentinel.signals.events import event, signed
from tests.sentinel.web.form_client import BEARER, ON, browser, csrf_of
from tests.sentinel.web.served_page import EVIL, TOKEN, TRACEBACK, ServedPage, served_page

PAGES = ("/", "/calls", "/incidents", "/incidents/x", "/records", "/workers", "/plans", "/outages")
LIVE = ("/live/calls", "/live/outages", "/live/incidents/x")


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ServedPage]:
    async with served_page(tmp_path, monkeypatch) as page:
        yield page


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Cookie": "onhook_session=1.2.3"}]
)
async def test_nothing_is_told_without_the_token(
    served: ServedPage, headers: dict[str, str]
) -> None:
    served.incident(room="secret-room")
    async with browser(served.url) as visitor:
        for path in (*PAGES, *LIVE)[: 4 if "Authorization" in headers else None]:
            answer, text = await visitor.get(path, headers)
            assert answer.status == 401, path
            assert "secret-room" not in text
            assert "content-security-policy" in answer.headers
        for path in ("/outages/on", "/outages/off", "/logout"):
            answer, _ = await visitor.post(path, {"scope": "all", "sure": "yes"}, headers)
            assert answer.status in (401, 429), path
    assert not (served.folder / "outages.json").exists()


async def test_who_guesses_is_told_to_wait(served: ServedPage) -> None:
    async with browser(served.url) as visitor:
        told = [
            (await visitor.get("/calls", {"Authorization": f"Bearer guess-{n}"}))[0]
            for n in range(6)
        ]
        assert [answer.status for answer in told] == [401] * 5 + [429]
        assert 0 < int(told[-1].headers["retry-after"]) <= 60
        for path in ("/calls", "/metrics", "/api/calls?host=x"):
            assert (await visitor.get(path, BEARER))[0].status == 429, path
        await visitor.login()  # a person of the same address is not kept out by a program


async def test_the_routes_for_machines_need_no_token_of_the_page(served: ServedPage) -> None:
    async with aiohttp.ClientSession() as client:
        async with client.get(f"{served.url}/healthz") as answer:
            assert answer.status == 200
        body = event("room_started")
        headers = {"Authorization": signed(body)}
        async with client.post(f"{served.url}/webhook", data=body, headers=headers) as answer:
            assert answer.status == 200
        async with client.post(f"{served.url}/lease", data=b"") as answer:
            assert answer.status == 401


async def test_programs_see_every_page_with_the_token(served: ServedPage) -> None:
    served.calls(healthy=1, ringing=1, alone=1)
    served.incident()
    served.record()
    async with browser(served.url) as program:
        for path in ("/calls", "/incidents", "/incidents/inc_1", "/records", "/workers", "/plans"):
            answer, text = await program.get(path, BEARER)
            assert answer.status == 200, text
            assert "set-cookie" not in answer.headers
        answer, text = await program.get("/incidents/nothing", BEARER)
        assert answer.status == 404
        assert "no such incident" in text


async def test_records_are_summed_by_number_and_agent_for_a_day_and_a_month(
    served: ServedPage,
) -> None:
    served.record("new", agent="desk", fault="llm.stalled", silent=6.0, incident="inc_9")
    served.record("old", agent="night", ended_at=time.time() - 3 * 86_400, silent=4.0)
    async with browser(served.url) as program:
        _, html = await program.get("/records", BEARER)
    cells = re.sub(r"<[^>]+>", " ", html).split()
    told = " ".join(cells)
    assert "24 hours 1 1 100.0 % 6.0 s 0" in told
    assert "30 days 2 2 100.0 % 10 s 0" in told
    assert told.count("night") == 2  # in the month, and among the newest calls
    assert told.count("desk") == 3
    assert 'href="/incidents/inc_9"' in html


async def test_every_answer_forbids_what_it_can(served: ServedPage) -> None:
    async with browser(served.url) as visitor:
        answer, text = await visitor.get("/calls", BEARER)
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "unsafe" not in CONTENT_SECURITY_POLICY
        assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", text)
        links = re.findall(r'(?:src|href|action)="([^"]*)"', text)
        assert links
        assert all(link.startswith(("/", "#")) for link in links)
        static, _ = await visitor.get("/static/page.css")
        assert static.status == 200
        assert static.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        for path in ("/static/../page.py", "/static/%2e%2e/page.py", "/static/"):
            assert (await visitor.get(path))[0].status in (401, 404)


async def test_what_callers_and_exceptions_say_is_text_and_nothing_else(
    served: ServedPage,
) -> None:
    served.call(EVIL, EVIL, "+15550100123")
    served.incident(room=EVIL, detail=EVIL)
    served.record(agent=EVIL, room=EVIL, fault=EVIL)
    async with browser(served.url) as program:
        for path in ("/calls", "/incidents", "/incidents/inc_1", "/records"):
            _, html = await program.get(path, BEARER)
            assert "<script>alert" not in html
            assert "<img" not in html
            assert "&lt;script&gt;alert" in html
            assert "{{7*7}}" in html  # and no 49
        assert "RuntimeError" in TRACEBACK
        _, html = await program.get("/incidents/inc_1", BEARER)
        assert "RuntimeError: the caller +15*******23" in html


async def test_numbers_are_masked_unless_they_are_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for allowed in ("masked", "whole"):
        monkeypatch.setenv(settings.NUMBERS, allowed)
        async with served_page(tmp_path, monkeypatch) as served, browser(served.url) as program:
            served.call("call-+15550100123", "desk")
            served.incident(room="call-+15550100123")
            served.record()
            OutageSwitch(tmp_path / "outages.json").on(
                "number", "+15550199123", seconds=60, by="ann", fallback="+15550177123"
            )
            for path in ("/calls", "/incidents", "/incidents/inc_1", "/records", "/outages"):
                _, html = await program.get(path, BEARER)
                whole = re.search(r"\+1555\d{7}", html) is not None
                assert whole == (allowed == "whole"), (path, html)


async def test_a_login_leads_to_what_was_wanted_and_nowhere_else(served: ServedPage) -> None:
    async with browser(served.url) as visitor:
        for wanted, leads in {
            "/incidents/inc_1": "/incidents/inc_1",
            "//evil.example/": "/calls",
            "https://evil.example/": "/calls",
            "/\\evil.example": "/calls",
            "javascript:alert(1)": "/calls",
            "": "/calls",
        }.items():
            answer, _ = await visitor.post("/login", {"token": TOKEN, "wanted": wanted})
            assert (answer.status, answer.headers["location"]) == (303, leads)
        answer, _ = await visitor.post(
            "/login", {"token": TOKEN}, {"Origin": "http://evil.example"}
        )
        assert answer.status == 403


async def test_who_logs_out_must_log_in_again(served: ServedPage) -> None:
    async with browser(served.url) as visitor:
        csrf = await visitor.login()
        assert (await visitor.post("/logout", {"csrf": csrf}))[0].status == 303
        assert (await visitor.get("/calls"))[0].status == 401


async def test_below_a_prefix_every_link_and_the_login_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mounted(app: Starlette) -> Starlette:
        return Starlette(routes=[Mount("/onhook", app)])

    async with (
        served_page(tmp_path, monkeypatch, mounted=mounted) as served,
        browser(f"{served.url}/onhook") as visitor,
    ):
        csrf = await visitor.login()
        answer, html = await visitor.get("/calls")
        links = re.findall(r'(?:src|href|action|connect)="(/[^"]*)"', html)
        assert len(links) > 10
        assert all(link.startswith("/onhook/") for link in links)
        for link in links:
            if "logout" in link or "/live/" in link:
                continue
            found, _ = await visitor.get(link.removeprefix("/onhook"))
            assert found.status == 200, link
        answer, _ = await visitor.post("/outages/on", {**ON, "csrf": csrf})
        assert answer.headers["location"] == "/onhook/outages"


async def test_without_a_token_this_machine_needs_none_and_other_names_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        served_page(tmp_path, monkeypatch, token="") as served,
        browser(served.url) as visitor,
    ):
        answer, html = await visitor.get("/outages")
        assert answer.status == 200
        csrf = csrf_of(html)
        assert (await visitor.post("/outages/on", {**ON, "csrf": csrf}))[0].status == 303
        for path in PAGES:
            answer, _ = await visitor.get(path, {"Host": "rebound.example"})
            assert answer.status == 421, path


async def test_without_a_token_and_open_to_others_the_page_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        served_page(tmp_path, monkeypatch, token="", local=False) as served,
        browser(served.url) as visitor,
    ):
        for path in PAGES:
            answer, html = await visitor.get(path)
            assert answer.status == 403, path
            assert "ONHOOK_SENTINEL_TOKEN" in html
    assert "the page is off" in caplog.text


async def test_changes_are_sent_to_who_has_the_page_open(served: ServedPage) -> None:
    async with (
        aiohttp.ClientSession(headers=BEARER) as client,
        client.get(f"{served.url}/live/calls") as answer,
        asyncio.timeout(20),
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        await answer.content.readuntil(b"\n\n")
        first = (await answer.content.readuntil(b"\n\n")).decode()
        served.calls(alone=1)
        second = (await answer.content.readuntil(b"\n\n")).decode()
    assert "No call is on now" in first
    assert "call-alone-0" in second
    state = re.findall(r"^id: (\w+)$", second, re.MULTILINE)[0]
    async with (
        aiohttp.ClientSession(headers={**BEARER, "Last-Event-ID": state}) as client,
        client.get(f"{served.url}/live/calls") as answer,
        asyncio.timeout(20),
    ):
        await answer.content.readuntil(b"\n\n")
        served.calls(ringing=1, room="later")
        third = (await answer.content.readuntil(b"\n\n")).decode()
    assert "later-ringing-0" in third


async def test_the_next_one_too_many_is_told_to_come_again(
    served: ServedPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served.page.live, "_most", 0)
    async with browser(served.url) as program:
        answer, _ = await program.get("/live/calls", BEARER)
        assert answer.status == 503
        assert answer.headers["retry-after"] == "10"


async def test_a_broken_journal_and_broken_records_are_told(served: ServedPage) -> None:
    (served.folder / "incidents.db").write_text("this is no journal, and long enough to be read")
    (served.folder / "calls.db").write_text("these are no records, and long enough to be read")
    async with browser(served.url) as program:
        for path in ("/incidents", "/records", "/incidents/inc_1"):
            _, html = await program.get(path, BEARER)
            assert 'role="alert"' in html, path
        assert (await program.get("/calls", BEARER))[0].status == 200
