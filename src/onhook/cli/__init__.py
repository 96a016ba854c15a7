"""The `onhook` command."""

from __future__ import annotations

import typer

from onhook.cli import call

__all__ = ["app", "main"]

app = typer.Typer(
    name="onhook",
    help="No phone caller is ever left on a silent or ringing line.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("call")(call.call)


@app.callback()
def _root() -> None:
    """Without this, Typer would drop the name of an only command."""


def main() -> None:
    """Run the command line interface."""
    app()
