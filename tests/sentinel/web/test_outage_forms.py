"""The outage switch is turned by the page's own forms, and by nobody else's."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from onhook.sentinel.outage import OutageSwitch
from tests.sentinel.web.form_client import BEARER, ON, browser
from tests.sentinel.web.served_page import ServedPage, served_page


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ServedPage]:
    async with served_page(tmp_path, monkeypatch) as page:
        yield page


async def test_the_switch_is_turned_on_and_off_by_the_pages_forms(served: ServedPage) -> None:
    switch = OutageSwitch(served.folder / "outages.json")
    async with browser(served.url) as visitor:
        csrf = await visitor.login()
        answer, _ = await visitor.post("/outages/on", {**ON, "csrf": csrf})
        assert answer.status == 303
        (outage,) = switch.current()
        assert (outage.scope, outage.value, outage.by) == (
            "number",
            "+15550199123",
            "Ann (on the page)",
        )
        assert outage.until - outage.since == 7200
        _, html = await visitor.get("/outages")
        assert "15550199123" not in html
        key = re.findall(r'name="outage" value="(\w+)"', html)[0]
        off = {"csrf": csrf, "outage": key, "by": "Bob"}
        assert (await visitor.post("/outages/off", off))[0].status == 303
    assert switch.current() == ()
    assert [(change.by, change.turned) for change in switch.history()] == [
        ("Bob (on the page)", "off"),
        ("Ann (on the page)", "on"),
    ]


async def test_a_program_may_turn_the_switch_with_the_token(served: ServedPage) -> None:
    async with browser(served.url) as program:
        answer, _ = await program.post("/outages/on", ON, {**BEARER, "Origin": "null"})
        assert answer.status == 303
    assert len(OutageSwitch(served.folder / "outages.json").current()) == 1


FORGERIES: list[tuple[dict[str, str], str]] = [
    ({"Origin": "http://evil.example"}, "right"),
    ({"Origin": "null"}, "right"),
    ({"Sec-Fetch-Site": "cross-site"}, "right"),
    ({}, "wrong"),
    ({}, ""),
    ({"Content-Type": "text/plain"}, "right"),
]


@pytest.mark.parametrize(("headers", "csrf"), FORGERIES)
async def test_a_forged_form_changes_nothing(
    served: ServedPage, headers: dict[str, str], csrf: str
) -> None:
    async with browser(served.url) as visitor:
        right = await visitor.login()
        fields = {**ON, "csrf": right if csrf == "right" else csrf}
        for path in ("/outages/on", "/outages/off", "/logout"):
            answer, _ = await visitor.post(path, fields, headers)
            assert answer.status == 403, path
        assert (await visitor.get("/calls"))[0].status == 200
    assert not (served.folder / "outages.json").exists()


async def test_no_get_changes_anything(served: ServedPage) -> None:
    async with browser(served.url) as visitor:
        await visitor.login()
        for path in ("/outages/on", "/outages/off", "/logout"):
            assert (await visitor.get(path))[0].status == 405


MISTAKES = [
    ({"scope": ""}, "choose for which calls"),
    ({"scope": "everything"}, "choose for which calls"),
    ({"value": " "}, "which number?"),
    ({"scope": "all"}, "needs the box ticked"),
    ({"for": "100y"}, "choose after how long"),
    ({"by": ""}, "give your name"),
    ({"scope": "trunk", "value": "x"}, "is no trunk"),
    ({"fallback": "nonsense number"}, "nonsense number"),
    ({"fallback": "+1 555 0199 123"}, "a number of your own"),
]


@pytest.mark.parametrize(("change", "told"), MISTAKES)
async def test_a_mistake_is_told_beside_what_was_given(
    served: ServedPage, change: dict[str, str], told: str
) -> None:
    async with browser(served.url) as visitor:
        fields = {**ON, **change, "csrf": await visitor.login(), "reason": "<b>why</b>"}
        answer, html = await visitor.post("/outages/on", fields)
        assert answer.status == 422
        assert told in html
        assert "&lt;b&gt;why&lt;/b&gt;" in html
    assert not (served.folder / "outages.json").exists()


async def test_a_form_that_is_too_long_is_not_read(served: ServedPage) -> None:
    async with browser(served.url) as visitor:
        csrf = await visitor.login()
        answer, _ = await visitor.post("/outages/on", {**ON, "csrf": csrf, "reason": "x" * 20_000})
        assert answer.status == 403
