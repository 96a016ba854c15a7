"""The server API under deadlines. livekit-api 1.2 has no default time-out of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

import aiohttp
from livekit import api
from livekit.protocol.models import ParticipantInfo, Room

from onhook.closing import Closing
from onhook.errors import ApiError
from onhook.line import Dispatch
from onhook.livekit.credentials import Credentials
from onhook.livekit.framework.job_attributes import attributes_of, give_attributes

__all__ = ["EXHAUSTED", "REFUSED", "ServerApi"]

T = TypeVar("T")

_NOT_FOUND, _UNKNOWN = "not_found", "unknown"
REFUSED = ("unauthenticated", "permission_denied")
"""Codes of an answer that says: not with this key."""
_TOO_MANY_REQUESTS = 429
EXHAUSTED = "resource_exhausted"
"""Code of an answer that says: too many requests."""
_CODES = {401: REFUSED[0], 403: REFUSED[1], _TOO_MANY_REQUESTS: EXHAUSTED}
"""livekit-server 1.13 answers a wrong key with the bare status, and no code of Twirp's; so do
proxies that limit a rate."""
_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class ServerApi(Closing):
    """The few requests that a rescue needs, each with a deadline and a typed error.

    The connection is opened by the first request and closed by leaving the context: a healthy
    call costs nothing.

    Args:
        credentials: Server and key.
        timeout: Seconds for one request.
        asked: Called at each request, where somebody counts them.
    """

    def __init__(
        self, credentials: Credentials, *, timeout: float, asked: Callable[[], object] | None = None
    ) -> None:
        self._credentials = credentials
        self._asked = asked
        self._timeout = timeout
        self._client: api.LiveKitAPI | None = None

    async def aclose(self) -> None:
        """Close the connection; safe to repeat."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def rooms(self) -> Sequence[Room]:
        """List all rooms there are.

        Raises:
            ApiError: The request failed; needs the grant `roomList`.
        """
        what = "could not list the rooms"
        listing = await self._send(
            what, "roomList", lambda client: client.room.list_rooms(api.ListRoomsRequest())
        )
        if listing is None:  # nobody may take that for an empty list
            raise ApiError(
                f"{what}: {self._credentials.url} knows of no such list: is it a LiveKit server?",
                code=_NOT_FOUND,
                passing=False,
            )
        return tuple(listing.rooms)

    async def trunk_numbers(self) -> frozenset[str]:
        """List the numbers of all SIP trunks, of calls that come in and of those that are made.

        Raises:
            ApiError: A request failed; needs the grant `sip.admin`.
        """
        what, grant = "could not list the SIP trunks", "sip.admin"
        inbound = await self._send(
            what,
            grant,
            lambda client: client.sip.list_inbound_trunk(api.ListSIPInboundTrunkRequest()),
        )
        outbound = await self._send(
            what,
            grant,
            lambda client: client.sip.list_outbound_trunk(api.ListSIPOutboundTrunkRequest()),
        )
        listed = (*(inbound.items if inbound else ()), *(outbound.items if outbound else ()))
        return frozenset(number for trunk in listed for number in trunk.numbers)

    async def participants(self, room: str) -> Sequence[ParticipantInfo]:
        """List who is in a room. A room that does not exist has nobody in it.

        Raises:
            ApiError: The request failed; needs the grant `roomAdmin` for the room.
        """
        listing = await self.request(
            "list the participants of",
            room,
            "roomAdmin",
            lambda client: client.room.list_participants(api.ListParticipantsRequest(room=room)),
        )
        return () if listing is None else tuple(listing.participants)

    async def remove(self, room: str, identity: str) -> None:
        """Remove one participant; one that is gone already is success.

        Raises:
            ApiError: The request failed; needs the grant `roomAdmin` for the room.
        """
        await self.request(
            f"remove {identity!r} from",
            room,
            "roomAdmin",
            lambda client: client.room.remove_participant(
                api.RoomParticipantIdentity(room=room, identity=identity)
            ),
        )

    async def mark(self, room: str, identity: str, attribute: str, value: str) -> None:
        """Set an attribute of a participant; one that is gone already is success.

        Raises:
            ApiError: The request failed; needs the grant `roomAdmin` for the room.
        """
        request = api.UpdateParticipantRequest(
            room=room, identity=identity, attributes={attribute: value}
        )
        await self.request(
            f"mark {identity!r} in",
            room,
            "roomAdmin",
            lambda client: client.room.update_participant(request),
        )

    async def delete_room(self, room: str) -> None:
        """Delete a room; one that is gone already is success.

        Raises:
            ApiError: The request failed; needs the grant `roomCreate`.
        """
        await self.request(
            "delete",
            room,
            "roomCreate",
            lambda client: client.room.delete_room(api.DeleteRoomRequest(room=room)),
        )

    async def dispatches(self, room: str) -> Sequence[Dispatch]:
        """List the agents that were sent to a room. A room that does not exist has none.

        Raises:
            ApiError: The request failed; needs the grant `roomAdmin` for the room.
        """
        listing = await self.request(
            "list the dispatches of",
            room,
            "roomAdmin",
            lambda client: client.agent_dispatch.list_dispatch(room),
        )
        return tuple(
            Dispatch(
                sent.id,
                sent.agent_name,
                sent.metadata,
                tuple(job.id for job in sent.state.jobs),
                tuple(
                    job.state.participant_identity
                    for job in sent.state.jobs
                    if job.state.participant_identity
                ),
                attributes_of(sent),
                sent.state.created_at / 1e9,
            )
            for sent in listing or ()
        )

    async def create_dispatch(
        self,
        room: str,
        agent_name: str,
        metadata: str,
        attributes: Mapping[str, str] = _NO_ATTRIBUTES,
    ) -> str:
        """Send an agent to a room; return the dispatch's id. Creates the room where there is none.

        Args:
            room: Room name.
            agent_name: The name under which the agent's worker is registered.
            metadata: Metadata of the job.
            attributes: Attributes of the job; left out with a livekit-protocol that knows none.

        Raises:
            ApiError: The request failed; needs the grant `roomAdmin` for the room.
        """
        request = api.CreateAgentDispatchRequest(
            room=room, agent_name=agent_name, metadata=metadata
        )
        give_attributes(request, attributes)
        made = await self.request(
            f"dispatch {agent_name!r} to",
            room,
            "roomAdmin",
            lambda client: client.agent_dispatch.create_dispatch(request),
        )
        if made is None:
            raise ApiError(f"room {room!r} does not exist", code=_NOT_FOUND, passing=False)
        return made.id

    async def delete_dispatch(self, room: str, dispatch: str) -> None:
        """Take a dispatch back, and end its jobs; one that is gone already is success.

        Raises:
            ApiError: The request failed; needs the grant `roomAdmin` for the room.
        """
        await self.request(
            f"take back dispatch {dispatch!r} to",
            room,
            "roomAdmin",
            lambda client: client.agent_dispatch.delete_dispatch(dispatch, room),
        )

    async def request(
        self,
        verb: str,
        room: str,
        grant: str,
        send: Callable[[api.LiveKitAPI], Awaitable[T]],
        *,
        timeout: float | None = None,
    ) -> T | None:
        """Send one request; `None` means that what it was about does not exist.

        Args:
            verb: What is done to the room, for the message: `"delete"`.
            room: Room name.
            grant: What the key must allow.
            send: Sends it.
            timeout: Seconds for this one, where it may take longer than others.

        Raises:
            ApiError: It failed, or took too long.
        """
        return await self._send(f"could not {verb} room {room!r}", grant, send, timeout=timeout)

    async def _send(
        self,
        what: str,
        grant: str,
        send: Callable[[api.LiveKitAPI], Awaitable[T]],
        *,
        timeout: float | None = None,
    ) -> T | None:
        limit = self._timeout if timeout is None else timeout
        if self._asked is not None:
            self._asked()
        try:
            async with asyncio.timeout(limit):
                return await send(self._connected())
        except TimeoutError as error:
            raise ApiError(
                f"{what}: no answer within {limit:g} s from {self._credentials.url}",
                code="timeout",
                passing=True,
            ) from error
        except api.ServerError as error:
            if error.code == _NOT_FOUND:
                return None
            raise _refusal(what, grant, error) from error
        except (aiohttp.ClientError, OSError) as error:
            raise ApiError(
                f"{what}: {self._credentials.url} is not reachable ({error})",
                code="transport",
                passing=True,
            ) from error
        except Exception as error:  # an answer that is none: HTML or half a message, with 200
            raise ApiError(
                f"{what}: {self._credentials.url} answered what is no answer ({error!r}): "
                "is that a LiveKit server, and no proxy's page?",
                code="malformed",
                passing=True,
            ) from error

    def _connected(self) -> api.LiveKitAPI:
        if self._client is None:
            c = self._credentials
            self._client = (
                api.LiveKitAPI(c.url, token=c.token)
                if c.token and not c.key
                else api.LiveKitAPI(c.url, c.key, c.secret)
            )
        return self._client


def _refusal(what: str, grant: str, error: api.ServerError) -> ApiError:
    passing = error.status >= 500 or error.status == _TOO_MANY_REQUESTS
    code = _CODES.get(error.status, error.code) if error.code == _UNKNOWN else error.code
    mend = ""
    if code in REFUSED:
        mend = (
            f". The key or token is wrong or lacks the grant {grant!r}: "
            "check LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
        )
    return ApiError(
        f"{what}: the server answered {error.status} {code} ({error.message}){mend}",
        code=code,
        passing=passing,
    )
