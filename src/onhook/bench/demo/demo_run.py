"""Four calls to one failing agent, on the real servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from onhook.bench.demo import demo_agent, demo_callers
from onhook.bench.demo.demo_agent import AGENT, FOLDER
from onhook.bench.demo.demo_result import DemoResult
from onhook.bench.stack import Route, Stack
from onhook.bench.stack.server_process import Server
from onhook.errors import OnhookError
from onhook.livekit.framework.command_line import start_command

__all__ = ["SCENARIOS", "run_demo"]

SCENARIOS = ("unguarded", "hand-written", "onhook", "onhook + colleague")
"""What stands between the failure and the caller, call by call."""

_PATIENCE = 10.0
"""Seconds after the failure at which the caller hangs up, if nobody has released the line."""
_WORKER = 60.0
_FAULT = 30.0
_POLL = 0.02


async def run_demo(folder: Path, tell: Callable[[str], None]) -> tuple[bool, Sequence[DemoResult]]:
    """Place the calls.

    Args:
        folder: For logs.
        tell: Is told what happens.

    Returns:
        Whether they were real SIP calls, and what each was like.

    Raises:
        OnhookError: A server or the agent did not start, or a call was not answered.
    """
    tell("starting redis-server, livekit-server and livekit-sip on loopback")
    routes = [Route(f"+1555010{place}", AGENT, name) for place, name in enumerate(SCENARIOS)]
    async with Stack(routes, folder=folder, sip="optional") as stack:
        tell("starting the agent's worker")
        async with _worker(stack, folder):
            stories = []
            for place, name in enumerate(SCENARIOS):
                tell(f"call {place + 1} of {len(SCENARIOS)}: {name}")
                stories.append(await _call(stack, folder, routes[place]))
            return stack.sip_address is not None, stories


@asynccontextmanager
async def _worker(stack: Stack, folder: Path) -> AsyncIterator[None]:
    log = folder / "agent.log"
    env = {
        **stack.env,
        FOLDER: str(folder),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "ONHOOK_WATCHDOG": "off",
        "ONHOOK_JOURNAL": str(folder / "incidents.db"),
    }
    worker = Server("agent", start_command(demo_agent.__name__), log, env)

    async def registered() -> bool:
        return "registered worker" in log.read_text(errors="replace")

    try:
        await worker.start()
        await worker.healthy(registered, deadline=_WORKER)
        yield
    finally:
        await worker.stop()


async def _call(stack: Stack, folder: Path, route: Route) -> DemoResult:
    name = route.metadata
    async with AsyncExitStack() as open_until_the_end:
        enter = open_until_the_end.enter_async_context
        if stack.sip_address is None:
            room = f"call-{route.number}"
            caller = await enter(demo_callers.room_caller(stack, room, name))
        else:
            mine = route.number.replace("+1555", "+1777")
            caller = await enter(demo_callers.phone_caller(stack, route.number, mine))
        company = None
        if "colleague" in name:
            company = await enter(demo_callers.colleague(stack, caller.room))
        fault_at = await _fault(folder / f"{name}.fault")
        released = await caller.released(max(0.1, fault_at + _PATIENCE - time.monotonic()))
        note = ""
        if company is not None:
            note = "the colleague stayed" if company.isconnected() else "the colleague was cut off"
        return DemoResult(name, caller.heard(hung_up=not released), fault_at, note)


async def _fault(path: Path) -> float:
    """Wait until the agent, another process, has written down when it failed."""
    until = time.monotonic() + _FAULT
    while time.monotonic() < until:
        text = await asyncio.to_thread(lambda: path.read_text() if path.exists() else "")
        if text:
            return float(text)
        await asyncio.sleep(_POLL)
    raise OnhookError(
        f"the agent did not fail within {_FAULT:g} s: see {path.parent / 'agent.log'}"
    )
