"""A real server to plant mistakes on, and the doctor that looks at it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from google.protobuf.duration_pb2 import Duration
from livekit import api

from onhook.bench.stack import Stack
from onhook.doctor.examination import Examination, Order
from onhook.doctor.findings import Report

AGENT = "front-desk"
LOOPBACK = ("127.0.0.0/8",)


@dataclass
class Bench:
    """The stack, and what is planted on it.

    Args:
        stack: The servers.
        webhook: The port that the server sends its webhooks to.
    """

    stack: Stack
    webhook: int
    made: list[tuple[str, str]] = field(default_factory=list)

    @property
    def sound(self) -> Order:
        """Look at everything that can be looked at without a call."""
        return Order(sip=self.stack.sip_address or "", webhook=("127.0.0.1", self.webhook))

    async def examined(
        self,
        order: Order | None = None,
        env: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> Report:
        """Return what the doctor finds."""
        given = {**os.environ, **self.stack.env, **(env or {})}
        return await Examination(order or self.sound, env=given, clock=clock).report()

    def client(self) -> api.LiveKitAPI:
        env = self.stack.env
        return api.LiveKitAPI(env["LIVEKIT_URL"], env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"])

    async def trunk(self, **given: Any) -> str:
        """Make a sound inbound trunk, but for what is given."""
        sound: dict[str, Any] = {
            "name": "planted",
            "numbers": ["+15550123"],
            "allowed_addresses": LOOPBACK,
            "ringing_timeout": Duration(seconds=20),
            "max_call_duration": Duration(seconds=3600),
        }
        info = api.SIPInboundTrunkInfo(**{**sound, **given})
        async with self.client() as client:
            made = await client.sip.create_inbound_trunk(
                api.CreateSIPInboundTrunkRequest(trunk=info)
            )
        self.made.append(("trunk", made.sip_trunk_id))
        return made.sip_trunk_id

    async def outbound(self, **given: Any) -> str:
        """Make a sound outbound trunk, but for what is given."""
        sound: dict[str, Any] = {
            "name": "planted",
            "numbers": ["+15550199"],
            "address": "127.0.0.1:5060",
        }
        info = api.SIPOutboundTrunkInfo(**{**sound, **given})
        async with self.client() as client:
            made = await client.sip.create_outbound_trunk(
                api.CreateSIPOutboundTrunkRequest(trunk=info)
            )
        self.made.append(("trunk", made.sip_trunk_id))
        return made.sip_trunk_id

    async def rule(self, trunk: str, *agents: str, **given: Any) -> str:
        """Make a sound rule, but for what is given."""
        individual = api.SIPDispatchRuleIndividual(room_prefix="call-")
        config = api.RoomConfiguration(
            agents=[api.RoomAgentDispatch(agent_name=name) for name in agents or (AGENT,)]
        )
        sound: dict[str, Any] = {
            "name": "planted",
            "trunk_ids": [trunk] if trunk else [],
            "rule": api.SIPDispatchRule(dispatch_rule_individual=individual),
            "room_config": config,
        }
        info = api.SIPDispatchRuleInfo(**{**sound, **given})
        return await self.rule_of(api.CreateSIPDispatchRuleRequest(dispatch_rule=info))

    async def rule_of(self, request: api.CreateSIPDispatchRuleRequest) -> str:
        async with self.client() as client:
            made = await client.sip.create_dispatch_rule(request)
        self.made.append(("rule", made.sip_dispatch_rule_id))
        return made.sip_dispatch_rule_id

    async def clear(self) -> None:
        """Take away what was planted."""
        async with self.client() as client:
            while self.made:
                kind, key = self.made.pop()
                with contextlib.suppress(api.ServerError):
                    if kind == "rule":
                        await client.sip.delete_dispatch_rule(
                            api.DeleteSIPDispatchRuleRequest(sip_dispatch_rule_id=key)
                        )
                    else:
                        await client.sip.delete_trunk(api.DeleteSIPTrunkRequest(sip_trunk_id=key))

    async def everything(self) -> tuple[str, ...]:
        """Return all that the server holds, to compare."""
        async with self.client() as client:
            inbound = await client.sip.list_inbound_trunk(api.ListSIPInboundTrunkRequest())
            outbound = await client.sip.list_outbound_trunk(api.ListSIPOutboundTrunkRequest())
            rules = await client.sip.list_dispatch_rule(api.ListSIPDispatchRuleRequest())
            rooms = await client.room.list_rooms(api.ListRoomsRequest())
        return tuple(map(str, (inbound, outbound, rules, rooms)))


def changed(order: Order, **given: Any) -> Order:
    return dataclasses.replace(order, **given)


@contextlib.asynccontextmanager
async def sip_peer(allow: str) -> AsyncIterator[str]:
    """Answer OPTIONS as a carrier does, with these methods in its Allow."""

    class Peer(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
            kept = (b"Via", b"From", b"To", b"Call-ID", b"CSeq")
            lines = [line for line in data.split(b"\r\n") if line.startswith(kept)]
            head = [b"SIP/2.0 200 OK", *lines, b"Allow: " + allow.encode(), b"Content-Length: 0"]
            transport = cast("asyncio.DatagramTransport", self.transport)
            transport.sendto(b"\r\n".join([*head, b"", b""]), address)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Peer, local_addr=("127.0.0.1", 0))
    try:
        yield "{}:{}".format(*transport.get_extra_info("sockname"))
    finally:
        transport.close()


def closed_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port at which nobody listens now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
