"""A host of its own for a worker: a network namespace whose cable can be cut."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

__all__ = ["AgentHost", "agent_host", "can_make_hosts"]

HERE, THERE = "10.77.0.1", "10.77.0.2"
_NAME, _CABLE, _FAR = "onhook-agents", "onhook0", "onhook1"


@dataclass(frozen=True)
class AgentHost:
    """Where a worker runs, and how it reaches the servers here."""

    interface: str = _CABLE
    address: str = HERE
    wrap: tuple[str, ...] = ("ip", "netns", "exec", _NAME)

    async def cut(self) -> None:
        """Cut the cable: nothing is told to anybody."""
        await _ip("-n", _NAME, "link", "set", _FAR, "down")


@contextlib.asynccontextmanager
async def agent_host() -> AsyncIterator[AgentHost]:
    """Make the host, and take it away again."""
    await _gone()
    await _ip("netns", "add", _NAME)
    try:
        await _ip("link", "add", _CABLE, "type", "veth", "peer", "name", _FAR, "netns", _NAME)
        await _ip("addr", "add", f"{HERE}/24", "dev", _CABLE)
        await _ip("link", "set", _CABLE, "up")
        await _ip("-n", _NAME, "addr", "add", f"{THERE}/24", "dev", _FAR)
        for name in (_FAR, "lo"):
            await _ip("-n", _NAME, "link", "set", name, "up")
        yield AgentHost()
    finally:
        await _gone()


async def can_make_hosts() -> bool:
    """Return whether this machine lets us."""
    try:
        async with agent_host():
            return True
    except (OSError, AssertionError):
        return False


async def _gone() -> None:
    for command in (("netns", "del", _NAME), ("link", "del", _CABLE)):
        with contextlib.suppress(OSError, AssertionError):
            await _ip(*command)


async def _ip(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec("ip", *arguments, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 0, f"ip {' '.join(arguments)}: {said.decode().strip()}"
