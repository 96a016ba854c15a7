"""`onhook drain`: whether a host may be stopped, or wait until it may."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Annotated, NoReturn

import typer

from onhook import settings
from onhook.cli.calls_left import (
    CallsLeft,
    calls_by_sentinel,
    calls_by_watchdogs,
    sentinel_url,
)
from onhook.errors import OnhookError

__all__ = ["drain"]

_TIMEOUT = 3600.0
"""Seconds; as long as livekit-agents' own drain (`drain_timeout`)."""
_POLL = 0.5
_REPEAT = 30.0
"""Seconds between two lines while nothing changes."""
_PATIENCE = 10.0
"""Seconds without anybody who can tell: a watchdog that was killed is followed by another."""
_CALLS, _UNKNOWN, _INTERRUPTED = 1, 2, 130


def drain(
    wait: Annotated[bool, typer.Option("--wait", help="Wait until no call is left.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(min=0, metavar="S", help="With --wait: seconds to wait at most; else 3600."),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Another host than this one; asks a sentinel.")
    ] = "",
    sentinel: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="Ask this sentinel, and not the watchdog."),
    ] = "",
) -> None:
    """Say whether this host may be stopped without cutting a guarded call off.

    Asks this user's watchdogs; where there are none, the sentinel of
    $ONHOOK_SENTINEL. It keeps no worker from taking calls: tell that to end
    first. Exits 0 if no call is left, 1 if some are (with --wait: after the
    time-out), 2 if nobody can tell.
    """
    if timeout is not None and not wait:
        _fail("--timeout is for --wait: give both, or neither")
    try:
        ask = _source(host, sentinel)
    except OnhookError as error:
        _fail(str(error))
    if not wait:
        _end(ask(), "")
    _wait(ask, _TIMEOUT if timeout is None else timeout)


def _source(host: str, sentinel: str) -> Callable[[], CallsLeft]:
    """Return what asks whoever knows."""
    name = host or socket.gethostname()
    url = sentinel_url(sentinel) if sentinel else settings.sentinel()
    if sentinel or (host and url):
        return lambda: calls_by_sentinel(url, name)
    if host:
        _fail("--host is for a sentinel: name one with --sentinel or in $ONHOOK_SENTINEL")

    def ask() -> CallsLeft:
        found = calls_by_watchdogs()
        if not (found.unknown and url):
            return found
        by_sentinel = calls_by_sentinel(url, name)
        if by_sentinel.unknown:
            return CallsLeft(unknown=f"{found.unknown}; {by_sentinel.unknown}")
        return by_sentinel

    return ask


def _wait(ask: Callable[[], CallsLeft], timeout: float) -> NoReturn:
    began = known_at = time.monotonic()
    told, told_at = "", began
    found = CallsLeft(unknown="nobody was asked")
    try:
        while True:
            found, now = ask(), time.monotonic()
            after = f" after {now - began:.0f} s" if now - began >= 1 else ""
            known_at = known_at if found.unknown else now
            if found.safe or now - known_at >= _PATIENCE or now - began >= timeout:
                _end(found, after)
            line = found.unknown or str(found)
            if line != told or now - told_at >= _REPEAT:
                typer.echo(f"waiting{after}: {line}")
                told, told_at = line, now
            time.sleep(min(_POLL, max(0.0, began + timeout - now)))
    except KeyboardInterrupt:
        typer.echo(f"onhook drain: interrupted; {found.unknown or found}", err=True)
        raise typer.Exit(_INTERRUPTED) from None


def _end(found: CallsLeft, after: str) -> NoReturn:
    if found.unknown:
        _fail(f"nobody can tell{after} whether calls are left: {found.unknown}")
    typer.echo(f"{found}{after} ({found.source})")
    raise typer.Exit(0 if found.safe else _CALLS)


def _fail(message: str) -> NoReturn:
    typer.echo(f"onhook drain: {message}", err=True)
    raise typer.Exit(_UNKNOWN)
