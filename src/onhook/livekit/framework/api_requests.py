"""The client by which livekit-api sends all its requests (`livekit/api/twirp_client.py`)."""

from __future__ import annotations

from types import FrameType
from typing import Any

import aiohttp
from livekit import api
from livekit.api import twirp_client
from livekit.protocol.room import PerformRpcRequest, PerformRpcResponse

from onhook.livekit.framework.versions import tell_once

__all__ = ["is_answered", "perform_rpc", "transfer_asked"]

_CLIENT: Any = getattr(twirp_client, "TwirpClient", None)
_REQUEST: Any = getattr(_CLIENT, "request", None)


async def perform_rpc(
    session: aiohttp.ClientSession, url: str, token: str, request: PerformRpcRequest
) -> PerformRpcResponse:
    """Call a method of a participant; livekit-api 1.2 has none for `RoomService.PerformRpc`.

    Args:
        session: Connections.
        url: The server's address.
        token: A token that may administer the room.
        request: Whom to call, and what.

    Raises:
        ServerError: The server refuses, or nobody has answered.
        Exception: Whatever else went wrong: the client is not the one that we know.
    """
    if _CLIENT is None:
        tell_once("TwirpClient", "no job can be asked whether it lives")
        raise NotImplementedError("this version of livekit-api has no TwirpClient")
    client = _CLIENT(session, url, "livekit", failover=False)
    headers = {"Authorization": f"Bearer {token}"}
    answer: PerformRpcResponse = await client.request(
        "RoomService", "PerformRpc", request, headers, PerformRpcResponse
    )
    return answer


def transfer_asked(frame: FrameType) -> api.TransferSIPParticipantRequest | None:
    """Return what a frame asks for, where it is a client's request to transfer a phone's leg.

    Every service of every `LiveKitAPI` sends by `TwirpClient.request(service, method, data, ...)`.

    Args:
        frame: The frame of a coroutine.
    """
    code = getattr(_REQUEST, "__code__", None)
    if code is None:
        tell_once("TwirpClient.request", "a transfer that still rings when its job ends is cut off")
    if frame.f_code is not code:
        return None
    asked = frame.f_locals.get("data")
    return asked if isinstance(asked, api.TransferSIPParticipantRequest) else None


def is_answered(frame: FrameType) -> bool:
    """Return whether a client's request got an answer, good or bad; never sure is taken for one.

    A frame that is held keeps its variables when its coroutine ends (CPython), and the response
    is one of them; a request that was given up or cancelled has none.

    Args:
        frame: A frame of which `transfer_asked` returned something.
    """
    kept = frame.f_locals
    return "data" not in kept or any(isinstance(v, aiohttp.ClientResponse) for v in kept.values())
