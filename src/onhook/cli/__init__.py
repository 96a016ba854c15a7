"""The `onhook` command."""

from __future__ import annotations

import typer

from onhook.cli import call, demo, incidents, simulator, stack, watchdog

__all__ = ["app", "main"]

app = typer.Typer(
    name="onhook",
    help="No phone caller is ever left on a silent or ringing line.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("demo")(demo.demo)
app.command("call")(call.call)
app.command("simulator")(simulator.simulator)
app.add_typer(stack.app, name="stack")
app.add_typer(incidents.app, name="incidents")
app.add_typer(watchdog.app, name="watchdog")


def main() -> None:
    """Run the command line interface."""
    app()
