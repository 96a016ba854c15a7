"""`onhook doctor`: what is wrong before a caller finds out."""

from __future__ import annotations

import asyncio
import functools
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from onhook import settings
from onhook.errors import ConfigurationError, OnhookError, PolicyError

if TYPE_CHECKING:
    from onhook.doctor.examination import Order
    from onhook.doctor.findings import Group

__all__ = ["doctor"]

_RING, _LISTEN = 45.0, 10.0
"""Seconds for which `--dial` lets it ring, and listens."""


def doctor(
    agent: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Check an agent's file too, without running it."),
    ] = None,
    *,
    canary: Annotated[
        bool,
        typer.Option(
            "--canary",
            help="Ask the agents of the rules whether they take calls. Makes a room for each and "
            "deletes it; an agent without a guard runs.",
        ),
    ] = False,
    worker: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT", help="Ask this worker what it is; repeatable."),
    ] = None,
    sip: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="The SIP service: asked whether it is there.")
    ] = "",
    carriers: Annotated[
        bool,
        typer.Option(
            "--carriers", help="Ask the carriers of outbound trunks whether they take REFER."
        ),
    ] = False,
    wait_webhook: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            show_default=False,
            help="Wait so long for a webhook, at the sentinel if one runs. Makes a room and "
            "deletes it.",
        ),
    ] = 0.0,
    webhook: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen for it if no sentinel does.")
    ] = "127.0.0.1:7899",
    dial: Annotated[
        str, typer.Option(metavar="NUMBER", help="Call this number, and tell what a caller hears.")
    ] = "",
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GROUP",
            help="Look at this alone; repeatable: environment, versions, host, server, routes, "
            "agents, webhooks, call, source.",
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="Leave out what is known; repeatable."),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds for one request.")] = 5.0,
    numbers: Annotated[
        bool, typer.Option("--numbers", help="Show phone numbers whole, not masked.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Look for what would leave a caller in silence: what, why it matters, and the mend.

    Asks the server that LIVEKIT_* name, and changes nothing on it. docs/doctor.md has every code.

    Exits 0 where nothing is wrong (notes are allowed), 1 with errors or warnings, 2 if it cannot.
    """
    from onhook.doctor.examination import Examination, Order  # noqa: PLC0415 - livekit and aiohttp

    try:
        if not 0 < timeout <= 60:
            raise PolicyError(f"--timeout {timeout:g}: give seconds, from 0.1 to 60")
        if not 0 <= wait_webhook <= 3600 or math.isnan(wait_webhook):
            raise PolicyError(f"--wait-webhook {wait_webhook:g}: give seconds, at most 3600")
        order = Order(
            groups=_groups(only or []),
            files=tuple(agent or ()),
            workers=tuple(worker or ()),
            sip=_address(sip),
            carriers=carriers,
            canary=canary,
            wait_webhook=wait_webhook,
            webhook=_listen_at(webhook),
            timeout=timeout,
            numbers=numbers or _whole(),
            ignored=_codes(ignore or []),
        )
        order = _with_call(order, dial)
        report = asyncio.run(Examination(order).report())
    except OnhookError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=1))
    else:
        from rich.console import Console  # noqa: PLC0415 - `onhook --help` stays quick

        from onhook.cli.doctor_table import show_report  # noqa: PLC0415

        show_report(Console(highlight=False), report)
    raise typer.Exit(0 if report.sound else 1)


def _whole() -> bool:
    """Return whether `ONHOOK_NUMBERS` lets phone numbers be shown."""
    try:
        return settings.numbers() == "whole"
    except ConfigurationError:
        return False  # it has its finding


def _with_call(order: Order, number: str) -> Order:
    if not number:
        return order
    import dataclasses  # noqa: PLC0415

    from onhook.cli.doctor_call import check_dial, place_call  # noqa: PLC0415 - of an extra

    sip = check_dial(number, order.sip)
    call = functools.partial(place_call, number, sip, ring=_RING, listen=_LISTEN)
    return dataclasses.replace(order, place_call=call, sip=order.sip or sip)


def _groups(names: list[str]) -> tuple[Group, ...]:
    from onhook.doctor.findings import Group  # noqa: PLC0415

    known = {str(group): group for group in Group}
    for name in names:
        if name not in known:
            raise PolicyError(f"--only {name!r}: give one of {', '.join(known)}")
    return tuple(known[name] for name in names)


def _codes(names: list[str]) -> tuple[str, ...]:
    from onhook.doctor.codes import KINDS  # noqa: PLC0415

    for name in names:
        if name not in KINDS:
            raise PolicyError(f"--ignore {name!r}: there is no such code; docs/doctor.md has all")
    return tuple(names)


def _address(text: str) -> str:
    from onhook.doctor.sip_options import split_address  # noqa: PLC0415

    if not text:
        return ""
    try:
        host, port = split_address(text)
    except ValueError as error:
        raise PolicyError(f"--sip {error}") from error
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listen_at(text: str) -> tuple[str, int]:
    from onhook.sentinel.sentinel_settings import Address  # noqa: PLC0415

    address = Address.of(text)
    return address.host, address.port


def _fail(message: str) -> NoReturn:
    typer.echo(f"onhook doctor: {message}", err=True)
    raise typer.Exit(2)
