"""Asks how many calls a host has: its watchdogs, or a sentinel to which they send leases."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from onhook import settings
from onhook.errors import ConfigurationError, OnhookError
from onhook.watchdog.client.host_jobs import host_jobs
from onhook.watchdog.runtime_dir import RuntimeDir

__all__ = ["CallsLeft", "calls_by_sentinel", "calls_by_watchdogs", "sentinel_url"]

_TIMEOUT = 5.0
_LARGEST = 100_000
"""Bytes of an answer."""


@dataclass(frozen=True, slots=True)
class CallsLeft:
    """What was found.

    Args:
        calls: How many are left; `None` where it is not known how many.
        safe: Whether none is.
        source: Who has told.
        unknown: Why nobody could tell; empty where somebody could.
    """

    calls: int | None = None
    safe: bool = False
    source: str = ""
    unknown: str = ""

    def __str__(self) -> str:
        if self.safe:
            return "no call is left"
        if self.calls is None:
            return "the last calls of a watchdog that was told to end are left"
        return "1 call is left" if self.calls == 1 else f"{self.calls} calls are left"


def calls_by_watchdogs() -> CallsLeft:
    """Ask the watchdogs of this user on this host."""
    try:
        found = host_jobs(RuntimeDir.of_this_user())
    except OnhookError as error:
        return CallsLeft(unknown=str(error))
    if found.unknown:
        return CallsLeft(unknown=found.unknown)
    calls = None if found.ending and not found.calls else found.calls
    return CallsLeft(calls, found.safe, f"asked {found.watchdogs} watchdogs")


def sentinel_url(address: str) -> str:
    """Return the address of a sentinel as a URL.

    Args:
        address: `HOST:PORT` or a URL.

    Raises:
        ConfigurationError: It is neither.
    """
    url = address if "://" in address else f"http://{address}"
    parts = urlsplit(url)
    try:
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return url.rstrip("/")
    except ValueError:  # a port that is none
        pass
    raise ConfigurationError(f"--sentinel {address!r}: give HOST:PORT, http://… or https://…")


def calls_by_sentinel(url: str, host: str) -> CallsLeft:
    """Ask a sentinel how many calls a host answers for.

    Args:
        url: Its address.
        host: The host's name.
    """
    try:
        told = _get(url, f"/api/calls?host={quote(host, safe='')}")
        calls, safe, why = told["calls"], told["safe"], str(told["why"])
    except (OSError, http.client.HTTPException) as error:
        return CallsLeft(unknown=f"the sentinel at {url} does not answer ({error})")
    except (ValueError, KeyError, TypeError) as error:
        return CallsLeft(unknown=f"what answers at {url} is no sentinel: {error}")
    except ConfigurationError as error:
        return CallsLeft(unknown=str(error))
    if safe is None or not isinstance(calls, int):
        return CallsLeft(unknown=f"the sentinel at {url} does not know {host!r}: {why}")
    return CallsLeft(calls, calls == 0 and safe is True, f"by the sentinel at {url}")


def _get(url: str, path: str) -> Any:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(str(parts.hostname), parts.port, timeout=_TIMEOUT)
    token = settings.sentinel_token()
    headers = {"Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        connection.request("GET", parts.path + path, headers=headers)
        answer = connection.getresponse()
        body = answer.read(_LARGEST)
    finally:
        connection.close()
    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise ConfigurationError(
            f"the sentinel at {url} wants its token: set {settings.SENTINEL_TOKEN}"
        )
    if answer.status != HTTPStatus.OK:
        raise ValueError(f"it answered {answer.status}")
    return json.loads(body)
