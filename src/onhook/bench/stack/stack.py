"""A stack: three servers, started, wired and ended together."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Literal

from onhook.bench.stack import config, health
from onhook.bench.stack.ports import HOST, Ports, choose_ports
from onhook.bench.stack.programs import find_programs
from onhook.bench.stack.routing import Route, Router
from onhook.bench.stack.server_process import Server
from onhook.bench.stack.stack_errors import StackError

__all__ = ["Stack"]

_STARTS = 3
_HEALTHY = 20.0
_CATCH_ALL_RINGING = 3.0


class Stack:
    """redis-server, livekit-server and livekit-sip on loopback, as an async context manager.

    Several stacks run side by side. The servers die with this process, however it dies.

    Args:
        routes: Numbers and the agents they ring at.
        folder: Where configuration and logs go; a temporary folder when omitted.
        sip: `"required"`, `"optional"` (`Stack.sip_address` is then `None` where livekit-sip is
            missing) or `"off"`.
        ringing: Seconds that an unanswered call rings (the trunk's `ringing_timeout`).
        next_keys: A second key that the server knows, as while keys are rotated.
        webhooks: Addresses that the server sends its webhooks to.
        also_at: Further interfaces where the server can be reached, and their addresses.
        keeps: Whether Redis keeps what it knows in `folder`, so that it survives a restart.
    """

    def __init__(
        self,
        routes: Sequence[Route] = (),
        *,
        folder: Path | None = None,
        sip: Literal["required", "optional", "off"] = "required",
        ringing: float = 20.0,
        next_keys: config.Keys | None = None,
        webhooks: Sequence[str] = (),
        also_at: Mapping[str, str] = MappingProxyType({}),
        keeps: bool = False,
    ) -> None:
        self._routes = routes
        self._sip = sip
        self._ringing = ringing
        self._keys = config.Keys()
        self._known_keys = [self._keys, *([next_keys] if next_keys else [])]
        self._webhooks = webhooks
        self._also_at = also_at
        self._keeps = keeps
        self._ports: Ports | None = None
        self._servers: dict[str, Server] = {}
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="onhook-stack-")
        self.folder = folder or Path(self._temporary.name if self._temporary else ".")
        """Configuration (readable by its owner only) and the servers' logs."""

    async def __aenter__(self) -> Stack:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop()

    @property
    def url(self) -> str:
        """The server's WebSocket address."""
        return f"ws://{HOST}:{self._bound.http}"

    @property
    def sip_address(self) -> str | None:
        """`HOST:PORT` of the SIP service, or `None` where there is none."""
        return f"{HOST}:{self._bound.sip}" if "livekit-sip" in self._servers else None

    @property
    def env(self) -> Mapping[str, str]:
        """The variables by which agents and tools find the server. Holds the secret."""
        return {
            "LIVEKIT_URL": self.url,
            "LIVEKIT_API_KEY": self._keys.key,
            "LIVEKIT_API_SECRET": self._keys.secret,
        }

    @property
    def pids(self) -> Mapping[str, int]:
        """The process ids of the servers, by name."""
        return {name: server.pid for name, server in self._servers.items()}

    async def add_route(self, route: Route, *, ringing: float | None = None) -> None:
        """Let one more number ring at an agent.

        Raises:
            StackError: The server refused it, for example because the number has a route.
        """
        await self._router.add(route, ringing=self._ringing if ringing is None else ringing)

    async def add_outbound_trunk(self, address: str, *, number: str = "+15550199") -> str:
        """Make a trunk through which agents call `address` (`HOST:PORT`); return its id.

        Raises:
            StackError: The server refused it.
        """
        return await self._router.outbound(address, number)

    def kill(self, name: str, sig: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to one of the servers.

        Raises:
            StackError: There is no such server, or it is not running.
        """
        self._known(name).kill(sig)

    async def restart(self, name: str) -> None:
        """Start one of the servers again, at its old ports, and wait until it answers.

        Args:
            name: Its name. One that still runs is ended before.

        Raises:
            StackError: There is no such server, or it is not healthy in time.
        """
        server = self._known(name)
        await server.stop()
        await server.start()
        await server.healthy(self._checks[name], deadline=_HEALTHY)

    async def ended(self) -> Server:
        """Wait until one of the servers has ended by itself, and return it.

        Raises:
            StackError: The stack is not running.
        """
        if not self._servers:
            raise StackError("the stack is not running: use it as `async with Stack() as stack`")
        waiting = {
            asyncio.create_task(server.wait(), name=f"stack-wait-{name}"): server
            for name, server in self._servers.items()
        }
        try:
            ended, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            return waiting[next(iter(ended))]
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def _known(self, name: str) -> Server:
        if name not in self._servers:
            raise StackError(f"no server {name!r} in this stack; it has {', '.join(self._servers)}")
        return self._servers[name]

    @property
    def _checks(self) -> Mapping[str, Callable[[], Awaitable[bool]]]:
        ports = self._bound
        return {
            "redis-server": lambda: health.redis(ports.redis),
            "livekit-server": self._router.ready,
            "livekit-sip": lambda: health.sip(ports.sip),
        }

    @property
    def _bound(self) -> Ports:
        if self._ports is None:
            raise StackError("the stack is not running: use it as `async with Stack() as stack`")
        return self._ports

    @property
    def _router(self) -> Router:
        return Router(self.url, self._keys.key, self._keys.secret)

    async def _start(self) -> None:
        programs = find_programs(sip=self._sip != "off", sip_required=self._sip == "required")
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept = self.folder if self._keeps else None
        for attempt in range(_STARTS):
            self._ports = ports = choose_ports()
            commands = {
                "redis-server": [str(programs.redis), *config.redis_arguments(ports, kept)],
                "livekit-server": [str(programs.server), "--config", str(self._file("server"))],
            }
            server = config.livekit_server(
                ports, *self._known_keys, webhooks=self._webhooks, also_at=self._also_at
            )
            config.write(self._file("server"), server)
            if programs.sip is not None:
                commands["livekit-sip"] = [str(programs.sip), "--config", str(self._file("sip"))]
                config.write(self._file("sip"), config.livekit_sip(ports, self._keys))
            try:
                await self._launch(commands)
            except StackError as error:
                await self._stop_servers()
                if "address already in use" not in str(error).lower() or attempt == _STARTS - 1:
                    raise
            else:
                break
        await self._router.catch_all(ringing=_CATCH_ALL_RINGING)
        for route in self._routes:
            await self.add_route(route)

    async def _launch(self, commands: Mapping[str, Sequence[str]]) -> None:
        checks = self._checks
        for name, command in commands.items():
            server = Server(name, command, self.folder / f"{name}.log")
            self._servers[name] = server
            await server.start()
            await server.healthy(checks[name], deadline=_HEALTHY)

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.yaml"

    async def _stop(self) -> None:
        await self._stop_servers()
        if self._temporary is not None:
            self._temporary.cleanup()

    async def _stop_servers(self) -> None:
        for server in reversed(self._servers.values()):
            await server.stop()
        self._servers.clear()
        for name in ("server", "sip"):
            self._file(name).unlink(missing_ok=True)  # they hold the secret, the logs do not
