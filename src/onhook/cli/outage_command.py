"""`onhook sentinel outage`: send new calls straight to their fallback, for a while."""

from __future__ import annotations

import getpass
import json
import socket
from dataclasses import asdict
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from onhook import settings
from onhook.cli.durations import seconds_of
from onhook.cli.sentinel_tables import show_outages
from onhook.cli.trunk_numbers import trunk_numbers
from onhook.errors import OnhookError
from onhook.outages import Scope, explained
from onhook.sentinel.outage import OutageSwitch

__all__ = ["app"]

app = typer.Typer(
    help="Send new calls straight to their fallback, while the agents are known to be down.",
    no_args_is_help=True,
)

_TIMEOUT = 2.0

Number = Annotated[str | None, typer.Option(metavar="N", help="Calls to (or of) this number.")]
Trunk = Annotated[str | None, typer.Option(metavar="ID", help="Calls of this trunk, ST_...")]
Tag = Annotated[str | None, typer.Option(metavar="TAG", help="Calls in rooms with this tag.")]
By = Annotated[str, typer.Option(metavar="WHO", help="Who does it; else USER@HOST.")]


@app.command()
def on(
    *,
    number: Number = None,
    trunk: Trunk = None,
    tag: Tag = None,
    every: Annotated[bool, typer.Option("--all", help="All calls.")] = False,
    duration: Annotated[
        str, typer.Option("--for", metavar="TIME", help="Until it ends by itself: 30m, 2h, 1d.")
    ] = "1h",
    fallback: Annotated[
        str,
        typer.Option(metavar="NUMBER", help="Where calls go; else the fallback of their plan."),
    ] = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="For whoever looks.")] = "",
    by: By = "",
) -> None:
    """Switch an outage on. While it is on, onhook.dial refuses to call, too (not for a tag)."""
    scope, value = _scope(number, trunk, tag, every=every)
    try:
        outage = OutageSwitch().on(
            scope,
            value,
            seconds=seconds_of("--for", duration),
            by=by or _who(),
            reason=reason,
            fallback=fallback,
            own=_own_numbers() if fallback else (),
        )
    except OnhookError as error:
        _fail(str(error))
    typer.echo(explained(outage))
    if outage.fallback:
        typer.echo(f"new calls go to {outage.fallback}")
    elif settings.plans() is None:
        typer.echo(
            "new calls go to the fallback of their plan; who has none hears an apology and is "
            "released (--fallback NUMBER gives one)"
        )
    else:
        typer.echo(f"new calls go to the fallback of their plan in {settings.plans()}")


@app.command()
def off(
    *,
    number: Number = None,
    trunk: Trunk = None,
    tag: Tag = None,
    every: Annotated[bool, typer.Option("--all", help="Whatever is on.")] = False,
    by: By = "",
) -> None:
    """Switch an outage off. Exits 1 when it was not on."""
    scope, value = _scope(number, trunk, tag, every=every)
    try:
        ended = OutageSwitch().off(scope, value, by=by or _who())
    except OnhookError as error:
        _fail(str(error))
    for outage in ended:
        typer.echo(f"the outage of {outage.what} is off")
    if not ended:
        of = "" if scope == "all" else f" of {scope} {value}"
        typer.echo(f"no outage{of} is on; `onhook sentinel outage show` lists them", err=True)
        raise typer.Exit(1)


@app.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Show which outages are on, until when, and who switched on and off what."""
    try:
        switch = OutageSwitch()
        current, history = switch.current(), switch.history()
    except OnhookError as error:
        _fail(str(error))
    if as_json:
        told = {"on": [*map(asdict, current)], "history": [*map(asdict, history)]}
        typer.echo(json.dumps(told, indent=1))
    else:
        show_outages(Console(highlight=False), current, history)


def _scope(
    number: str | None, trunk: str | None, tag: str | None, *, every: bool
) -> tuple[Scope, str]:
    given: list[tuple[Scope, str]] = []
    if number is not None:
        given.append(("number", number))
    if trunk is not None:
        given.append(("trunk", trunk))
    if tag is not None:
        given.append(("tag", tag))
    if every:
        given.append(("all", ""))
    if len(given) != 1:
        _fail("give one of --number, --trunk, --tag and --all")
    return given[0]


def _own_numbers() -> frozenset[str]:
    """Return the numbers of the trunks, where they are to be had: an outage does not wait."""
    from onhook.livekit.credentials import Credentials  # noqa: PLC0415 - livekit

    try:
        credentials = Credentials.from_env()
    except OnhookError:
        why = "LIVEKIT_URL and a key are not set"
    else:
        own, why = trunk_numbers(credentials, _TIMEOUT)
        if own is not None:
            return own
    typer.echo(
        f"note: it is not known whether the fallback is a number of your own: {why}", err=True
    )
    return frozenset()


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # an unknown uid; since Python 3.13 the latter
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _fail(message: str) -> NoReturn:
    typer.echo(f"onhook sentinel outage: {message}", err=True)
    raise typer.Exit(2)
