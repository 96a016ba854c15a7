"""The job's side: one socket to the watchdog, which is closed by the kernel if all else fails."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from onhook import settings
from onhook.errors import ConfigurationError
from onhook.faults import Severity
from onhook.livekit.credentials import Credentials
from onhook.redaction import bounded
from onhook.rescue.events import Closed, Opened, RescueEvent
from onhook.tasks import end
from onhook.watchdog.client.backoff import pause
from onhook.watchdog.client.connection import Wire
from onhook.watchdog.client.spawn import start
from onhook.watchdog.daemon.liveness import BEAT
from onhook.watchdog.protocol.frames import PULSE, ProtocolError, encode
from onhook.watchdog.protocol.messages import NO_NEWS, TEXT, Beat, Bye, Hello, Message, Welcome
from onhook.watchdog.runtime_dir import RuntimeDir, WatchdogFiles

__all__ = ["Link", "Mode"]

Mode: TypeAlias = Literal["auto", "external", "off"]
"""How a job comes by its watchdog."""

logger = logging.getLogger("onhook")

_NEWS = 5.0
"""Seconds between beats that say more than that the loop runs, while the agent does the same."""
_LATE = 0.1
"""Seconds of lag that are worth telling at once."""
_HELD = 1.0
"""Seconds that a welcomed connection must last for the next search to begin without patience."""
_GIVEN_UP = 3
"""Attempts in vain after which the log says that ring 2 is missing; the attempts go on."""
_WELCOME = 5.0
"""Seconds for a watchdog to welcome the job; one that does not is left, and another looked for."""
_NOT_COVERED = "a job that is killed or hangs leaves its caller in silence"


class Link:
    """Holds a job's connection to the watchdog of its host, and tells it of the guard's rescue.

    A sink: what it is told is in the kernel's hands before the rung is climbed, so that a
    watchdog knows of it although the job dies in the next moment.

    Args:
        hello: What the job is.
        credentials: Server and key, which the job's watchdog shares.
        mode: `"auto"` starts a watchdog where none runs, `"external"` waits for one, `"off"` is
            without. `ONHOOK_WATCHDOG` in the environment has the last word.
        news: Returns what the agent does; its moments are by `clock`.
        files: Where the watchdog is; in this user's runtime folder when omitted.
        clock: Seconds of the host's monotonic clock.
    """

    def __init__(
        self,
        hello: Hello,
        credentials: Credentials,
        *,
        mode: Mode = "auto",
        news: Callable[[], Beat] = lambda: NO_NEWS,
        files: WatchdogFiles | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hello = hello
        self._credentials = credentials
        self._mode = settings.watchdog() or mode
        self._news = news
        self._up = False
        self._files = files
        self._clock = clock
        self._wire: Wire | None = None
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._attempts = 0
        self._task: asyncio.Task[None] | None = None
        self._rescue = ""
        self._frames: list[bytes] = []
        self._complained = False
        self._welcomed_at: float | None = None
        self._told_at = 0.0
        self._told_state = ""
        self.covered = False
        """Whether a watchdog has promised to rescue this call."""

    async def start(self) -> None:
        """Connect where a watchdog runs, at once; whatever takes longer is done beside the job."""
        if self._mode == "off" or self._task is not None:
            return
        if sys.platform == "win32":
            self._complain("the watchdog needs Unix sockets")
            return
        try:
            self._files = self._files or RuntimeDir.of_this_user().of(self._credentials)
        except ConfigurationError as error:
            self._complain(str(error))
            return
        self._connect()
        self._due = self._clock()
        self._beat()
        self._task = asyncio.create_task(self._run(), name="onhook-link")

    def up(self) -> None:
        """Say that the agent can be heard: from now on a loop that stands still is a fault."""
        self._up = True
        self._report(self._now(0.0))

    def _now(self, lag: float) -> Beat:
        news = self._news()
        state = (news.state or "up")[:TEXT] if self._up else ""
        return msgspec.structs.replace(news, lag=lag, state=state)

    def _report(self, beat: Beat) -> None:
        self._told_at, self._told_state = self._clock(), beat.state
        self._send(beat)

    async def bye(self, reason: str, *, released: bool = False) -> None:
        """Say that the job ends on purpose, with nobody left to rescue.

        Args:
            reason: The framework's word for it, or the agent's own.
            released: Whether the agent has left its call to others.
        """
        self._send(Bye(bounded(reason, TEXT), released))

    async def aclose(self) -> None:
        """Let go of the watchdog; safe to repeat. Without `bye` it takes the job for dead."""
        task, self._task = self._task, None
        if task is not None:
            await end(task)
        if self._timer is not None:
            self._timer.cancel()
        self._disconnect()

    def handle(self, event: RescueEvent) -> None:
        """Send what another rescuer must know, now and to every watchdog that comes later.

        Soft words for a turn that failed need no other rescuer.
        """
        try:
            if isinstance(event, Opened) and event.failure.severity is Severity.LOST:
                frame = encode(event)
                self._rescue = event.incident
                self._frames.clear()
            elif event.incident == self._rescue:
                frame = encode(event)
            else:
                return
        except ProtocolError as error:
            self._complain(str(error))
            return
        self._frames.append(frame)
        self._push(frame)
        if isinstance(event, Closed) and event.ending in ("kept", "recovered"):
            self._rescue = ""
            self._frames.clear()

    async def _run(self) -> None:
        """Find another watchdog whenever there is none that welcomes the job."""
        while True:
            self._changed.clear()
            if self._wire is None:
                try:
                    await self._find()
                except Exception:  # whatever it was: the next attempt may find one
                    logger.exception("looking for a watchdog failed")
                continue
            try:
                async with asyncio.timeout(_WELCOME if self._welcomed_at is None else None):
                    await self._changed.wait()
            except TimeoutError:
                self._complain(f"the watchdog did not answer within {_WELCOME:g} s")
                self._disconnect()

    async def _find(self) -> None:
        """Try once more to connect, later with every attempt since the last welcome that held."""
        attempts, self._attempts = self._attempts, self._attempts + 1
        await asyncio.sleep(pause(attempts))
        self._connect()
        if self._wire is None and self._mode == "auto":
            await self._start()
            self._connect()
        if self._wire is None and attempts >= _GIVEN_UP:
            where = self._files.socket if self._files is not None else "?"
            hint = "start one: onhook watchdog run" if self._mode == "external" else "see its log"
            self._complain(f"no watchdog answers at {where} ({hint})")

    async def _start(self) -> None:
        if self._files is None:
            return
        try:
            await start(self._files)
        except OSError as error:
            self._complain(f"the watchdog could not be started ({error})")

    def _beat(self) -> None:
        """Show that the event loop runs, for as long as it does.

        No task: livekit-agents cancels every task when the worker has died, and the guard's
        rescue goes on in the same loop.
        """
        now = self._clock()
        lag, self._due = max(0.0, now - self._due), now + BEAT
        self._timer = asyncio.get_running_loop().call_later(BEAT, self._beat)
        if self._wire is None:
            return
        beat = self._now(lag)
        if lag > _LATE or now - self._told_at > _NEWS or beat.state != self._told_state:
            self._report(beat)
        else:
            self._push(PULSE)

    def _connect(self) -> bool:
        """Connect and introduce the job, all at once: a Unix socket does not wait."""
        if self._files is None:
            return False
        wire = Wire.to(self._files.socket, self._take, self._lost)
        if wire is None:
            return False
        self._wire = wire
        self._send(self._hello)
        if self._up:
            self._report(self._now(0.0))
        for frame in self._frames:
            self._push(frame)
        return True

    def _disconnect(self) -> None:
        wire, self._wire = self._wire, None
        welcomed_at, self._welcomed_at = self._welcomed_at, None
        if welcomed_at is not None and self._clock() - welcomed_at >= _HELD:
            self._attempts = 0
        if wire is not None:
            self._attempts = max(self._attempts, 1)  # whoever drops us is not called at once
        self.covered = False
        self._changed.set()
        if wire is not None:
            wire.close()

    def _lost(self, wire: Wire, why: str) -> None:
        if why:
            self._complain(why)
        if wire is self._wire:
            self._disconnect()

    def _take(self, message: Message) -> None:
        if isinstance(message, Welcome):
            self.covered = not message.unable
            if message.unable:
                self._complain(f"the watchdog cannot rescue its call: {message.unable}")
            if self._welcomed_at is None:
                self._welcomed_at = self._clock()
            self._changed.set()

    def _send(self, message: Message) -> None:
        try:
            self._push(encode(message))
        except ProtocolError as error:
            self._complain(str(error))
            self._disconnect()

    def _push(self, frame: bytes) -> None:
        if self._wire is not None:
            self._wire.push(frame)

    def _complain(self, what: str) -> None:
        """Say once what is not covered."""
        if not self._complained:
            self._complained = True
            job = self._hello.job
            logger.warning("ring 2 is off for job %s: %s; until then %s", job, what, _NOT_COVERED)
