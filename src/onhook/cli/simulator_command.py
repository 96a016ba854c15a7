"""`onhook simulator`: a provider on loopback that fails as it is told to."""

from __future__ import annotations

import asyncio
import shlex
import signal
from typing import Annotated

import typer

from onhook.errors import OnhookError

__all__ = ["simulator"]


def simulator(
    port: Annotated[int, typer.Option(help="Port of the provider; a free one when 0.")] = 0,
    control_port: Annotated[int, typer.Option(help="Port that changes faults; as above.")] = 0,
    answer: Annotated[
        list[str] | None,
        typer.Option(help="What the model answers, one a request; the last is repeated."),
    ] = None,
    heard: Annotated[
        list[str] | None,
        typer.Option(help="What is understood, one a request; the last is repeated."),
    ] = None,
) -> None:
    """Simulate OpenAI's HTTP interface on loopback, with faults on demand, until Ctrl-C.

    It has chat completions, speech and transcriptions, for the plugins that speak to OpenAI.

    The first lines are the environment in which real plugins find it. Faults come by the control
    address: PUT {"standing": {"chat": {"kind": "stall"}}} lets every chat stall, null ends that.
    """
    try:
        asyncio.run(_serve(port, control_port, answer or [], heard or []))
    except OnhookError as error:
        typer.echo(f"onhook simulator: {error}", err=True)
        raise typer.Exit(1) from None


async def _serve(port: int, control_port: int, answers: list[str], heard: list[str]) -> None:
    from onhook.bench.simulator import Script, Simulator  # noqa: PLC0415 - loads FFmpeg and aiohttp

    default = Script()
    script = Script(answers=tuple(answers) or default.answers, heard=tuple(heard) or default.heard)
    over = asyncio.Event()
    for kind in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(kind, over.set)
    async with Simulator(script, port=port, control_port=control_port) as running:
        for name, value in running.env.items():
            typer.echo(f"export {name}={shlex.quote(value)}")
        typer.echo(f"# faults: {running.control_url}")
        await over.wait()
