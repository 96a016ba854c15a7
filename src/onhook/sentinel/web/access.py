"""Who may see the page, and what a request must carry that changes something.

With a token: a signed cookie, given for the token by the login form, or `Authorization: Bearer` for
programs. Without one: whoever is on this machine, where the sentinel listens on loopback alone.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from onhook.sentinel.web.wrong_tokens import WrongTokens

__all__ = ["Access", "Refusal", "RefusedVisitError", "Visitor"]

_COOKIE = "onhook_session"
_LIFE = 12 * 3600
"""Seconds for which a login counts."""
_LONGEST_COOKIE = 200
_PROXIED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""What a proxy adds: its own address is loopback, its client's is not."""


class Refusal(StrEnum):
    """Why a request is refused; the text is for the person who sent it."""

    OFF = "The page is off: this sentinel has no token, and does not listen on loopback alone."
    ELSEWHERE = "Without a token the page is for this machine alone."
    HOST = "Without a token the page is served under the name localhost or 127.0.0.1 alone."
    LOGIN = "A token is needed."
    WRONG = "That is not the token."
    LIMITED = "There were too many wrong tokens from this address."
    FORGED = "This request did not come from the page itself, so nothing was done."


class RefusedVisitError(Exception):
    """A request that is refused.

    Args:
        refusal: Why.
        wait: Seconds after which it may be sent again; 0 where that makes no difference.
    """

    def __init__(self, refusal: Refusal, wait: float = 0.0) -> None:
        super().__init__(refusal)
        self.refusal = refusal
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever sent a request that is let in.

    Args:
        nonce: Random, one for each login; empty for a program that gave the token itself.
        until: When the login ends, in seconds since 1970.
        csrf: What a form must carry.
        new: Whether its cookie must be set.
    """

    nonce: str
    until: float
    csrf: str
    new: bool = False

    @property
    def program(self) -> bool:
        """Whether it gave the token in a header, which no other site's page can make it do."""
        return not self.nonce


class Access:
    """Lets requests in or refuses them.

    Args:
        token: What must be known; empty for none.
        wall: Seconds since 1970.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        token: str,
        *,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._digest = _digest(token) if token else b""
        self.local = False
        """Whether visitors without a token are let in where they are on this machine."""
        self._wall = wall
        # apart: a program with a wrong token keeps no person of the same address from logging in
        self._wrong_logins = WrongTokens(clock=clock)
        self._wrong_headers = WrongTokens(clock=clock)
        # the same in every sentinel with this token, and another one with another token
        key = token.encode() if token else secrets.token_bytes(32)
        self._key = hmac.digest(key, b"onhook sentinel page", "sha256")
        # browsers give cookies to every port of a host, where another sentinel may listen
        self.cookie = f"onhook_session_{self._signature('cookie', '')[:8]}" if token else _COOKIE
        """What its cookie is called."""

    @property
    def needs_token(self) -> bool:
        """Whether visitors must know a token."""
        return bool(self._digest)

    @property
    def off(self) -> bool:
        """Whether nobody is let in."""
        return not self._digest and not self.local

    def admit(self, request: HTTPConnection) -> Visitor:
        """Return who sent a request.

        Args:
            request: It.

        Raises:
            RefusedVisitError: It is not let in.
        """
        if self.off:
            raise RefusedVisitError(Refusal.OFF)
        if not self._digest:
            _require_local(request)
            return self._visitor(request) or self._begin()
        if "authorization" in request.headers:
            self.require_bearer(request)
            return Visitor("", self._wall() + _LIFE, "")
        visitor = self._visitor(request)
        if visitor is None:
            raise RefusedVisitError(Refusal.LOGIN)
        return visitor

    def require_bearer(self, request: HTTPConnection) -> None:
        """Refuse a program that does not bring the token; everything is let in without one.

        Args:
            request: Should have `Authorization: Bearer TOKEN`.

        Raises:
            RefusedVisitError: It has not, or too many had wrong ones.
        """
        if self._digest:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            given = token.strip() if scheme.lower() == "bearer" else ""
            self._require(request, given, self._wrong_headers)

    def login(self, request: HTTPConnection, token: str) -> Visitor:
        """Return a new visitor for a token that was given in the login form.

        Args:
            request: What brought it.
            token: It.

        Raises:
            RefusedVisitError: It is wrong, or too many were.
        """
        if not self._digest:
            raise RefusedVisitError(Refusal.OFF if self.off else Refusal.FORGED)
        if not _same_origin(request):
            raise RefusedVisitError(Refusal.FORGED)
        self._require(request, token, self._wrong_logins)
        return self._begin()

    def require_form(self, request: HTTPConnection, visitor: Visitor, csrf: str) -> None:
        """Refuse a request to change something that the page itself has not sent.

        Args:
            request: It.
            visitor: Who sent it.
            csrf: What its form carried.

        Raises:
            RefusedVisitError: It is forged.
        """
        if visitor.program:
            return
        if not _same_origin(request) or not _equal(csrf, visitor.csrf):
            raise RefusedVisitError(Refusal.FORGED)

    def give_cookie(self, response: Response, visitor: Visitor, request: HTTPConnection) -> None:
        """Give a visitor the cookie by which the next request is known.

        Args:
            response: Carries it.
            visitor: Who gets it.
            request: What is answered.
        """
        value = f"{visitor.until:.0f}.{visitor.nonce}"
        response.set_cookie(
            self.cookie,
            f"{value}.{self._signature('session', value)}",
            max_age=_LIFE,
            path=request.scope.get("root_path", "") or "/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )

    def _require(self, request: HTTPConnection, token: str, wrong: WrongTokens) -> None:
        """Compare a token in constant time."""
        address = request.client.host if request.client else ""
        if wait := wrong.wait(address):
            raise RefusedVisitError(Refusal.LIMITED, wait)
        if not hmac.compare_digest(_digest(token), self._digest):
            if token:
                wrong.add(address)
            raise RefusedVisitError(Refusal.WRONG)

    def _begin(self) -> Visitor:
        nonce = secrets.token_urlsafe(18)
        return Visitor(nonce, self._wall() + _LIFE, self._signature("csrf", nonce), new=True)

    def _visitor(self, request: HTTPConnection) -> Visitor | None:
        """Return the visitor of a cookie; `None` where it is not ours, or too old."""
        value, _, signature = request.cookies.get(self.cookie, "")[:_LONGEST_COOKIE].rpartition(".")
        if not value or not _equal(signature, self._signature("session", value)):
            return None
        until, _, nonce = value.partition(".")
        if float(until) <= self._wall():
            return None
        return Visitor(nonce, float(until), self._signature("csrf", nonce))

    def _signature(self, purpose: str, value: str) -> str:
        return hmac.new(self._key, f"{purpose}:{value}".encode(), "sha256").hexdigest()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode())


def _require_local(request: HTTPConnection) -> None:
    """Refuse who is not on this machine, or only seems to be.

    A page of another site can make its name lead to 127.0.0.1 (DNS rebinding), and so have a
    browser on this machine ask us; the name that it asks for remains its own.
    """
    client = request.client.host if request.client else ""
    proxied = any(name in request.headers for name in _PROXIED)
    if not _is_loopback(client) or proxied:
        raise RefusedVisitError(Refusal.ELSEWHERE)
    if not _is_loopback(_host_of(request.headers.get("host", ""))):
        raise RefusedVisitError(Refusal.HOST)


def _same_origin(request: HTTPConnection) -> bool:
    """Return whether a browser says that a page of this very origin has sent a request.

    Browsers send `Sec-Fetch-Site` where TLS or loopback is used, and judge by the address that they
    asked for, whatever a proxy makes of it; `Origin` with every POST. Its scheme is not compared: a
    proxy before us may speak TLS.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin", "")
    if site is not None:
        return site == "same-origin"
    try:
        return urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower() != ""
    except ValueError:
        return False


def _host_of(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
