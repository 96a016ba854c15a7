"""The `onhook` command."""

from __future__ import annotations

import os
import signal
import sys
from importlib.util import find_spec
from typing import NoReturn

import typer

from onhook.cli import doctor_command, drain_command, incidents_command, watchdog_command

__all__ = ["app", "main"]

app = typer.Typer(
    name="onhook",
    help="No phone caller is ever left on a silent or ringing line.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
_EXTRAS = {
    **dict.fromkeys(("demo", "call", "simulator", "stack"), ("bench", "the test bench")),
    "sentinel": ("sentinel", "ring 3, a service of its own"),
}
"""Commands that need the packages of an extra, and what they are part of."""
_NEEDED = {"bench": "sipmessage", "sentinel": "tomlkit"}
"""A package by which it is known whether an extra is installed."""

if find_spec(_NEEDED["bench"]) is not None:
    from onhook.cli import call_command, demo_command, simulator_command, stack_command

    app.command("demo")(demo_command.demo)
    app.command("call")(call_command.call)
    app.command("simulator")(simulator_command.simulator)
    app.add_typer(stack_command.app, name="stack")
app.add_typer(incidents_command.app, name="incidents")
app.add_typer(watchdog_command.app, name="watchdog")
app.command("drain")(drain_command.drain)
app.command("doctor")(doctor_command.doctor)
if find_spec(_NEEDED["sentinel"]) is not None:
    from onhook.cli import sentinel_command

    app.add_typer(sentinel_command.app, name="sentinel")


def main() -> None:
    """Run the command line interface."""
    extra, what = _EXTRAS.get(sys.argv[1], ("", "")) if sys.argv[1:2] else ("", "")
    if extra and find_spec(_NEEDED[extra]) is None:
        sys.stderr.write(
            f"onhook {sys.argv[1]} is part of {what}, which is not installed: "
            f"pip install 'onhook[{extra}]'\n"
        )
        raise SystemExit(2)
    if os.getpid() == 1:
        # the kernel drops what the first process of a container has no handler for
        signal.signal(signal.SIGTERM, _end)
    app()


def _end(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)
