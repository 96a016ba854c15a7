"""Records what a real livekit-server tells of some calls, and compares webhooks with the poll.

python -m tests.sentinel.record FILE.jsonl
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from livekit import api
from livekit.protocol.models import ParticipantInfo, Room
from starlette.types import Receive, Scope, Send

from onhook.bench.phone import Phone
from onhook.bench.stack import Route, Stack
from onhook.livekit import Credentials, ServerApi
from onhook.sentinel.sightings import (
    MemberGone,
    MemberSeen,
    MembersListed,
    RoomGone,
    RoomsListed,
    Sighting,
)
from onhook.sentinel.signals.budget import Budget
from onhook.sentinel.signals.leases import Leases
from onhook.sentinel.signals.poll import Poll
from onhook.sentinel.signals.receiver import Receiver
from onhook.sentinel.signals.serving import serve
from onhook.sentinel.signals.signed_bodies import SignedBodies, Token
from onhook.sentinel.signals.webhooks import Webhook, Webhooks
from tests.line.bench import Bench, phone_for, worker

BUDGET = 6_000
PERIOD = 0.5
LATE = 0.5
"""Seconds by which a webhook and a listing may differ: each is on its way for a while."""


SECRET = re.compile(r'(turnPassword\\?": ?\\?")[^"\\]*')
"""A room's password for TURN, which every webhook brings along."""


class Log:
    """Writes what is told, line by line, with the time."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")
        self._began = time.monotonic()

    def clock(self) -> float:
        return round(time.monotonic() - self._began, 4)

    def write(self, kind: str, **content: Any) -> None:
        line = json.dumps({"at": self.clock(), "kind": kind, **content})
        self._file.write(SECRET.sub(r"\1[masked]", line) + "\n")
        self._file.flush()

    def note(self, text: str) -> None:
        print(f"{self.clock():8.3f} {text}")  # noqa: T201 - a program
        self.write("note", text=text)


class RecordedWebhooks(Webhooks):
    """Writes each body that is believed."""

    def __init__(self, signed: SignedBodies, log: Log) -> None:
        super().__init__(signed)
        self._log = log

    def receive(self, token: Token, body: bytes) -> Webhook:
        webhook = super().receive(token, body)
        self._log.write("webhook", body=body.decode())
        return webhook


def _room(room: Room) -> dict[str, Any]:
    told = MessageToDict(room)
    told.pop("enabledCodecs", None)  # most of a listing, and always the same
    return told


class RecordedListings:
    """Writes each answer."""

    def __init__(self, server: ServerApi, log: Log) -> None:
        self._server = server
        self._log = log

    async def rooms(self) -> Sequence[Room]:
        asked = self._log.clock()
        rooms = await self._server.rooms()
        self._log.write("rooms", asked=asked, rooms=list(map(_room, rooms)))
        return rooms

    async def participants(self, room: str) -> Sequence[ParticipantInfo]:
        asked = self._log.clock()
        people = await self._server.participants(room)
        told = [MessageToDict(person) for person in people]
        self._log.write("members", asked=asked, room=room, participants=told)
        return people


class Comparison:
    """Follows who is there by webhooks, and by listings, each with the time of its last change."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.rooms: Sequence[str] = ()
        self._by_webhook: dict[str, dict[str, float]] = {}
        self._gone: dict[tuple[str, str], float] = {}
        self.agreed = 0
        self.differed: list[str] = []

    def take(self, sighting: Sighting) -> None:
        now = self._log.clock()
        match sighting:
            case RoomsListed():
                self.rooms = [room.room for room in sighting.rooms]
            case MemberSeen():
                self._by_webhook.setdefault(sighting.room, {})[sighting.member.sid] = now
            case MemberGone():
                self._by_webhook.get(sighting.room, {}).pop(sighting.sid, None)
                self._gone[sighting.room, sighting.sid] = now
            case RoomGone():
                for sid in self._by_webhook.pop(sighting.room, {}):
                    self._gone[sighting.room, sid] = now
            case MembersListed():
                self._compare(sighting)

    def _compare(self, listed: MembersListed) -> None:
        known = self._by_webhook.get(listed.room, {})
        settled = {sid for sid, since in known.items() if listed.asked - since > LATE}
        there = {m.sid: m for m in listed.members if m.sid}
        joined = self._log.clock()
        missing = settled - there.keys()
        more = {
            sid
            for sid in there.keys() - known.keys()
            if joined - self._gone.get((listed.room, sid), float("-inf")) > LATE
            and time.time() - there[sid].joined_at > LATE
        }
        if missing or more:
            text = f"{listed.asked}: {listed.room}: not listed {missing}, no webhook {more}"
            self.differed.append(text)
        else:
            self.agreed += 1


@contextlib.asynccontextmanager
async def recording(log: Log) -> AsyncIterator[tuple[Stack, Comparison, Receiver]]:
    """Run the servers and record what they tell."""
    comparison = Comparison(log)
    receivers: list[Receiver] = []  # its keys are known when the servers run, its port before

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receivers[0].app(scope, receive, send)

    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(app, "127.0.0.1", 0, started=port.set_result))
    async with Stack(webhooks=[f"http://127.0.0.1:{await port}/webhook"]) as stack:
        credentials = Credentials.from_env(stack.env)
        signed = SignedBodies({credentials.key: credentials.secret})
        receiver = Receiver(RecordedWebhooks(signed, log), Leases(signed), comparison.take)
        receivers.append(receiver)
        async with ServerApi(credentials, timeout=2.0) as server:
            poll = Poll(
                RecordedListings(server, log),
                comparison.take,
                lambda: comparison.rooms,
                Budget(BUDGET),
                period=PERIOD,
                clock=log.clock,
            )
            polling = asyncio.create_task(poll.run())
            try:
                yield stack, comparison, receiver
            finally:
                polling.cancel()
                await asyncio.gather(polling, return_exceptions=True)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def healthy(bench: Bench, log: Log, direction: str) -> None:
    async with phone_for(direction) as phone:
        log.note(f"{direction}: a call with an agent begins")
        call = await bench.place(direction, phone, bench.scenario("is_healthy", "off"))
        await call.answered(timeout=20)
        await asyncio.sleep(5)
        log.note(f"{direction}: the caller hangs up")
        await call.hang_up()


async def nobody(bench: Bench, log: Log) -> None:
    number = "+15550199"
    await bench.stack.add_route(Route(number, "no-such-agent"))
    assert bench.stack.sip_address
    async with Phone() as phone:
        log.note("a caller rings, and no worker is registered")
        call = await phone.dial(number, server=bench.stack.sip_address)
        await asyncio.sleep(14)
        log.note("the caller who rang gives up")
        await call.cancel()


async def killed(bench: Bench, log: Log) -> None:
    async with phone_for("inbound") as phone:
        scenario = bench.scenario("is_killed", "off")
        call = await bench.call_in(phone, scenario)
        await bench.struck(scenario)
        log.note("an agent's process was killed in mid-call")
        await asyncio.sleep(36)
        log.note("the caller who was left alone hangs up")
        await call.hang_up()


async def hold(bench: Bench, log: Log) -> None:
    """Hold the calls side by side: their webhooks come between each other's."""
    calls = (
        killed(bench, log),
        healthy(bench, log, "inbound"),
        nobody(bench, log),
        healthy(bench, log, "outbound"),
    )
    for done in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(done, BaseException):
            log.note(f"a call failed: {done!r}")


async def main(path: Path) -> None:
    log = Log(path)
    async with recording(log) as (stack, comparison, receiver):
        with tempfile.TemporaryDirectory(prefix="onhook-record-") as folder:
            async with worker(stack, Path(folder)) as running:
                bench = Bench(stack, running)
                await hold(bench, log)
                await asyncio.sleep(3)
                async with bench.api() as server:
                    for room in comparison.rooms:
                        await server.room.delete_room(api.DeleteRoomRequest(room=room))
                await asyncio.sleep(2)
    counts = {source: dict(r.counts) for source, r in receiver.refused.items()}
    print(f"webhooks {dict(receiver.events)}, refused {counts}")  # noqa: T201
    print(f"listings: {comparison.agreed} agree, {len(comparison.differed)} differ")  # noqa: T201
    print("\n".join(comparison.differed))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
