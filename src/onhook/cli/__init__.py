"""The `onhook` command."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import typer

from onhook.cli import incidents_command, watchdog_command

__all__ = ["app", "main"]

app = typer.Typer(
    name="onhook",
    help="No phone caller is ever left on a silent or ringing line.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
_BENCH = ("demo", "call", "simulator", "stack")
"""Commands of the test bench, which need the packages of `onhook[bench]`."""

if find_spec("sipmessage") is not None:
    from onhook.cli import call_command, demo_command, simulator_command, stack_command

    app.command("demo")(demo_command.demo)
    app.command("call")(call_command.call)
    app.command("simulator")(simulator_command.simulator)
    app.add_typer(stack_command.app, name="stack")
app.add_typer(incidents_command.app, name="incidents")
app.add_typer(watchdog_command.app, name="watchdog")


def main() -> None:
    """Run the command line interface."""
    if sys.argv[1:2] and sys.argv[1] in _BENCH and find_spec("sipmessage") is None:
        sys.stderr.write(
            f"onhook {sys.argv[1]} is part of the test bench, which is not installed: "
            "pip install 'onhook[bench]'\n"
        )
        raise SystemExit(2)
    app()
