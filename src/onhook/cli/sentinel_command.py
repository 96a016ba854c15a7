"""`onhook sentinel`: ring 3, which saves the calls that nobody on the agents' hosts can."""

from __future__ import annotations

import dataclasses
import http.client
import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn
from urllib.parse import urlsplit

import typer
from rich.console import Console

from onhook import settings
from onhook.cli import outage_command
from onhook.cli.calls_command import calls
from onhook.cli.sentinel_tables import beginning, show_plans, show_status
from onhook.cli.trunk_numbers import trunk_numbers
from onhook.errors import OnhookError, PlansError
from onhook.outages import OutageFile
from onhook.sentinel.canary_settings import CanarySettings
from onhook.sentinel.page_settings import token_in
from onhook.sentinel.sentinel_settings import HOST, PORT, Address, SentinelSettings
from onhook.sentinel.webhook_keys import believed_keys

if TYPE_CHECKING:
    from onhook.livekit import Credentials
    from onhook.sentinel.plans import Plans

__all__ = ["app"]

app = typer.Typer(
    help="Save calls that no agent took, and those of hosts that are gone.",
    no_args_is_help=True,
)
plans_app = typer.Typer(help="What is done for which call, from a file.", no_args_is_help=True)
app.add_typer(plans_app, name="plans")
app.add_typer(outage_command.app, name="outage")
app.command()(calls)

_TIMEOUT = 5.0
_LARGEST = 1_000_000
"""Bytes of a status."""


@app.command()
def run(  # noqa: PLR0917 - options of a command
    observe: Annotated[
        bool, typer.Option("--observe", help="Judge and record everything, do nothing.")
    ] = False,
    plans: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What is done for which call; else $ONHOOK_PLANS."),
    ] = None,
    webhook: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen for webhooks and leases.")
    ] = f"{HOST}:{PORT}",
    poll: Annotated[float, typer.Option(help="Seconds between two lists of all rooms.")] = 2.0,
    budget: Annotated[int, typer.Option(help="Requests to LiveKit's API a minute.")] = 300,
    redis: Annotated[
        str,
        typer.Option(metavar="URL", help="Redis that several sentinels share; else $ONHOOK_REDIS."),
    ] = "",
    canary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AGENT",
            help="Ask this guarded agent from time to time whether it takes calls; repeatable.",
        ),
    ] = None,
    canary_unguarded: Annotated[
        list[str] | None,
        typer.Option(metavar="AGENT", help="The same for an agent without onhook: its code runs."),
    ] = None,
    canary_every: Annotated[
        float, typer.Option(help="Seconds between two questions to an agent.")
    ] = 300.0,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Who may see the page knows this; else $ONHOOK_SENTINEL_TOKEN."
        ),
    ] = None,
    worker: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="HTTP port of a worker, http://HOST:8081, for the page; repeatable. "
            "Else $ONHOOK_WORKERS.",
        ),
    ] = None,
) -> None:
    """Watch all calls of the LiveKit server that LIVEKIT_* name, until SIGTERM or Ctrl-C.

    Its first lines say what is watched and what is missing. Exits 2 when it cannot begin.
    """
    try:
        given = SentinelSettings.from_env(
            observe=observe,
            plans=plans,
            webhook=Address.of(webhook),
            poll=poll,
            budget=budget,
            redis=redis,
            canary=CanarySettings(
                guarded=tuple(canary or ()),
                unguarded=tuple(canary_unguarded or ()),
                every=canary_every,
            ),
            **({} if token_file is None else {"token": token_in(token_file)}),
            **({"workers": tuple(worker)} if worker else {}),
        )
        credentials = _credentials()
        believed_keys(credentials, given.webhook_keys)
        _require_free(given.webhook)
        own, unknown = trunk_numbers(credentials)
        read = _plans(given.plans, own)
        given = dataclasses.replace(given, own=own or frozenset())
    except OnhookError as error:
        _fail(str(error))
    console = Console(highlight=False)
    outages = OutageFile(given.outages)
    beginning(console, given, credentials, read, outages, own=own, unknown=unknown)
    from onhook.sentinel.service import run as watch  # noqa: PLC0415 - its parts are in an extra

    watch(given)


@app.command()
def status(
    address: Annotated[
        str,
        typer.Option(metavar="HOST:PORT", help="Where it listens; else that of $ONHOOK_SENTINEL."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Ask a running sentinel how it is. Exits 1 if none answers, or if something is failing."""
    try:
        where = Address.of(address) if address else _configured()
    except OnhookError as error:
        _fail(str(error))
    told = _asked(where)
    if as_json:
        typer.echo(json.dumps(told, indent=1))
    else:
        show_status(Console(highlight=False), told)
    if told.get("failing"):
        raise typer.Exit(1)


@plans_app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file of plans.")],
    trunks: Annotated[
        bool,
        typer.Option(
            "--trunks", help="Ask the server for the trunks' numbers, which are no fallbacks."
        ),
    ] = False,
) -> None:
    """Say what a file of plans means, or which of its lines are wrong. Exits 1 if any is."""
    own: frozenset[str] | None = None
    try:
        if trunks:
            own, unknown = trunk_numbers(_credentials())
            if unknown:
                _fail(unknown)
        read = _plans(file, own)
    except PlansError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    except OnhookError as error:
        _fail(str(error))
    show_plans(Console(highlight=False), read, own)


def _plans(path: Path | None, own: frozenset[str] | None) -> Plans:
    from onhook.sentinel.plans import Plans  # noqa: PLC0415 - `onhook --help` needs none of it
    from onhook.sentinel.plans_file import PlansFile  # noqa: PLC0415 - pydantic

    return Plans() if path is None else PlansFile(path, own=own or ()).plans


def _credentials() -> Credentials:
    from onhook.livekit.credentials import Credentials  # noqa: PLC0415 - livekit

    credentials = Credentials.from_env()
    if not (credentials.key and credentials.secret):
        _fail(
            "LIVEKIT_TOKEN alone is not enough: webhooks are signed with the secret, and callers "
            "are spoken to by a token of its own. Set LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
        )
    return credentials


def _require_free(address: Address) -> None:
    """Refuse an address that is taken, or is none of this machine's."""
    try:
        kind = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        with socket.socket(kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address.host, address.port))
    except OSError as error:
        _fail(
            f"cannot listen at {address} ({error.strerror or error}): is another sentinel there? "
            "`onhook sentinel status` asks it; or give another --webhook HOST:PORT"
        )


def _configured() -> Address:
    parts = urlsplit(settings.sentinel())
    if not parts.hostname:
        return Address()
    return Address(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))


def _asked(address: Address) -> dict[str, Any]:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/status")
        with connection.getresponse() as answer:
            told = json.loads(answer.read(_LARGEST))
        if answer.status != http.HTTPStatus.OK or not isinstance(told, dict):
            raise ValueError(f"it answered {answer.status}")  # noqa: TRY301 - one way to tell
    except OSError as error:
        _fail(
            f"none answers at {address} ({error.strerror or error}); `onhook sentinel run` starts "
            "one, --address names another",
            code=1,
        )
    except (ValueError, http.client.HTTPException) as error:
        _fail(f"what answers at {address} is no sentinel: {error}", code=1)
    finally:
        connection.close()
    return told


def _fail(message: str, code: int = 2) -> NoReturn:
    typer.echo(f"onhook sentinel: {message}", err=True)
    raise typer.Exit(code)
