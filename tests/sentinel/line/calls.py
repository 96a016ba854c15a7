"""Calls to agents that know nothing of onhook, and what their callers had of them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from livekit import api

from onhook.bench.phone import Call, Phone
from onhook.bench.stack import Route, Stack
from tests.line.bench import Worker, next_number

_API = 5.0


@dataclass
class PlainCall:
    """One call, and the agent's side of it."""

    phone: Call
    stack: Stack
    worker: Worker | None
    scenario: str

    @property
    def room(self) -> str:
        assert self.worker is not None
        told = [self.worker.event(name, self.scenario) or {} for name in ("entered", "greeted")]
        return next(str(event["room"]) for event in told if "room" in event)

    async def greeted(self) -> float:
        """Wait until the agent has greeted."""
        assert self.worker is not None
        return await self.worker.wait("greeted", self.scenario)

    async def agents(self) -> list[str]:
        """Return the identities of the agents that the server lists."""
        async with server(self.stack) as client:
            asked = api.ListParticipantsRequest(room=self.room)
            listing = await client.room.list_participants(asked)
        agent = api.ParticipantInfo.Kind.AGENT
        return [p.identity for p in listing.participants if p.kind == agent]

    async def tell(self, how: str) -> float:
        """Let the agent fail; return when it did."""
        assert self.worker is not None
        async with server(self.stack) as client:
            await client.room.send_data(api.SendDataRequest(room=self.room, data=how.encode()))
        return await self.worker.wait("fault", self.scenario)


@contextlib.asynccontextmanager
async def server(stack: Stack) -> AsyncIterator[api.LiveKitAPI]:
    env = stack.env
    async with api.LiveKitAPI(
        env["LIVEKIT_URL"], env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"]
    ) as client:
        yield client


@contextlib.asynccontextmanager
async def call_to(
    stack: Stack,
    worker: Worker | None,
    name: str,
    *,
    agent: str = "plain",
    number: str = "",
    **scenario: Any,
) -> AsyncIterator[PlainCall]:
    """Dial a number that rings at an agent, as long as it takes."""
    number = number or next_number()
    metadata = json.dumps({"id": name, **scenario})
    await stack.add_route(Route(number, agent, metadata), ringing=180.0)
    assert stack.sip_address
    async with Phone() as phone:
        call = await phone.dial(number, server=stack.sip_address)
        yield PlainCall(call, stack, worker, name)
