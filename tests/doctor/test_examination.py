from __future__ import annotations

import os
import socket

import pytest
from livekit.protocol.room import ListRoomsResponse

from onhook.doctor import examination
from onhook.doctor.examination import Examination, Order
from onhook.doctor.findings import Group
from onhook.doctor.placed_call import HeardCall
from tests.livekit.twirp import SECRET, says, twirp


async def test_one_check_that_fails_keeps_no_other_from_its_work(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(examination, "_versions", broken)
    order = Order(groups=(Group.VERSIONS, Group.ENVIRONMENT))
    report = await Examination(order, env={}).report()
    assert {found.code for found in report.findings} == {"env.missing"}
    assert [each.what for each in report.unchecked] == ["the versions"]
    assert "the versions could not be looked at" in caplog.text


async def test_a_port_that_is_taken_keeps_no_other_check_from_its_work() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with twirp(ListRooms=[says(ListRoomsResponse())]) as server:
            env = {
                **os.environ,
                "LIVEKIT_URL": server.credentials.url,
                "LIVEKIT_API_KEY": "APIabcdefgh123",
                "LIVEKIT_API_SECRET": SECRET,
            }
            order = Order(
                groups=(Group.WEBHOOKS, Group.ENVIRONMENT),
                wait_webhook=1.0,
                webhook=("127.0.0.1", port),
                timeout=1.0,
            )
            report = await Examination(order, env=env).report()
    assert [each.what for each in report.unchecked] == ["whether webhooks arrive"]
    assert "cannot listen" in report.unchecked[0].why


@pytest.mark.parametrize("whole", [False, True])
async def test_numbers_are_masked_unless_they_may_be_shown(whole: bool) -> None:
    async def call() -> HeardCall:
        return HeardCall(number="(030) 901-820", status=486, rejected=True)

    order = Order(groups=(Group.CALL,), place_call=call, numbers=whole)
    report = await Examination(order, env={}).report()
    assert ("(030) 901-820" in str(report)) == whole
    assert ("901" in report.heard) == whole
