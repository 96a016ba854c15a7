"""One case under way: its phones, its agent's events and what was seen, on one clock."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from livekit import api, rtc
from livekit.protocol.models import ParticipantInfo

from tests.cases.case import Case
from tests.cases.connector_leg import ConnectorLeg
from tests.cases.layout import (
    Answer,
    Call,
    CallTimeoutError,
    Endpoint,
    Phone,
    PhoneError,
    ProviderFault,
    Route,
    Simulator,
    Stack,
)
from tests.line.bench import Worker

__all__ = ["AGAIN", "REQUEST", "RINGS", "Scene", "agent_name"]

REQUEST = "I would like a table for two please."
AGAIN = "Hello? Can you hear me? I said that I would like a table for two, this evening at eight."
RINGS = 60.0
_API = 10.0

_numbers = itertools.count(5553000)


@dataclass
class Scene:
    """One call under way.

    Args:
        case: What it is.
        stack: The servers.
        worker: Has the agent.
        simulator: The agent's provider.
        folder: For what the case leaves behind.
        starting: Held while an agent starts: several at once on two cores are late to greet.
        closing: What is undone at the end.
    """

    case: Case
    stack: Stack
    worker: Worker
    simulator: Simulator
    folder: Path
    starting: asyncio.Lock
    closing: contextlib.AsyncExitStack
    id: str = field(default_factory=lambda: f"c{next(_numbers)}")
    struck: float | None = None
    """The moment from which on seconds count; the answer without."""
    unseen: list[str] = field(default_factory=list)
    """What should have been seen of the call and was not."""
    room: str = ""
    control: bool = False
    """Whether the guards are switched off."""
    judged: Call | ConnectorLeg | None = None
    """The call that is judged, the first one of the case."""

    @property
    def agent(self) -> str:
        """The name under which the worker has registered."""
        return agent_name(self.worker.log.parent)

    @property
    def call(self) -> Call:
        """The call of the phone that is judged."""
        assert isinstance(self.judged, Call), "no phone has called"
        return self.judged

    # -- placing calls

    async def phone(self, *, rings: float = 0.0, number: str = "+15550199") -> Phone:
        """Open a phone, which answers after some seconds."""
        phone = Phone(number, answering=Answer(after=rings))
        return await self.closing.enter_async_context(phone)

    async def dial(self, *, answered: bool = True, **metadata: Any) -> Call:
        """Let a caller dial the agent."""
        number = f"+1{next(_numbers)}"
        phone = await self.phone()
        async with self.starting:
            route = Route(number, self.agent, json.dumps(self._metadata(metadata)))
            await self.stack.add_route(route, ringing=RINGS)
            assert self.stack.sip_address
            self.judged = call = await phone.dial(number, server=self.stack.sip_address)
            await self._entered()
        if answered:
            await call.answered(RINGS)
        return call

    async def dial_in(self, room: str, phone: Phone) -> Call:
        """Let somebody else's phone be called into a room, and answer."""
        trunk = await self.trunk(phone)
        async with self.api() as server, asyncio.timeout(RINGS):
            await server.sip.create_sip_participant(
                api.CreateSIPParticipantRequest(
                    sip_trunk_id=trunk,
                    sip_call_to=phone.number,
                    room_name=room,
                    participant_identity=f"second-{phone.number}",
                )
            )
        call = await phone.next_call(timeout=RINGS)
        await call.answered(RINGS)
        return call

    async def called(self, phone: Phone, **metadata: Any) -> Call:
        """Let the agent call a phone from a room of its own."""
        trunk = await self.trunk(phone)
        await self._dispatch(trunk=trunk, callee=phone.number, **metadata)
        self.judged = call = await phone.next_call(timeout=40)
        return call

    async def connects(self, network: str, **metadata: Any) -> ConnectorLeg:
        """Let a caller come by a connector, and an agent be sent to them."""
        await self._dispatch(**metadata)
        self.judged = leg = ConnectorLeg(self.room, network)
        await leg.join(self.stack.env)
        return leg

    async def _dispatch(self, **metadata: Any) -> None:
        """Send the agent to a room of its own."""
        request = api.CreateAgentDispatchRequest(
            agent_name=self.agent,
            room=f"own-{self.id}",
            metadata=json.dumps(self._metadata(metadata)),
        )
        async with self.starting:
            async with self.api() as server, asyncio.timeout(_API):
                await server.agent_dispatch.create_dispatch(request)
            await self._entered()

    async def trunk(self, phone: Phone) -> str:
        return await self.stack.add_outbound_trunk("{}:{}".format(*phone.address))

    def _metadata(self, more: dict[str, object]) -> dict[str, object]:
        base = {"id": self.id, "agent": self.case.agent, "provider": self.simulator.base_url}
        return {**base, **more}

    async def _entered(self) -> None:
        await self.event("entered")
        self.room = str((self.worker.event("entered", self.id) or {})["room"])

    # -- what the agent tells

    async def event(self, name: str, timeout: float = 30.0, *, count: int = 1) -> float:
        """Wait until the agent has told something so many times; return when it last did."""
        at = await self.worker.wait(name, self.id, deadline=timeout)
        if count == 1:
            return at
        async with asyncio.timeout(timeout):
            while len(found := self.worker.events_of(name, self.id)) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # jobs are other processes: their file is all we see
        return float(found[count - 1]["at"])

    def told(self, name: str) -> int:
        """Return how many times the agent has told something."""
        return len(self.worker.events_of(name, self.id))

    async def greeted(self, timeout: float = 30.0) -> float:
        at = await self.event("greeted", timeout)
        await asyncio.sleep(0.5)  # the last of it travels to the phone
        return at

    async def go(self) -> None:
        """Let the agent do what it waits to do."""
        async with self.api() as server, asyncio.timeout(_API):
            await server.room.send_data(
                api.SendDataRequest(room=self.room, data=b"go", kind=api.DataPacket.Kind.RELIABLE)
            )

    # -- what the caller does and hears

    def _line(self, call: Call | None) -> Call | ConnectorLeg:
        line = call or self.judged
        assert line is not None, "nobody has called"
        return line

    async def says(self, text: str = REQUEST, call: Call | None = None) -> float:
        """Let the caller speak; return when they have finished."""
        await self._line(call).say(text)
        return time.monotonic()

    async def hears(
        self,
        what: str,
        within: float = 8.0,
        *,
        after: float | None = None,
        call: Call | None = None,
    ) -> float | None:
        """See whether a new sound comes; return when."""
        begin = time.monotonic() if after is None else after
        try:
            return await self._line(call).heard_sound(begin, within, new=True)
        except PhoneError:
            self.unseen.append(what)
            return None

    async def stays(self, seconds: float, call: Call | None = None) -> bool:
        """Wait so long; return at once, with false, when the other side ends the call."""
        try:
            await self._line(call).ended(timeout=seconds)
        except CallTimeoutError:
            return True
        return False

    def see(self, what: str, seen: object) -> None:
        """Note what should be so and is not."""
        if not seen:
            self.unseen.append(what)

    def fail_next(self, endpoint: Endpoint, *faults: ProviderFault) -> None:
        self.simulator.fail_next(endpoint, *faults)

    # -- who else is there

    @contextlib.asynccontextmanager
    async def api(self) -> AsyncIterator[api.LiveKitAPI]:
        env = self.stack.env
        key, secret = env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"]
        async with api.LiveKitAPI(env["LIVEKIT_URL"], key, secret) as server:
            yield server

    async def people(self) -> list[ParticipantInfo]:
        async with self.api() as server, asyncio.timeout(_API):
            request = api.ListParticipantsRequest(room=self.room)
            return list((await server.room.list_participants(request)).participants)

    async def person(self, kind: int) -> ParticipantInfo:
        """Return who of a kind is in the room, the first of several."""
        return next(person for person in await self.people() if person.kind == kind)

    async def join(
        self,
        identity: str,
        *,
        kind: str = "standard",
        can_publish: bool = True,
        hidden: bool = False,
    ) -> rtc.Room:
        """Let somebody join the call's room, until the case is over."""
        env = self.stack.env
        grants = api.VideoGrants(
            room_join=True, room=self.room, can_publish=can_publish, hidden=hidden
        )
        token = (
            api.AccessToken(env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"])
            .with_identity(identity)
            .with_kind(kind)  # type: ignore[arg-type]
            .with_grants(grants)
            .to_jwt()
        )
        room = rtc.Room()
        async with asyncio.timeout(_API):
            await room.connect(env["LIVEKIT_URL"], token)
        self.closing.push_async_callback(room.disconnect)
        return room


def agent_name(folder: Path) -> str:
    """Return the name of the agents of a worker: no other worker of the stack has it."""
    return f"cases-{folder.name}"
