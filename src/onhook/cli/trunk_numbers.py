"""The numbers of the project's own trunks, to which no caller is to be sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from onhook.errors import ApiError

if TYPE_CHECKING:
    from onhook.livekit import Credentials

__all__ = ["trunk_numbers"]


def trunk_numbers(
    credentials: Credentials, timeout: float = 5.0
) -> tuple[frozenset[str] | None, str]:
    """Ask the server; return the numbers, or `None` and why they are not known.

    Args:
        credentials: Server and key.
        timeout: Seconds for each of two requests.
    """
    from onhook.livekit import ServerApi  # noqa: PLC0415 - loads livekit-api

    async def ask() -> frozenset[str]:
        async with ServerApi(credentials, timeout=timeout) as server:
            return await server.trunk_numbers()

    try:
        return asyncio.run(ask()), ""
    except ApiError as error:
        return None, str(error)
