"""`onhook watchdog`: ring 2 in the foreground, for systemd or a sidecar; and what runs."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from onhook.errors import OnhookError
from onhook.watchdog.client.command import ask
from onhook.watchdog.options import WatchdogOptions
from onhook.watchdog.runtime_dir import RuntimeDir

__all__ = ["app"]

app = typer.Typer(
    help="Rescue the calls of jobs that die or hang. Jobs start one by themselves.",
    no_args_is_help=True,
)


@app.command()
def run(
    release: Annotated[
        bool, typer.Option("--release", help="At the end, release the calls left: the host goes.")
    ] = False,
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds after SIGTERM before --release does so.")
    ] = 10.0,
    idle: Annotated[
        float | None, typer.Option(min=0, help="End after so many seconds without a job.")
    ] = None,
) -> None:
    """Watch in the foreground, with the workers' LIVEKIT_* variables. Exits 3 when one runs.

    After SIGTERM it takes no more jobs on, and ends with its last call; a second one hurries it.
    """
    options = WatchdogOptions(release=release, grace=grace, idle=idle)
    os.execv(sys.executable, options.command)  # noqa: S606 - our own program, without the memory of this one


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Show this user's watchdogs, one for each server and key, and their jobs.

    Exits 1 if none runs, or if one could not rescue anybody.
    """
    answers = _ask("status")
    if as_json:
        typer.echo(json.dumps(answers, indent=1))
    else:
        _show(answers)
    if any(answer["unable"] for answer in answers):
        raise typer.Exit(1)


def _show(answers: list[dict[str, Any]]) -> None:
    console = Console()
    watchdogs = Table("server", "key", "pid", "onhook", "jobs", "rescues")
    for answer in answers:
        shown = ("server", "key", "pid", "version", "count", "rescues")
        watchdogs.add_row(*(str(answer[key]) for key in shown))
    console.print(watchdogs)
    jobs = Table("watchdog", "room", "job", "pid", "last beat", "agent")
    for answer in answers:
        for job in answer["jobs"]:
            facts = ("room", "job", "pid", "last_beat", "agent")
            jobs.add_row(str(answer["pid"]), *(str(job[key]) for key in facts))
    if jobs.row_count:
        console.print(jobs)
    for answer in answers:
        if wrong := answer["unable"] or answer["limits"]:
            cannot = "cannot rescue anybody" if answer["unable"] else "is limited"
            typer.echo(f"the watchdog of process {answer['pid']} {cannot}: {wrong}")


@app.command()
def stop() -> None:
    """Take no more jobs on: each watchdog ends with its last call. Exits 1 when none runs."""
    for answer in _ask("stop"):
        typer.echo(
            f"the watchdog of process {answer['pid']} for {answer['server']} ends; "
            f"it watches {answer['count']} jobs"
        )


def _ask(what: str) -> list[dict[str, Any]]:
    answers = []
    try:
        for socket in RuntimeDir.of_this_user().sockets():
            try:
                answer = ask(socket, what)
            except OnhookError as error:  # the others are asked all the same
                typer.echo(f"onhook watchdog: {error}", err=True)
                continue
            if answer is not None:
                answers.append(answer)
    except OnhookError as error:
        _fail(str(error))
    if not answers:
        _fail("none runs; the first guarded job starts one, and so does `onhook watchdog run`")
    return answers


def _fail(message: str) -> NoReturn:
    typer.echo(f"onhook watchdog: {message}", err=True)
    raise typer.Exit(1)
