"""Which number rings where: trunks and dispatch rules, made through the server's API."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

import aiohttp
from google.protobuf.duration_pb2 import Duration
from livekit import api

from onhook.bench.stack.stack_errors import StackError

__all__ = ["CATCH_ALL", "Route", "Router"]

T = TypeVar("T")

CATCH_ALL = "catch-all"
_NUMBER = re.compile(r"[A-Za-z0-9+*#._-]{1,64}")
_DEADLINE = 10.0
_LONGEST_CALL = 4 * 3600
"""Seconds; longer than any call of a test."""


@dataclass(frozen=True, slots=True)
class Route:
    """A number that rings at an agent.

    Args:
        number: The number that is dialled.
        agent: The agent's name (`agent_name` of its `rtc_session`).
        metadata: Metadata of the job.

    Raises:
        StackError: The number cannot be dialled, or there is no agent.
    """

    number: str
    agent: str
    metadata: str = ""

    def __post_init__(self) -> None:
        if not _NUMBER.fullmatch(self.number):
            raise StackError(
                f"{self.number!r} is no number that can be dialled: give digits, or letters, and "
                "+ * # . _ -, as in '+15550100'"
            )
        if not self.agent.strip():
            raise StackError(
                f"number {self.number} has no agent: give the agent_name of its rtc_session"
            )


class Router:
    """Makes trunks and rules on one server.

    Args:
        url: The server.
        key: API key.
        secret: API secret.
    """

    def __init__(self, url: str, key: str, secret: str) -> None:
        self._access = (url, key, secret)

    async def ready(self) -> bool:
        """Return whether the server's API answers."""
        try:
            async with self._client() as client, asyncio.timeout(_DEADLINE):
                await client.room.list_rooms(api.ListRoomsRequest())
        except (api.ServerError, aiohttp.ClientError):
            return False
        return True

    async def catch_all(self, *, ringing: float) -> None:
        """Give every number that has no route a final response.

        Without a rule livekit-sip drops such a call without an answer, and the caller hears it ring
        until their carrier gives up. A rule without an agent ends it at the ringing time-out.

        Args:
            ringing: Seconds until the final response.
        """
        trunk = await self._trunk(CATCH_ALL, [], ringing)
        await self._rule(CATCH_ALL, trunk, [])

    async def add(self, route: Route, *, ringing: float) -> None:
        """Make the trunk and the rule of a route.

        Args:
            route: The number and its agent.
            ringing: Seconds that an unanswered call rings.
        """
        trunk = await self._trunk(route.number, [route.number], ringing)
        agent = api.RoomAgentDispatch(agent_name=route.agent, metadata=route.metadata)
        await self._rule(route.number, trunk, [agent])

    async def outbound(self, address: str, number: str) -> str:
        """Make a trunk for outbound calls.

        Args:
            address: `HOST:PORT` of the callee's side.
            number: The number that calls come from.

        Returns:
            The trunk's id.
        """
        info = api.SIPOutboundTrunkInfo(
            name=f"to {address}",
            address=address,
            numbers=[number],
            transport=api.SIPTransport.SIP_TRANSPORT_UDP,
        )
        async with self._client() as client:
            made = await self._ask(
                client.sip.create_outbound_trunk(api.CreateSIPOutboundTrunkRequest(trunk=info))
            )
        return made.sip_trunk_id

    async def _trunk(self, name: str, numbers: list[str], ringing: float) -> str:
        info = api.SIPInboundTrunkInfo(
            name=name,
            numbers=numbers,
            allowed_addresses=["127.0.0.0/8"],
            ringing_timeout=Duration(seconds=round(ringing)),
            max_call_duration=Duration(seconds=_LONGEST_CALL),
        )
        async with self._client() as client:
            made = await self._ask(
                client.sip.create_inbound_trunk(api.CreateSIPInboundTrunkRequest(trunk=info))
            )
        return made.sip_trunk_id

    async def _rule(self, name: str, trunk: str, agents: list[api.RoomAgentDispatch]) -> None:
        individual = api.SIPDispatchRuleIndividual(room_prefix="call-")
        info = api.SIPDispatchRuleInfo(
            name=name,
            trunk_ids=[trunk],
            rule=api.SIPDispatchRule(dispatch_rule_individual=individual),
            room_config=api.RoomConfiguration(agents=agents),
        )
        async with self._client() as client:
            await self._ask(
                client.sip.create_dispatch_rule(
                    api.CreateSIPDispatchRuleRequest(dispatch_rule=info)
                )
            )

    def _client(self) -> api.LiveKitAPI:
        return api.LiveKitAPI(*self._access)

    async def _ask(self, request: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(_DEADLINE):
                return await request
        except (TimeoutError, api.ServerError, aiohttp.ClientError) as error:
            raise StackError(f"livekit-server refused a trunk or a rule: {error!r}") from error
