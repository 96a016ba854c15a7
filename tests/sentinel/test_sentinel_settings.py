"""What a sentinel can be started with, and what is refused before it starts."""

from __future__ import annotations

from typing import Any

import pytest

from onhook.errors import PolicyError
from onhook.sentinel.sentinel_settings import Address, SentinelSettings


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:7899", "127.0.0.1", 7899, True),
        ("localhost:1", "localhost", 1, True),
        ("8080", "127.0.0.1", 8080, True),
        (":8080", "127.0.0.1", 8080, True),
        ("[::1]:7899", "::1", 7899, True),
        ("0.0.0.0:7899", "0.0.0.0", 7899, False),
        ("sentinel.internal:0", "sentinel.internal", 0, False),
    ],
)
def test_an_address(text: str, host: str, port: int, loopback: bool) -> None:
    address = Address.of(text)
    assert (address.host, address.port, address.loopback) == (host, port, loopback)
    assert Address.of(str(address)) == address


@pytest.mark.parametrize("text", ["", "host", "host:", "::1:7899", "host:70000", "host:7a", "[]:1"])
def test_what_is_no_address_is_refused_with_one_that_is(text: str) -> None:
    with pytest.raises(PolicyError, match=r"HOST:PORT|\[::1\]:7899"):
        Address.of(text)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"poll": 0}, "poll=0"),
        ({"reload": float("nan")}, "reload=nan"),
        ({"budget": 59}, "at least 60"),
        ({"poll": 0.1, "budget": 1000}, "at least 1200"),
        ({"poll": 3600, "budget": 9}, "at least 10"),
        ({"budget": 300.5}, "budget=300.5"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(PolicyError, match=told):
        SentinelSettings(**wrong)
