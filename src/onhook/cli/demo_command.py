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

from onhook.errors import ConfigurationError, OnhookError
from onhook.livekit.framework.rtc_exit import exit_after_callbacks

if TYPE_CHECKING:
    from onhook.bench.demo.demo_result import DemoResult

__all__ = ["demo"]

_LOGS = "logs"


def demo(
    out: Annotated[Path, typer.Option(help="Where the WAVs and the logs go.")] = Path("demo-out"),
) -> None:
    """Call a failing agent four times, on real servers, and show what its caller hears."""
    exit_after_callbacks()
    from onhook.bench.demo.demo_run import run_demo  # noqa: PLC0415 - loads livekit-agents, which takes seconds
    from onhook.bench.demo.demo_table import show  # noqa: PLC0415

    console = Console(highlight=False)
    logging.getLogger("livekit").setLevel(
        logging.CRITICAL
    )  # a room that is deleted is no error here
    try:
        _clear(out)
        with console.status("") as status:
            real, stories = asyncio.run(run_demo(out.absolute() / _LOGS, status.update))
    except OnhookError as error:
        console.print(f"the demo failed: {error}", style="red", markup=False)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        console.print("stopped; every server has been ended")
        raise typer.Exit(130) from None
    show(console, stories, real=real)
    _save(console, out, stories)


def _clear(out: Path) -> None:
    """Make the folder, and remove from it what an earlier demonstration left: nothing else.

    Raises:
        ConfigurationError: It cannot be made or written.
    """
    from onhook.bench.demo.demo_run import SCENARIOS  # noqa: PLC0415

    logs = out / _LOGS
    ours = [logs / name for name in ("agent.log", "redis-server.log")]
    ours += [logs / f"livekit-{name}.log" for name in ("server", "sip")]
    for place, name in enumerate(SCENARIOS, start=1):
        ours += [logs / f"{name}.fault", _wav(out, place, name)]
    try:
        logs.mkdir(parents=True, exist_ok=True)
        for file in ours:
            file.unlink(missing_ok=True)
        shutil.rmtree(logs / "cache" / "onhook", ignore_errors=True)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write to --out {str(out)!r} ({error.strerror}): give a folder of yours"
        ) from error


def _save(console: Console, out: Path, stories: Sequence[DemoResult]) -> None:
    from onhook.bench.phone import save_wav  # noqa: PLC0415

    for place, story in enumerate(stories, start=1):
        save_wav(_wav(out, place, story.name), story.heard.audio)
    console.print(f"What each caller heard is in {out}/*.wav, the logs are in {out}/logs/.")


def _wav(out: Path, place: int, name: str) -> Path:
    return out / f"{place}-{re.sub(r'[^a-z]+', '-', name)}.wav"
