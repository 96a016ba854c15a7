"""`onhook demo`: one failing agent, four calls."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from onhook.errors import OnhookError

if TYPE_CHECKING:
    from onhook.demo.story import Story

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option(help="Where the WAVs and the logs go.")] = Path("demo-out"),
) -> None:
    """Call a failing agent four times, on real servers, and show what its caller hears."""
    from onhook.demo.run import run_demo  # noqa: PLC0415 - loads livekit-agents, which takes seconds
    from onhook.demo.show import show  # noqa: PLC0415

    console = Console(highlight=False)
    logging.getLogger("livekit").setLevel(
        logging.CRITICAL
    )  # a room that is deleted is no error here
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    try:
        with console.status("") as status:
            real, stories = asyncio.run(run_demo(out.absolute() / "logs", status.update))
    except OnhookError as error:
        console.print(f"[red]the demo failed:[/red] {error}")
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        console.print("stopped; every server has been ended")
        raise typer.Exit(130) from None
    show(console, stories, real=real)
    _save(console, out, stories)


def _save(console: Console, out: Path, stories: Sequence[Story]) -> None:
    from onhook.phone import save_wav  # noqa: PLC0415

    for place, story in enumerate(stories, start=1):
        name = re.sub(r"[^a-z]+", "-", story.name)
        save_wav(out / f"{place}-{name}.wav", story.heard.audio)
    console.print(f"What each caller heard is in {out}/*.wav, the logs are in {out}/logs/.")
