"""`onhook stack`: the real servers on loopback, to develop and to test against."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from onhook.bench.stack.running_stacks import StackState, check_name, claimed, remember, running
from onhook.bench.stack.stack_errors import StackError
from onhook.errors import OnhookError

if TYPE_CHECKING:
    from onhook.bench.stack import Stack

__all__ = ["app"]

app = typer.Typer(
    help="The real redis-server, livekit-server and livekit-sip on loopback.", no_args_is_help=True
)

_READY = 60.0
_DOWN = 20.0
_POLL = 0.1
_ENV = "env.sh"
_PREFIX = "onhook stack: "

Name = Annotated[str, typer.Option(help="Which stack; several run side by side.")]


@app.command()
def up(
    name: Name = "default",
    agent: Annotated[str, typer.Option(help="Agent that --number rings at.")] = "front-desk",
    number: Annotated[str, typer.Option(help="Number that rings at --agent.")] = "+15550100",
    detach: Annotated[bool, typer.Option("--detach", help="Leave it running.")] = False,
    sip: Annotated[bool, typer.Option(help="With or without the SIP service.")] = True,
) -> None:
    """Start a stack and keep it until Ctrl-C. Exits 1 when a server does not start or dies."""
    with _told():
        check_name(name)
        if detach:
            _detached(name, agent, number, sip=sip)
            return
        with claimed(name):
            asyncio.run(_serve(name, agent, number, sip=sip))


@app.command()
def down(
    name: Name = "default",
    every: Annotated[bool, typer.Option("--all", help="End every stack of this user.")] = False,
) -> None:
    """End a stack and wait until it is gone. Exits 1 when there is none, or it does not end."""
    with _told():
        states = [state for state in running() if every or state.name == name]
    if not states and not every:
        _fail(f"no stack {name!r} is running; `onhook stack status` lists those that are")
    for state in states:
        with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(state.pid, signal.SIGTERM)
    until = time.monotonic() + _DOWN
    while time.monotonic() < until:
        left = {state.name for state in running()} & {state.name for state in states}
        if not left:
            return
        time.sleep(_POLL)
    _fail(f"{', '.join(sorted(left))} did not end within {_DOWN:g} s")


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List the stacks that run. Exits 1 when there is none."""
    with _told():
        states = running()
    if as_json:
        typer.echo(json.dumps([_public(state) for state in states], indent=1))
    elif states:
        table = Table("name", "LiveKit", "SIP", "numbers", "pid")
        for state in states:
            numbers = ", ".join(state.numbers)
            table.add_row(state.name, state.url, state.sip or "-", numbers, str(state.pid))
        Console().print(table)
        for state in states:
            Console().print(f"{state.name}: . {state.env_file}", soft_wrap=True, highlight=False)
    else:
        typer.echo("no stack is running; `onhook stack up` starts one")
    if not states:
        raise typer.Exit(1)


async def _serve(name: str, agent: str, number: str, *, sip: bool) -> None:
    from onhook.bench.stack import Route, Stack  # noqa: PLC0415 - loads livekit-api

    this = asyncio.current_task()
    for sig in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sig, lambda: this and this.cancel())
    routes = [Route(number, agent)]
    folder = Path(tempfile.mkdtemp(prefix=f"onhook-{name}-"))
    try:
        async with Stack(routes, folder=folder, sip="required" if sip else "off") as stack:
            env_file = _write_env(folder, stack.env)
            sip_address = stack.sip_address or ""
            state = StackState(
                name, os.getpid(), stack.url, sip_address, str(folder), str(env_file), (number,)
            )
            remember(state)
            _announce(state, agent)
            await _until_one_dies(stack)
    except StackError:
        (folder / _ENV).unlink(missing_ok=True)  # the logs stay, the keys go
        raise
    except asyncio.CancelledError:
        typer.echo(f"stack {name!r} has ended")
    shutil.rmtree(folder, ignore_errors=True)


async def _until_one_dies(stack: Stack) -> None:
    server = await stack.ended()
    raise StackError(f"{server.name} died: {server.tail()}")


def _announce(state: StackState, agent: str) -> None:
    typer.echo(f"LiveKit  {state.url}")
    if state.sip:
        typer.echo(f"SIP      {state.sip}")
        typer.echo(f"number   {state.numbers[0]} rings at the agent {agent!r}")
    typer.echo(f"keys     . {state.env_file}")
    typer.echo(f"logs     {state.folder}")
    typer.echo(f"`onhook stack down --name {state.name}` ends it; so does Ctrl-C, where it runs.")


def _write_env(folder: Path, env: Mapping[str, str]) -> Path:
    """Write the variables for a shell to read; the file is its owner's alone."""
    path = folder / _ENV
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"export {key}={shlex.quote(value)}\n" for key, value in env.items())
    return path


def _detached(name: str, agent: str, number: str, *, sip: bool) -> None:
    command = [sys.executable, "-m", "onhook.cli", "stack", "up", "--name", name]
    command += ["--agent", agent, "--number", number, "--sip" if sip else "--no-sip"]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603 - our own program and checked options
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            if state := _up(name, process):
                _announce(state, agent)
                return
        except BaseException:  # Ctrl-C is ours alone: it is in a session of its own
            process.terminate()
            raise
        process.terminate()
        output.seek(0)
        said = output.read().decode(errors="replace").strip().removeprefix(_PREFIX)
        _fail(said or f"not ready within {_READY:g} s")


def _up(name: str, process: subprocess.Popen[bytes]) -> StackState | None:
    """Wait until a process of ours has its stack up; `None` when it ended, or never did."""
    until = time.monotonic() + _READY
    while time.monotonic() < until and process.poll() is None:
        for state in running():
            if state.name == name and state.pid == process.pid:
                return state
        time.sleep(_POLL)
    return None


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OnhookError as error:
        _fail(str(error))


def _public(state: StackState) -> dict[str, object]:
    return {**asdict(state), "numbers": list(state.numbers)}


def _fail(message: str) -> NoReturn:
    typer.echo(f"{_PREFIX}{message}", err=True)
    raise typer.Exit(1)
