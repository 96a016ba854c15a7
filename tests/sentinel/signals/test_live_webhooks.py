"""Webhooks and polls of a real livekit-server."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from onhook.bench.stack import Stack
from onhook.call import LegKind
from onhook.livekit import Credentials, ServerApi
from onhook.sentinel.sightings import (
    MemberGone,
    MemberSeen,
    MembersListed,
    RoomGone,
    RoomSeen,
    RoomsListed,
    Sighting,
    TrackChanged,
)
from onhook.sentinel.signals.budget import Budget
from onhook.sentinel.signals.leases import Leases
from onhook.sentinel.signals.poll import Poll
from onhook.sentinel.signals.receiver import Receiver
from onhook.sentinel.signals.refusals import Reason
from onhook.sentinel.signals.serving import serve
from onhook.sentinel.signals.signed_bodies import SignedBodies
from onhook.sentinel.signals.webhooks import Webhooks
from tests.line.room_legs import connected, publish

pytestmark = pytest.mark.stack

ROOM = "call-live"


@dataclass
class Sightings:
    """What came, and when; refuses the first `failing`."""

    failing: int = 0
    seen: list[Sighting] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, sighting: Sighting) -> None:
        if self.failing:
            self.failing -= 1
            raise asyncio.QueueFull
        self.seen.append(sighting)
        self.changed.set()

    async def wait_for(self, holds: Callable[[Sighting], bool], *, seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while not any(map(holds, self.seen)):
                self.changed.clear()
                await self.changed.wait()


async def test_a_real_server_is_understood_by_webhook_and_by_poll() -> None:
    told, polled = Sightings(failing=1), Sightings()
    receivers: list[Receiver] = []

    async def ours(scope: Scope, receive: Receive, send: Send) -> None:
        await receivers[0].app(scope, receive, send)

    async def of_another_key(scope: Scope, receive: Receive, send: Send) -> None:
        await stranger.app(scope, receive, send)

    app = Starlette(routes=[Mount("/ours", ours), Mount("/theirs", of_another_key)])
    strange = SignedBodies({"APIother": "x" * 40})
    stranger = Receiver(Webhooks(strange), Leases(strange), told.take)

    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(app, "127.0.0.1", 0, started=port.set_result))
    base = f"http://127.0.0.1:{await port}"
    urls = [f"{base}/ours/webhook", f"{base}/theirs/webhook"]
    async with Stack(sip="off", webhooks=urls) as stack:
        credentials = Credentials.from_env(stack.env)
        signed = SignedBodies({credentials.key: credentials.secret})
        receiver = Receiver(Webhooks(signed), Leases(signed), told.take)
        receivers.append(receiver)
        async with ServerApi(credentials, timeout=2.0) as server:
            poll = Poll(server, polled.take, lambda: [ROOM], Budget(300))
            before = time.monotonic()
            async with connected(stack, ROOM, "sip_1", "sip") as room:
                await told.wait_for(lambda s: isinstance(s, RoomSeen))
                again_after = time.monotonic() - before
                await publish(room)
                await told.wait_for(lambda s: isinstance(s, TrackChanged))
                assert await poll.once()
            await told.wait_for(lambda s: isinstance(s, MemberGone))
            await server.delete_room(ROOM)
            await told.wait_for(lambda s: isinstance(s, RoomGone))
            assert await poll.once()
            async with asyncio.timeout(5):
                refused = stranger.refused["webhook"].counts
                while refused.total() < receiver.events.total():  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.02)
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving

    assert receiver.failed == 1
    assert again_after > 0.9, "what was answered 503 comes again after a second"
    assert {s: dict(r.counts) for s, r in receiver.refused.items()} == {
        "webhook": {},
        "lease": {},
        "report": {},
    }
    forged = {Reason.FORGED: receiver.events.total()}
    assert stranger.refused["webhook"].counts == forged, "what is answered 401 does not come again"
    first, here, later, gone = polled.seen
    assert isinstance(first, RoomsListed)
    assert isinstance(here, MembersListed)
    assert [r.room for r in first.rooms] == [ROOM]
    assert first.rooms[0].members in (0, 1)  # the server counts every 5 s
    (member,) = here.members
    assert (member.leg.kind, member.leg.audible) == (LegKind.CALLER, True)
    assert isinstance(later, RoomsListed)
    assert later.rooms == ()
    assert isinstance(gone, MembersListed)
    assert gone.members == ()
    sid = first.rooms[0].sid
    joined = next(s for s in told.seen if isinstance(s, MemberSeen))
    assert (joined.room, joined.room_sid, joined.member.sid) == (ROOM, sid, member.sid)
    assert joined.member.version <= member.version
    left = next(s for s in told.seen if isinstance(s, MemberGone))
    assert (left.sid, left.identity, left.reason) == (member.sid, "sip_1", "CLIENT_INITIATED")
    assert RoomGone(ROOM, sid) in told.seen
