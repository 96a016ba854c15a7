"""How many webhooks one core verifies and decodes; printed, since it is the machine's figure."""

from __future__ import annotations

import time

from onhook.sentinel.signals.signed_bodies import SignedBodies
from onhook.sentinel.signals.webhooks import Webhooks
from tests.sentinel.signals.events import KEY, SECRET, event, signed

COUNT = 1_000


def test_webhooks_a_second() -> None:
    bodies = [event("participant_joined", number) for number in range(COUNT)]
    headers = [signed(body) for body in bodies]
    webhooks = Webhooks(SignedBodies({KEY: SECRET}))
    before = time.process_time()
    told = sum(
        len(webhooks.receive(webhooks.token(header), body).sightings)
        for header, body in zip(headers, bodies, strict=True)
    )
    took = time.process_time() - before
    print(f"\n{COUNT / took:,.0f} webhooks/s on one core, {took / COUNT * 1e6:.0f} us each")  # noqa: T201
    assert told == 2 * COUNT
