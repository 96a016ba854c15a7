"""Requests to LiveKit's API of which everything is kept that tells what is wrong with it.

`ServerApi` turns answers into errors for a rescue. Here the answer itself is the subject: its
status, the server's own words, the clock in its header.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import ssl
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import aiohttp
from google.protobuf.message import DecodeError, Message
from livekit import api

from onhook.closing import Closing
from onhook.livekit.credentials import Credentials
from onhook.redaction import bounded

__all__ = ["Answer", "ApiProbe", "Outcome"]

M = TypeVar("M", bound=Message)

_LARGEST = 8 * 1024 * 1024
"""Bytes of an answer; a trunk has some hundred."""
_WORDS = 300
"""Characters of the server's own words that are kept."""
_HTTP = {"ws": "http", "wss": "https"}


class Outcome(StrEnum):
    """What became of a request."""

    DONE = "done"
    REFUSED = "refused"
    """With this key or token: no."""
    REJECTED = "rejected"
    """The key was taken; the request itself was not."""
    FAILED = "failed"
    """The server has an error of its own."""
    NO_LIVEKIT = "no livekit"
    """What answered is none."""
    UNREACHABLE = "unreachable"
    UNKNOWN_HOST = "unknown host"
    BAD_CERTIFICATE = "bad certificate"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Answer(Generic[M]):
    """What a request brought.

    Args:
        outcome: What became of it.
        words: The server's, or the library's, without secrets.
        message: What the server told, where it was done.
        code: The code of Twirp's error.
        skew: Seconds by which this machine's clock is ahead of the server's; `None` where the
            answer had no time.
        seconds: How long it took.
    """

    outcome: Outcome
    words: str = ""
    message: M | None = None
    code: str = ""
    skew: float | None = None
    seconds: float = 0.0

    @property
    def permitted(self) -> bool | None:
        """Whether the key allows it; `None` where that is not known."""
        match self.outcome:
            case Outcome.DONE | Outcome.REJECTED:
                return True
            case Outcome.REFUSED:
                return False
        return None


class ApiProbe(Closing):
    """Sends requests that change nothing.

    Args:
        credentials: Server and key.
        timeout: Seconds for one request.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        timeout: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        parts = urlsplit(credentials.url)
        scheme = _HTTP.get(parts.scheme, parts.scheme)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        port = f":{parts.port}" if parts.port else ""
        self.address = f"{scheme}://{host}{port}{parts.path.rstrip('/')}"
        """Where requests go, without a user or a query."""
        self._credentials = credentials
        self._timeout = timeout
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close the connections; safe to repeat."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def ask(
        self,
        method: str,
        request: Message,
        kind: type[M],
        *,
        video: api.VideoGrants | None = None,
        sip: api.SIPGrants | None = None,
    ) -> Answer[M]:
        """Send a request, and keep what comes of it; nothing is raised.

        Args:
            method: `Service/Method`.
            request: What to send.
            kind: What is told where it is done.
            video: What the token allows; a token of the environment allows what it does.
            sip: The same for SIP.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._sent(method, request, kind, self._token(video, sip))
        except TimeoutError:
            answer = Answer(Outcome.TIMEOUT, f"no answer within {self._timeout:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            answer = Answer(_outcome_of(error), bounded(str(error), _WORDS))
        return _timed(answer, time.monotonic() - began)

    def _token(self, video: api.VideoGrants | None, sip: api.SIPGrants | None) -> str:
        if not self._credentials.key:
            return self._credentials.token
        token = api.AccessToken(self._credentials.key, self._credentials.secret)
        if video is not None:
            token = token.with_grants(video)
        if sip is not None:
            token = token.with_sip_grants(sip)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyJWT's, of a short secret: that has its own finding
            return token.to_jwt()

    async def _sent(self, method: str, request: Message, kind: type[M], token: str) -> Answer[M]:
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=True)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/protobuf"}
        sent = self._clock()
        async with self._session.post(
            f"{self.address}/twirp/livekit.{method}",
            data=request.SerializeToString(),
            headers=headers,
            allow_redirects=False,
        ) as response:
            body = await _read(response)
            skew = self._skew(response.headers.get("Date", ""), sent)
            return _judged(response.status, response.content_type, body, kind, skew)

    def _skew(self, date: str, sent: float) -> float | None:
        """Return by how much a time of whole seconds lies outside the request's own time."""
        try:
            told = email.utils.parsedate_to_datetime(date).timestamp()
        except (ValueError, TypeError):
            return None
        ahead, behind = sent - (told + 1.0), told - self._clock()
        return max(0.0, ahead) - max(0.0, behind)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LARGEST:
            raise ValueError(f"its answer is longer than {_LARGEST} bytes")
    return body


def _judged(status: int, content: str, body: bytes, kind: type[M], skew: float | None) -> Answer[M]:
    """Say what an answer means (Twirp's wire protocol, and livekit-server's `service/auth.go`)."""
    if status == 200:
        try:
            if content != "application/protobuf":
                raise DecodeError(f"it is {content}")  # noqa: TRY301 - one way to tell
            return Answer(Outcome.DONE, message=kind.FromString(body), skew=skew)
        except DecodeError as error:
            return Answer(Outcome.NO_LIVEKIT, f"it answered 200, and {error}", skew=skew)
    code, words = _error(body)
    told = bounded(words or f"it answered {status}", _WORDS)
    if status in (401, 403) or code in ("unauthenticated", "permission_denied"):
        return Answer(Outcome.REFUSED, told, code=code, skew=skew)
    if code in ("bad_route", "") and status < 500:
        return Answer(Outcome.NO_LIVEKIT, f"it answered {status}", code=code, skew=skew)
    outcome = Outcome.FAILED if status >= 500 or status == 429 else Outcome.REJECTED
    return Answer(outcome, told, code=code, skew=skew)


def _error(body: bytes) -> tuple[str, str]:
    """Return code and words of an error; livekit-server refuses a key without a code."""
    text = body[: 4 * _WORDS].decode("utf-8", "replace")
    try:
        told = json.loads(body)
        return str(told.get("code", "")), str(told.get("msg") or told.get("error") or "")
    except (ValueError, AttributeError):
        return "", "" if text.lstrip().startswith("<") else text.strip()


def _outcome_of(error: BaseException) -> Outcome:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Outcome.UNKNOWN_HOST
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return Outcome.BAD_CERTIFICATE
    if isinstance(error, ValueError | aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
        return Outcome.NO_LIVEKIT
    return Outcome.UNREACHABLE


def _timed(answer: Answer[M], seconds: float) -> Answer[M]:
    return Answer(answer.outcome, answer.words, answer.message, answer.code, answer.skew, seconds)
