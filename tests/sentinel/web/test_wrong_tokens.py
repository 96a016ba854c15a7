"""How often an address may guess."""

from __future__ import annotations

import pytest

from onhook.sentinel.web.wrong_tokens import MOST, WINDOW, WrongTokens


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def guessed(wrong: WrongTokens, address: str, times: int = MOST) -> None:
    for _ in range(times):
        wrong.add(address)


def test_one_address_waits_after_five_until_the_oldest_is_forgotten() -> None:
    clock = Clock()
    wrong = WrongTokens(clock=clock)
    guessed(wrong, "192.0.2.7", MOST - 1)
    assert wrong.wait("192.0.2.7") == 0
    wrong.add("192.0.2.7")
    assert wrong.wait("192.0.2.7") == WINDOW
    assert wrong.wait("192.0.2.8") == 0
    clock.now += WINDOW
    assert wrong.wait("192.0.2.7") == 0


def test_all_addresses_of_a_host_of_ipv6_are_one() -> None:
    wrong = WrongTokens()
    for place in range(MOST):
        wrong.add(f"2001:db8::{place}")
    assert wrong.wait("2001:db8::ffff:1") > 0
    assert wrong.wait("2001:db8:1::1") == 0


def test_no_more_addresses_are_remembered_than_a_bound(caplog: pytest.LogCaptureFixture) -> None:
    wrong = WrongTokens()
    guessed(wrong, "192.0.2.7")
    caplog.clear()
    for place in range(4_096):
        wrong.add(f"10.0.{place // 256}.{place % 256}")
    assert wrong.wait("192.0.2.7") == 0
    assert "wrong token from 10.0.0.0" in caplog.text
