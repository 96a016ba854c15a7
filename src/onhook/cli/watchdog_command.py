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
from onhook.watchdog.runtime_dir import RuntimeDir

__all__ = ["app"]

app = typer.Typer(
    help="Rescue the calls of jobs that die or hang. Jobs start one by themselves.",
    no_args_is_help=True,
)


@app.command()
def run(
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds after SIGTERM in which calls may end.")
    ] = 10.0,
    release: Annotated[
        bool, typer.Option("--release", help="Then release the calls left: the host goes too.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take over from a watchdog that runs.")
    ] = False,
    idle: Annotated[
        float | None, typer.Option(min=0, help="End after so many seconds without a job.")
    ] = None,
) -> None:
    """Watch in the foreground, with the workers' LIVEKIT_* variables. Exits 3 when one runs."""
    command = [sys.executable, "-P", "-m", "onhook.watchdog", "--grace", str(grace)]
    command += ["--release"] * release + ["--replace"] * replace
    command += ["--idle", str(idle)] if idle is not None else []
    os.execv(sys.executable, command)  # noqa: S606 - our own program, without the memory of this one


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Show the watchdog of this user and the jobs it watches. Exits 1 when none runs."""
    answer = _ask("status")
    if as_json:
        typer.echo(json.dumps(answer, indent=1))
        return
    typer.echo(
        f"process {answer['pid']}, onhook {answer['version']}, "
        f"for {answer['server'] or 'no server'}: "
        f"{answer['count']} jobs, {answer['rescues']} rescues"
    )
    table = Table("room", "job", "pid", "last beat", "agent")
    for job in answer["jobs"]:
        table.add_row(*(str(job[key]) for key in ("room", "job", "pid", "last_beat", "agent")))
    if answer["jobs"]:
        Console().print(table)


@app.command()
def stop() -> None:
    """End the watchdog in order; jobs that it watches start another. Exits 1 when none runs."""
    answer = _ask("stop")
    typer.echo(f"the watchdog of process {answer['pid']} ends; it watched {answer['jobs']} jobs")


def _ask(what: str) -> dict[str, Any]:
    try:
        answer = ask(RuntimeDir.of_this_user().socket, what)
    except OnhookError as error:
        _fail(str(error))
    if answer is None:
        _fail("none runs; the first guarded job starts one, and so does `onhook watchdog run`")
    return answer


def _fail(message: str) -> NoReturn:
    typer.echo(f"onhook watchdog: {message}", err=True)
    raise typer.Exit(1)
