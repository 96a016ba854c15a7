from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from onhook.errors import ConfigurationError
from onhook.sentinel.records.call_webhook import CallWebhook, body_of
from onhook.sentinel.records.call_webhook_settings import CallWebhookSettings
from onhook.sentinel.records.number_mask import NumberMask
from onhook.sentinel.records.webhook_queue import WebhookQueue
from tests.http_server import http_server
from tests.sentinel.records.test_record_store import DEAD, WELL

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEXT = "whsec_" + base64.b64encode(b"n" * 32).decode()


@dataclass
class Receiver:
    """Takes webhooks, or answers as it is told to."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [204])
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, headers=self.headers)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with http_server(web.post("/calls", receiver.take)) as url:
        receiver.url = f"{url}/calls"
        yield receiver


class Sender:
    """A sender on a clock of the test's."""

    def __init__(self, url: str, path: Path, secret: str = SECRET) -> None:
        self.now = 1_700_000_000.0
        self.queue = WebhookQueue(path, wall=lambda: self.now)
        given = CallWebhookSettings.of(url, secret)
        self.webhook = CallWebhook(
            given, self.queue, NumberMask(), wall=lambda: self.now, jitter=lambda: 0.5
        )

    async def step(self, after: float = 0.0) -> None:
        self.now += after
        await self.webhook.step()


@pytest.fixture
async def sender(receiver: Receiver, tmp_path: Path) -> AsyncIterator[Sender]:
    sender = Sender(receiver.url, tmp_path / "calls.db")
    yield sender
    await sender.webhook.aclose()


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of the specification's own libraries."""
    given = CallWebhookSettings.of("https://example.com", SECRET)
    headers = given.signed("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', 1614265330)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_call_is_sent_signed_and_masked(receiver: Receiver, sender: Sender) -> None:
    await sender.webhook.ended(DEAD)
    await sender.step()
    ((headers, body),) = receiver.got
    told = json.loads(body)
    assert told["type"] == "call.ended"
    data = told["data"]
    assert (data["id"], data["number"], data["caller"]) == (DEAD.id, "+15****01", DEAD.caller)
    assert (data["fault"], data["ended_by"], data["silent"]) == ("job.died", "onhook", 0.7)
    assert data["ended_at"] == told["timestamp"] == "2027-01-15T08:00:00.000+00:00"
    assert headers["webhook-id"] == DEAD.id
    assert headers["webhook-timestamp"] == str(int(sender.now))
    given = CallWebhookSettings.of(receiver.url, SECRET)
    want = given.signed(DEAD.id, body, int(sender.now))["webhook-signature"]
    assert headers["webhook-signature"] == want
    await sender.step(3600.0)
    assert len(receiver.got) == 1, "it was taken"
    assert len(sender.queue) == 0


async def test_numbers_are_whole_where_that_is_allowed() -> None:
    told = json.loads(body_of(WELL, NumberMask(whole=True)))
    assert told["data"]["number"] == "+15550101"


async def test_while_secrets_change_each_signs(receiver: Receiver, tmp_path: Path) -> None:
    sender = Sender(receiver.url, tmp_path / "calls.db", f"{SECRET} {NEXT}")
    await sender.webhook.ended(WELL)
    await sender.step()
    signatures = receiver.got[0][0]["webhook-signature"].split(" ")
    assert len(signatures) == 2
    assert all(signature.startswith("v1,") for signature in signatures)
    await sender.webhook.aclose()


async def test_what_is_not_taken_comes_again_with_the_same_id(
    receiver: Receiver, sender: Sender
) -> None:
    receiver.answers = [500, 302, 404, 204]
    receiver.headers = {"Location": receiver.url}
    await sender.webhook.ended(WELL)
    await sender.step()
    await sender.step(1.0)
    assert len(receiver.got) == 1, "not at once"
    await sender.step(5.0)
    await sender.step(30.0)
    await sender.step(120.0)
    assert len(receiver.got) == 4, "no redirect is followed"
    assert {headers["webhook-id"] for headers, _ in receiver.got} == {WELL.id}
    assert (sender.webhook.delivered, sender.webhook.failed) == (1, 3)


async def test_a_receiver_may_ask_for_patience(receiver: Receiver, sender: Sender) -> None:
    receiver.answers, receiver.headers = [503, 204], {"Retry-After": "60"}
    await sender.webhook.ended(WELL)
    await sender.step()
    await sender.step(30.0)
    assert len(receiver.got) == 1
    await sender.step(31.0)
    assert len(receiver.got) == 2


async def test_after_a_day_it_is_given_up(
    receiver: Receiver, sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = [500]
    await sender.webhook.ended(WELL)
    for _ in range(40):
        await sender.step(3600.0)
    assert sender.webhook.given_up == 1
    assert len(sender.queue) == 0
    assert 5 < len(receiver.got) < 20
    assert "is given up: it answers 500" in caplog.text


async def test_a_restart_loses_nothing(receiver: Receiver, tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    receiver.answers = [500, 204]
    first = Sender(receiver.url, path)
    await first.webhook.ended(WELL)
    await first.step()
    await first.webhook.aclose()
    again = Sender(receiver.url, path)
    await again.webhook.ended(WELL)
    await again.step(100.0)
    assert len(receiver.got) == 2
    await again.webhook.aclose()


async def test_two_processes_send_it_once(receiver: Receiver, tmp_path: Path) -> None:
    one, two = (Sender(receiver.url, tmp_path / "calls.db") for _ in range(2))
    await one.webhook.ended(WELL)
    assert len(one.queue.due(one.now, 8)) == 1
    assert two.queue.due(two.now, 8) == []
    assert len(two.queue.due(two.now + 61.0, 8)) == 1, "who had it has died"
    for sender in (one, two):
        await sender.webhook.aclose()


def test_the_queue_is_bounded(tmp_path: Path) -> None:
    queue = WebhookQueue(tmp_path / "calls.db", most=3)
    for n in range(5):
        queue.put(f"RM_{n}", b"{}")
    assert len(queue) == 3
    queue.close()


async def test_nobody_there_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sender = Sender("http://127.0.0.1:1/x?token=abc", tmp_path / "calls.db")
    await sender.webhook.ended(WELL)
    await sender.step()
    assert "not reachable" in sender.webhook.status()["problem"]
    assert "abc" not in caplog.text
    assert len(sender.queue) == 1
    await sender.webhook.aclose()


@pytest.mark.parametrize(
    ("url", "secret", "why"),
    [
        ("https://example.com", "", "webhooks are signed"),
        ("https://example.com", "hunter22", "8 characters"),
        ("https://example.com", "whsec_c2hvcnQ=", "24 to 64 random bytes"),
        ("ftp://example.com", SECRET, "no address"),
        ("https://user:pw@example.com", SECRET, "without a name and password"),
        ("https://example.com:99999", SECRET, "no address"),
    ],
)
def test_what_cannot_be_used_is_refused_early(url: str, secret: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as caught:
        CallWebhookSettings.of(url, secret)
    assert not secret or secret not in str(caught.value)


def test_the_environment_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONHOOK_WEBHOOK_URL", raising=False)
    assert CallWebhookSettings.from_env() is None
    monkeypatch.setenv("ONHOOK_WEBHOOK_URL", "https://example.com/calls")
    monkeypatch.setenv("ONHOOK_WEBHOOK_SECRET", SECRET)
    given = CallWebhookSettings.from_env()
    assert given is not None
    assert SECRET not in repr(given)
