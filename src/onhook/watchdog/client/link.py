"""The job's side: one socket to the watchdog, which is closed by the kernel if all else fails."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable

from onhook.errors import ConfigurationError
from onhook.incident import Incident, Outcome, RungReport
from onhook.watchdog.client.connection import Wire
from onhook.watchdog.client.mode import Mode, override
from onhook.watchdog.client.replay_log import ReplayLog
from onhook.watchdog.client.spawn import start
from onhook.watchdog.daemon.liveness import BEAT
from onhook.watchdog.protocol.frames import PULSE, ProtocolError, encode
from onhook.watchdog.protocol.messages import TEXT, Beat, Bye, Hello, Message, Moved, Welcome
from onhook.watchdog.protocol.version import is_newer
from onhook.watchdog.runtime_dir import RuntimeDir

__all__ = ["Link", "Mode"]

logger = logging.getLogger("onhook")

_NEWS = 5.0
"""Seconds between beats that say more than that the loop runs, while the agent does the same."""
_LATE = 0.1
"""Seconds of lag that are worth telling at once."""
_RETRY = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds until the next attempt to connect; the last repeats."""
_GIVEN_UP = 3
"""Attempts in vain after which the log says that ring 2 is missing; the attempts go on."""
_REFUSED = 5.0
"""Seconds until a watchdog that does not take the job on is asked again."""
_NOT_COVERED = "a job that is killed or hangs leaves its caller in silence"


class Link:
    """Holds a job's connection to the watchdog of its host, and tells it of the guard's rescue.

    An observer: what it is told is in the kernel's hands before the rung is climbed, so that a
    watchdog knows of it although the job dies in the next moment.

    Args:
        hello: What the job is.
        mode: `"auto"` starts a watchdog where none runs, `"external"` waits for one, `"off"` is
            without. `ONHOOK_WATCHDOG` in the environment has the last word.
        news: Returns what the agent does, and until when it could be heard by `clock`.
        place: Where the watchdog is; this user's runtime folder when omitted.
        clock: Seconds of the host's monotonic clock.
    """

    def __init__(
        self,
        hello: Hello,
        *,
        mode: Mode = "auto",
        news: Callable[[], tuple[str, float]] = lambda: ("", 0.0),
        place: RuntimeDir | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hello = hello
        self._mode = override() or mode
        self._news = news
        self._up = False
        self._place = place
        self._clock = clock
        self._wire: Wire | None = None
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._refused = False
        self._task: asyncio.Task[None] | None = None
        self._moving: asyncio.Task[None] | None = None
        self._story = ReplayLog(hello.policy)
        self._complained = False
        self._outdated = False
        self._replaced = False
        self._told_at = 0.0
        self._told_state = ""
        self.covered = False
        """Whether a watchdog has promised to rescue this call."""

    async def start(self) -> None:
        """Connect where a watchdog runs, at once; whatever takes longer is done beside the job."""
        if self._mode == "off" or self._task is not None:
            return
        if sys.platform == "win32":
            self._complain(f"the watchdog needs Unix sockets, so {_NOT_COVERED}")
            return
        try:
            self._place = self._place or RuntimeDir.of_this_user()
        except ConfigurationError as error:
            self._complain(f"{error}; until then {_NOT_COVERED}")
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
        state, audible_until = self._news()
        return Beat(lag, (state or "up")[:TEXT] if self._up else "", audible_until)

    def _report(self, beat: Beat) -> None:
        self._told_at, self._told_state = self._clock(), beat.state
        self._send(beat)

    async def bye(self, reason: str) -> None:
        """Say that the job ends on purpose, with nobody left to rescue.

        Args:
            reason: The framework's word for it.
        """
        self._send(Bye(reason[:TEXT]))

    async def aclose(self) -> None:
        """Let go of the watchdog; safe to repeat. Without `bye` it takes the job for dead."""
        tasks = [task for task in (self._task, self._moving) if task is not None]
        self._task = self._moving = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        self._disconnect()

    def opened(self, incident: Incident) -> None:
        """See `Observer.opened`."""
        self._tell(self._story.opened, incident)

    def intent(self, incident: Incident, rung: str) -> None:
        """See `Observer.intent`."""
        self._tell(self._story.intent, incident, rung)

    def climbed(self, incident: Incident, report: RungReport) -> None:
        """See `Observer.climbed`."""
        self._tell(self._story.climbed, incident, report)

    def closed(self, incident: Incident, outcome: Outcome) -> None:
        """See `Observer.closed`."""
        self._tell(self._story.closed, incident, outcome)

    async def _run(self) -> None:
        """Find another watchdog whenever there is none, or only an older one."""
        attempts = 0
        while True:
            self._changed.clear()
            if self._wire is None:
                await self._find(attempts)
                attempts += 1
                continue
            attempts = 0
            if self._outdated:
                self._outdated, self._replaced = False, True
                await self._start(replace=True)
                continue
            await self._changed.wait()

    async def _find(self, attempts: int) -> None:
        if self._refused:
            self._refused = False
            await asyncio.sleep(_REFUSED)
        elif attempts:
            await asyncio.sleep(_RETRY[min(attempts, len(_RETRY)) - 1])
        self._connect()
        if self._wire is None and self._mode == "auto":
            await self._start(replace=False)
            self._connect()
        if self._wire is None and attempts >= _GIVEN_UP:
            where = self._place.socket if self._place is not None else "?"
            hint = "start one: onhook watchdog run" if self._mode == "external" else "see its log"
            self._complain(f"no watchdog answers at {where} ({hint}); until then {_NOT_COVERED}")

    async def _start(self, *, replace: bool) -> None:
        if self._place is None:
            return
        try:
            await start(self._place, replace=replace)
        except OSError as error:
            self._complain(f"the watchdog could not be started ({error}); {_NOT_COVERED}")

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
        if self._place is None:
            return False
        wire = Wire.to(self._place.socket, self._take, self._lost)
        if wire is None:
            return False
        self._wire = wire
        self._send(self._hello)
        if self._up:
            self._report(self._now(0.0))
        for frame in self._story:
            self._push(frame)
        return True

    def _disconnect(self) -> None:
        wire, self._wire = self._wire, None
        self.covered = False
        self._changed.set()
        if wire is not None:
            wire.close()

    def _lost(self, wire: Wire, why: str) -> None:
        if why:
            self._complain(f"{why}; {_NOT_COVERED}")
        if wire is self._wire:
            self._disconnect()

    def _take(self, message: Message) -> None:
        match message:
            case Welcome():
                self.covered = message.covered
                if not message.covered:
                    self._complain(f"{message.reason}; until then {_NOT_COVERED}")
                    self._refused = True
                    self._disconnect()
                elif self._mode == "auto" and not self._replaced:
                    self._outdated = is_newer(self._hello.version, message.version)
                    self._changed.set()
            case Moved() if self._moving is None or self._moving.done():
                self._moving = asyncio.create_task(self._move(), name="onhook-move")

    async def _move(self) -> None:
        """Introduce the job to another watchdog, and only then take leave of this one."""
        old = self._wire
        for pause in _RETRY:
            if self._wire is not old or old is None:
                return  # it is gone, and another is being looked for already
            if self._connect():
                old.push(encode(Bye("moved")))
                old.close()
                return
            if self._mode == "auto":
                await self._start(replace=False)
            await asyncio.sleep(pause)

    def _tell(self, told: Callable[..., bytes], *facts: object) -> None:
        """Send what another rescuer must know, now and to every watchdog that comes later."""
        try:
            self._push(told(*facts))
        except ProtocolError as error:
            self._complain(str(error))

    def _send(self, message: Message) -> None:
        try:
            self._push(encode(message))
        except ProtocolError as error:
            self._complain(f"{error}; until then {_NOT_COVERED}")
            self._disconnect()

    def _push(self, frame: bytes) -> None:
        if self._wire is not None:
            self._wire.push(frame)

    def _complain(self, what: str) -> None:
        """Say once what is not covered."""
        if not self._complained:
            self._complained = True
            logger.warning("ring 2 is off for job %s: %s", self._hello.job, what)
