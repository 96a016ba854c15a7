"""Who is let in, by token, cookie and place; and which forms are the page's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from onhook.sentinel.web.access import Access, Refusal, RefusedVisitError, Visitor
from tests.sentinel.web.served_page import TOKEN


class Wall:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def asked(
    headers: Mapping[str, str] | None = None, client: str = "127.0.0.1", method: str = "GET"
) -> Request:
    """Return a request as Starlette has it."""
    given = {"host": "127.0.0.1:7899", **(headers or {})}
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": "/calls",
        "query_string": b"",
        "scheme": "http",
        "server": ("127.0.0.1", 7899),
        "client": (client, 40000),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    return Request(scope)


OWN = {"origin": "http://127.0.0.1:7899"}


def cookie_of(access: Access, visitor: Visitor) -> str:
    response = Response()
    access.give_cookie(response, visitor, asked())
    return response.headers["set-cookie"].partition(";")[0].partition("=")[2]


def refusal(access: Access, request: Request) -> Refusal | None:
    try:
        access.admit(request)
    except RefusedVisitError as refused:
        return refused.refusal
    return None


def test_the_token_in_a_header_lets_a_program_in_that_needs_no_form_of_ours() -> None:
    access = Access(TOKEN)
    visitor = access.admit(asked({"authorization": f"Bearer {TOKEN}"}, "192.0.2.7"))
    assert visitor.program
    access.require_form(asked(), visitor, "")


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"],
)
def test_another_header_lets_nobody_in(header: str) -> None:
    assert refusal(Access(TOKEN), asked({"authorization": header})) is Refusal.WRONG


def test_a_login_gives_a_cookie_that_counts_for_half_a_day() -> None:
    wall = Wall()
    access = Access(TOKEN, wall=wall)
    visitor = access.login(asked(OWN, method="POST"), TOKEN)
    known = asked({"cookie": f"{access.cookie}={cookie_of(access, visitor)}"})
    assert access.admit(known).csrf == visitor.csrf
    wall.now += 12 * 3600 + 1
    assert refusal(access, known) is Refusal.LOGIN


def test_a_cookie_is_for_this_server_alone_and_hidden_from_scripts() -> None:
    access, response = Access(TOKEN), Response()
    access.give_cookie(response, access.login(asked(OWN), TOKEN), asked())
    told = response.headers["set-cookie"].lower()
    assert "httponly" in told
    assert "samesite=strict" in told
    assert TOKEN not in told


@pytest.mark.parametrize("change", ["longer", "other", "none", "empty"])
def test_a_cookie_that_is_not_ours_is_none(change: str) -> None:
    access = Access(TOKEN)
    until, nonce, signature = cookie_of(access, access.login(asked(OWN), TOKEN)).split(".")
    forged = {
        "longer": f"{int(until) + 9_999_999}.{nonce}.{signature}",
        "other": f"{until}.{nonce}x.{signature}",
        "none": f"{until}.{nonce}",
        "empty": "",
    }[change]
    assert refusal(access, asked({"cookie": f"{access.cookie}={forged}"})) is Refusal.LOGIN


def test_another_token_ends_every_login() -> None:
    before = Access(TOKEN)
    cookie = cookie_of(before, before.login(asked(OWN), TOKEN))
    after = Access(f"{TOKEN}2")
    both = asked({"cookie": f"{before.cookie}={cookie}; {after.cookie}={cookie}"})
    assert refusal(Access(TOKEN), both) is None
    assert refusal(after, both) is Refusal.LOGIN


def test_two_sentinels_at_ports_of_one_host_have_a_cookie_each() -> None:
    assert Access(TOKEN).cookie != Access(f"{TOKEN}2").cookie


def test_who_guesses_must_wait_and_whoever_is_in_stays_in() -> None:
    clock = Wall()
    access = Access(TOKEN, clock=clock)
    cookie = cookie_of(access, access.login(asked(OWN), TOKEN))
    for _ in range(5):
        with pytest.raises(RefusedVisitError, match="not the token"):
            access.login(asked(OWN, "192.0.2.7"), "guess")
    with pytest.raises(RefusedVisitError, match="too many") as refused:
        access.login(asked(OWN, "192.0.2.7"), TOKEN)
    assert 0 < refused.value.wait <= 60
    assert refusal(access, asked({"cookie": f"{access.cookie}={cookie}"}, "192.0.2.7")) is None
    access.login(asked(OWN, "192.0.2.8"), TOKEN)
    clock.now += 61
    access.login(asked(OWN, "192.0.2.7"), TOKEN)


@pytest.mark.parametrize(
    ("headers", "client", "expected"),
    [
        ({}, "127.0.0.1", None),
        ({"host": "localhost:7899"}, "127.0.0.1", None),
        ({"host": "[::1]:7899"}, "::1", None),
        ({}, "192.0.2.7", Refusal.ELSEWHERE),
        ({"x-forwarded-for": "192.0.2.7"}, "127.0.0.1", Refusal.ELSEWHERE),
        ({"forwarded": "for=192.0.2.7"}, "127.0.0.1", Refusal.ELSEWHERE),
        ({"host": "rebound.example:7899"}, "127.0.0.1", Refusal.HOST),
        ({"host": "127.0.0.1.rebound.example"}, "127.0.0.1", Refusal.HOST),
        ({"host": ""}, "127.0.0.1", Refusal.HOST),
        ({"host": "[::1"}, "127.0.0.1", Refusal.HOST),
    ],
)
def test_without_a_token_only_this_machine_is_let_in(
    headers: dict[str, str], client: str, expected: Refusal | None
) -> None:
    access = Access("")
    access.local = True
    assert refusal(access, asked(headers, client)) is expected


def test_without_a_token_and_without_loopback_nobody_is() -> None:
    assert refusal(Access(""), asked()) is Refusal.OFF


FORMS = [
    (OWN, True, None),
    ({**OWN, "sec-fetch-site": "same-origin"}, True, None),
    ({"sec-fetch-site": "same-origin"}, True, None),
    ({"origin": "https://proxied.example", "sec-fetch-site": "same-origin"}, True, None),
    ({}, True, Refusal.FORGED),
    (OWN, False, Refusal.FORGED),
    ({"origin": "null"}, True, Refusal.FORGED),
    ({"origin": "http://evil.example"}, True, Refusal.FORGED),
    ({"origin": "http://127.0.0.1:8000"}, True, Refusal.FORGED),
    ({"origin": "http://[bad"}, True, Refusal.FORGED),
    ({**OWN, "sec-fetch-site": "cross-site"}, True, Refusal.FORGED),
    ({**OWN, "sec-fetch-site": "same-site"}, True, Refusal.FORGED),
]


@pytest.mark.parametrize(("headers", "right", "expected"), FORMS)
def test_a_form_counts_when_it_comes_from_the_page_itself(
    headers: dict[str, str], right: bool, expected: Refusal | None
) -> None:
    access = Access(TOKEN)
    visitor = access.login(asked(OWN), TOKEN)
    csrf = visitor.csrf if right else access.login(asked(OWN), TOKEN).csrf
    if expected is None:
        access.require_form(asked(headers, method="POST"), visitor, csrf)
        return
    with pytest.raises(RefusedVisitError, match="not come from the page"):
        access.require_form(asked(headers, method="POST"), visitor, csrf)
