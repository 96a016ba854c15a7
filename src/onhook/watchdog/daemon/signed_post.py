"""Requests to a sentinel, signed with the API key as livekit-server signs its webhooks."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
from typing import TYPE_CHECKING

from onhook.livekit.credentials import Credentials

if TYPE_CHECKING:
    import aiohttp

__all__ = ["SentinelUnreachableError", "SignedPost"]

_TOKEN = dt.timedelta(seconds=60)
_TAKEN, _REFUSALS = range(200, 300), (401, 403)
"""HTTP statuses."""


class SentinelUnreachableError(Exception):
    """A request was not taken: why, in a few words that follow `the sentinel: `.

    Args:
        why: It.
        final: Whether the same request will never be taken: the sentinel has refused it as such.
    """

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


class SignedPost:
    """Posts bodies to one sentinel, each signed by its hash; no redirect is followed.

    Args:
        url: The sentinel's address.
        credentials: With key and secret.
    """

    def __init__(self, url: str, credentials: Credentials) -> None:
        self.url = url
        self._credentials = credentials
        self._session: aiohttp.ClientSession | None = None

    @property
    def can_sign(self) -> bool:
        """Whether there is a key to sign with; a token alone is none."""
        return bool(self._credentials.key and self._credentials.secret)

    async def post(self, path: str, body: bytes, timeout: float) -> None:
        """Send a body.

        Args:
            path: Where to, such as `/lease`.
            body: JSON.
            timeout: Seconds for all of it.

        Raises:
            SentinelUnreachableError: It was not taken, and why.
        """
        import aiohttp  # noqa: PLC0415 - loaded beside the loop, see `OutsideRescuer.prepare`

        headers = {
            "Authorization": f"Bearer {self._token(body)}",
            "Content-Type": "application/json",
        }
        if self._session is None:
            self._session = aiohttp.ClientSession()
        try:
            async with (
                asyncio.timeout(timeout),
                self._session.post(
                    f"{self.url}{path}", data=body, headers=headers, allow_redirects=False
                ) as answer,
            ):
                status = answer.status
        except TimeoutError:
            raise SentinelUnreachableError(f"it does not answer within {timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = f"it is not reachable ({type(error).__name__})"
            raise SentinelUnreachableError(why) from error
        if status not in _TAKEN:
            mend = ": does it have the same LIVEKIT_API_KEY and LIVEKIT_API_SECRET, and clock?"
            why = f"it answers {status}" + mend * (status in _REFUSALS)
            raise SentinelUnreachableError(why, final=status in (400, 413))

    async def aclose(self) -> None:
        """Close the connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _token(self, body: bytes) -> str:
        from livekit import api  # noqa: PLC0415 - loaded beside the loop

        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        token = api.AccessToken(self._credentials.key, self._credentials.secret)
        return token.with_sha256(digest).with_ttl(_TOKEN).to_jwt()
