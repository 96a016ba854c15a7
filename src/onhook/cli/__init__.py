"""The `onhook` command."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from typing import NoReturn

import typer

__all__ = ["app", "main"]

_EXTRAS = {
    **dict.fromkeys(("demo", "call", "simulator", "stack"), ("bench", "the test bench")),
    "sentinel": ("sentinel", "ring 3, a service of its own"),
}
"""Commands that need the packages of an extra, and what they are part of."""
_NEEDED = {"bench": "sipmessage", "sentinel": "tomlkit"}
"""A package by which it is known whether an extra is installed."""
_COMMANDS = (
    *("demo", "call", "simulator", "stack"),
    *("incidents", "watchdog", "drain", "doctor", "sentinel"),
)
"""As `--help` lists them; the module of each is named after it."""


def app(names: Iterable[str] = _COMMANDS) -> typer.Typer:
    """Return the command line with these commands, without those whose extra is not installed.

    Args:
        names: Some of them, because each loads packages that the others do without.
    """
    commands = typer.Typer(
        name="onhook",
        help="No phone caller is ever left on a silent or ringing line.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    commands.callback()(lambda: None)  # a single command has its name too
    for name in names:
        if _missing(name):
            continue
        module = importlib.import_module(f"onhook.cli.{name}_command")
        if hasattr(module, "app"):
            commands.add_typer(module.app, name=name)
        else:
            commands.command(name)(getattr(module, name))
    return commands


def main() -> None:
    """Run the command line interface."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if extra := _missing(name):
        sys.stderr.write(
            f"onhook {name} is part of {_EXTRAS[name][1]}, which is not installed: "
            f"pip install 'onhook[{extra}]'\n"
        )
        raise SystemExit(2)
    if os.getpid() == 1:
        # the kernel drops what the first process of a container has no handler for
        signal.signal(signal.SIGTERM, _end)
    app((name,) if name in _COMMANDS else _COMMANDS)()


def _missing(name: str) -> str:
    """Return the extra that a command lacks; empty where it lacks none."""
    extra, _ = _EXTRAS.get(name, ("", ""))
    return extra if extra and find_spec(_NEEDED[extra]) is None else ""


def _end(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)
