"""The page in a real Chromium: as a person sees, hears and uses it, and as an attacker would."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from onhook.errors import ApiError
from onhook.sentinel.outage import OutageSwitch
from tests.sentinel.web.served_page import EVIL, HEBREW, TOKEN, TURNED, ServedPage, served_page

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

WAIT = 30_000.0
"""Milliseconds; on a shared machine a browser may take its time."""
PARTS = ("calls", "incidents", "incidents/inc_1", "records", "workers", "plans", "outages")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program, "Chromium is missing; scripts/setup.sh test installs it"
    expect.set_options(timeout=WAIT)
    async with async_playwright() as playwright:
        # --no-sandbox: CI is root in a container
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        await browser.close()


@contextlib.asynccontextmanager
async def opened(browser: Browser, **options: Any) -> AsyncIterator[tuple[BrowserContext, Page]]:
    """Open a page on which no script of a caller's runs, and nothing is refused by the policy."""
    context = await browser.new_context(**options)
    context.set_default_timeout(WAIT)
    page = await context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.on(
        "console",
        lambda told: wrong.append(told.text) if "Content Security" in told.text else None,
    )
    yield context, page
    assert wrong == []
    await context.close()


async def login(page: Page, served: ServedPage, path: str = "/calls") -> None:
    await page.goto(served.url + path)
    await page.get_by_label("Token of this sentinel").fill(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("navigation")).to_be_visible()


def full(served: ServedPage, folder: Path) -> None:
    """Fill every part of the page, also with what callers and exceptions may say."""
    served.calls(healthy=2, ringing=1, alone=1)
    served.call(EVIL, EVIL)
    served.call(TURNED, "x" * 300)
    served.call(HEBREW, "")
    served.incident(room=EVIL, detail=EVIL)
    served.record(incident="inc_1", fault="entrypoint.raised", outcome="released", silent=7.0)
    OutageSwitch(folder / "outages.json").on(
        "number", "+15550199123", seconds=3600, by="Ann <b>", reason="provider down"
    )
    served.parts.poll.error = ApiError("the server is not there", code="unavailable", passing=True)


LOOKS: tuple[tuple[Literal["light", "dark"], int], ...] = (("light", 1200), ("dark", 360))


async def test_everybody_can_use_it_on_a_screen_and_on_a_phone(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = ("http://127.0.0.1:1",)
    found = {}
    async with (
        served_page(tmp_path, monkeypatch, workers=workers) as served,
        opened(chromium) as (_, page),
    ):
        await page.goto(f"{served.url}/calls")
        found["login"] = await Axe().run(page)
        await login(page, served)
        found["empty"] = await Axe().run(page)
        full(served, tmp_path)
        for part in PARTS:
            await page.goto(f"{served.url}/{part}")
            for scheme, width in LOOKS:
                await page.emulate_media(color_scheme=scheme)
                await page.set_viewport_size({"width": width, "height": 800})
                found[f"{part} {scheme} {width}"] = await Axe().run(page)
                assert await page.evaluate("document.documentElement.scrollWidth") <= width, part
    told = {name: axe.generate_report() for name, axe in found.items() if axe.violations_count}
    assert told == {}


async def test_a_change_is_there_by_itself_and_a_lost_connection_is_told(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        served_page(tmp_path, monkeypatch) as served,
        opened(chromium, timezone_id="Asia/Tokyo") as (_, page),
    ):
        await login(page, served)
        connection = page.locator("#connection")
        await expect(connection).to_contain_text("Live")
        await expect(page.get_by_text("No call is on now")).to_be_visible()
        served.calls(alone=1)
        row = page.get_by_role("row").filter(has_text="nobody is there")
        await expect(row).to_be_visible()
        await expect(page.locator("#watching")).to_have_text("1 caller waits with nobody there.")
        before = await row.locator(".length").first.inner_text()
        await expect(row.locator(".length").first).not_to_have_text(before)  # it goes on
        await served.stop()
        await expect(connection).to_contain_text("Not connected")
        served.calls(ringing=1, room="later")
        await served.start()
        await expect(connection).to_contain_text("Live")
        await expect(page.get_by_text("later-ringing-0")).to_be_visible()
        await page.goto(f"{served.url}/outages")
        await expect(page.locator("#zone")).to_contain_text("Asia/Tokyo")


async def test_what_is_typed_and_where_one_is_outlives_a_change(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = OutageSwitch(tmp_path / "outages.json")
    switch.on("tag", "sales", seconds=3600, by="Ann")
    async with served_page(tmp_path, monkeypatch) as served, opened(chromium) as (_, page):
        await login(page, served, "/outages")
        await expect(page.locator("#connection")).to_contain_text("Live")
        name = page.get_by_label("Your name, to turn one off")
        await name.fill("Bob")
        await asyncio.to_thread(switch.on, "tag", "support", seconds=3600, by="Ann")
        await expect(page.get_by_role("row").filter(has_text="tag support").first).to_be_visible()
        await expect(name).to_have_value("Bob")
        await expect(name).to_be_focused()
        await page.get_by_role("button", name="Turn off the outage of tag sales").click()
        await expect(page.get_by_role("button", name="tag sales")).to_have_count(0)
    assert [outage.value for outage in switch.current()] == ["support"]
    assert switch.history()[0].by == "Bob (on the page)"


async def test_it_reads_and_the_switch_turns_without_javascript_and_by_keyboard_alone(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = OutageSwitch(tmp_path / "outages.json")
    async with (
        served_page(tmp_path, monkeypatch) as served,
        opened(chromium, java_script_enabled=False) as (_, page),
    ):
        full(served, tmp_path)
        await login(page, served)
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await expect(
            page.get_by_role("row").filter(has_text="nobody is there").first
        ).to_be_visible()
        await page.get_by_role("link", name="Incidents", exact=True).press("Enter")
        await page.get_by_role("table").get_by_role("link").first.press("Enter")
        picture = page.get_by_role("img", name="What the caller heard")
        await expect(picture).to_be_visible()
        await expect(
            page.get_by_role("listitem").filter(has_text="onhook's words").first
        ).to_be_visible()
        await page.get_by_role("link", name="Outages").press("Enter")
        await page.get_by_label("all calls", exact=True).press("Space")
        await page.get_by_label("Your name", exact=True).fill("Ann")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("needs the box ticked")
        await page.get_by_label("all of them").press("Space")
        await page.get_by_role("button", name="Turn on").press("Enter")
        await expect(page.get_by_role("row").filter(has_text="all calls").first).to_be_visible()
    assert "all" in [outage.scope for outage in switch.current()]


async def test_another_sites_page_can_neither_frame_it_nor_turn_its_switch(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        served_page(tmp_path, monkeypatch) as served,
        opened(chromium) as (_, page),
    ):
        await login(page, served)
        evil = f"""<iframe src="{served.url}/calls"></iframe>
            <a href="{served.url}/incidents">look at this</a>
            <form method="post" action="{served.url}/outages/on"><input name="scope" value="all">
            <input name="sure" value="yes"><input name="for" value="7d"><input name="by" value="x">
            <button>Win</button></form>"""
        await page.route(
            "http://evil.example/", lambda route: route.fulfill(body=evil, content_type="text/html")
        )
        await page.goto("http://evil.example/")
        await page.get_by_role("link", name="look at this").click()
        # a link of another site brings no strict cookie; the page then asks for itself once more
        await expect(page.get_by_role("heading", level=1)).to_have_text("Incidents")
        await page.goto("http://evil.example/")
        assert await page.frames[1].locator("body").inner_text() != "Calls now"
        await page.get_by_role("button", name="Win").click()
        await expect(page.get_by_role("heading", level=1)).not_to_have_text("Outages")
    assert not (tmp_path / "outages.json").exists()
