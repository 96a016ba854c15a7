"""What a guard tells of itself in its agent's attributes, for a sentinel and all in the room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from livekit import rtc

from onhook import settings
from onhook.errors import ApiError, ConfigurationError
from onhook.faults import Severity
from onhook.incident import Mode
from onhook.ladder import Ladder
from onhook.livekit.api import ServerApi
from onhook.livekit.attribute_names import GUARD, LADDER, RELEASED, RESCUE
from onhook.livekit.credentials import Credentials
from onhook.livekit.picture import from_room, has_audio
from onhook.livekit.room_changes import Changes
from onhook.policy import Policy
from onhook.rescue.events import Closed, Opened, RescueEvent
from onhook.rungs import Transfer
from onhook.tasks import end
from onhook.threads import in_thread
from onhook.version import VERSION

__all__ = ["Attributes"]

logger = logging.getLogger("onhook")

_DEADLINE = 2.0
"""Seconds for one request."""
_COMPLAINT = 3
"""Refusals in a row after which the log tells: a worker's grants may forbid it."""
_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Seconds between attempts."""
_SEEN = 5.0
"""Seconds after which the server has sent us our own attributes."""
_LADDER = 4096
"""Bytes of a ladder that travels."""
_REASON = 200
"""Characters of a reason that travel."""
_LEGS = 8
"""Callers that are marked."""


class Attributes:
    """Keeps one guarded agent's attributes as they shall be, for as long as it is in its room.

    Everything happens beside the agent, under a deadline, and is no evidence for anything. It is a
    `Sink` of rescue events.

    Args:
        room: The job's room.
        name: Its name.
        policy: Its ladder for a lost call is told.
        mode: A guard that only observes tells nothing but what its agent has said: `release`.
        open_api: Opens the server's API.
    """

    def __init__(
        self,
        room: rtc.Room,
        name: str,
        policy: Policy,
        mode: Mode = "act",
        *,
        open_api: Callable[[], ServerApi] | None = None,
    ) -> None:
        self._room = room
        self._name = name
        self._policy = policy
        self._observes = mode == "observe"
        self._open_api = open_api or _api
        self._changes = Changes(room)
        self._rescue = ""
        self._released = ""
        self._told: dict[str, str] | None = None
        """What the server has; `None` while it must be looked at."""
        self._told_at: float | None = None
        self._complained = False
        self._marks: set[asyncio.Task[None]] = set()
        self._cleared: set[str] = set()

    def handle(self, event: RescueEvent) -> None:
        """See `onhook.rescue.events.Sink`. Soft words for a turn that failed are told to nobody."""
        match event:
            case Opened() if event.failure.severity is Severity.LOST:
                seconds = event.ladder.longest(self._policy.api_timeout)
                self._rescue = f"{event.incident};{seconds:g}"
            case Closed():
                self._rescue = ""
            case _:
                return
        self._changes.wake()

    def release(self, reason: str) -> None:
        """Tell that the agent leaves its call on purpose; returns at once.

        Its own attributes leave with it, so that its callers' legs are marked too.

        Args:
            reason: Why.
        """
        self._released = reason[:_REASON]
        self._changes.wake()
        try:
            if _extent() != "off":
                self._mark(dict.fromkeys(self._callers(), self._released))
        except Exception:
            logger.exception("the callers in %s are not marked as released", self._name)

    async def follow(self) -> None:
        """Tell, and tell what changes, until cancelled."""
        extent = _extent()
        if extent == "off":
            return
        lasting: Mapping[str, str] = {}
        if not self._observes:
            lasting = await in_thread(_lasting, self._policy, extent)
        self._room.on("reconnected", self._look_again)
        try:
            with self._changes:
                await self._follow(lasting)
        finally:
            self._room.off("reconnected", self._look_again)

    async def aclose(self) -> None:
        """See what is under way to its end, which its deadlines bound."""
        if self._marks:
            await asyncio.wait(self._marks, timeout=_DEADLINE)
        await end(*self._marks)

    async def _follow(self, lasting: Mapping[str, str]) -> None:
        refused = 0
        while True:
            if self._room.isconnected():
                why = await self._tell(lasting)
                refused = refused + 1 if why else 0
                if refused == _COMPLAINT:
                    self._complain(why)
                elif not why and self._ignored(lasting):
                    self._complain("the server ignores its attributes (can_update_metadata?)")
                self._take_on()
            if refused:
                await asyncio.sleep(min(_PAUSE * 2.0 ** min(refused, 8), _LONGEST_PAUSE))
            else:
                await self._changes.wait(None)

    def _ignored(self, lasting: Mapping[str, str]) -> bool:
        """Return whether what was told some seconds ago is not there: rtc raises no refusal."""
        now = asyncio.get_running_loop().time()
        if self._told_at is None:
            self._told_at = now
        late = now - self._told_at > _SEEN
        return late and any(name not in self._room.local_participant.attributes for name in lasting)

    def _complain(self, why: str) -> None:
        if not self._complained:
            self._complained = True
            logger.warning(
                "no sentinel learns from room %s that it is guarded: %s. The guard does all the "
                "rest",
                *(self._name, why),
            )

    def _look_again(self) -> None:
        """A participant that had to join anew has the attributes of its token alone."""
        self._told = self._told_at = None
        self._changes.wake()

    async def _tell(self, lasting: Mapping[str, str]) -> str:
        """Set what is not as it shall be; return why that could not be done."""
        me = self._room.local_participant
        if self._told is None:
            self._told = dict(me.attributes)
        rescue = {} if self._observes else {RESCUE: self._rescue}
        wanted = {**lasting, **rescue, RELEASED: self._released}
        changed = {n: v for n, v in wanted.items() if v != self._told.get(n, "")}
        if not changed:
            return ""
        try:
            async with asyncio.timeout(_DEADLINE):
                await me.set_attributes(changed)
        except TimeoutError:
            return f"the server has not taken its attributes within {_DEADLINE:g} s"
        except Exception as error:  # noqa: BLE001 - rtc raises bare ones; nothing depends on this
            return f"its attributes were refused ({error!r})"
        if self._told is not None:  # else it has joined anew meanwhile
            self._told.update(changed)
        return ""

    def _take_on(self) -> None:
        """Answer for callers again whom another agent had left, once this one can be heard."""
        if self._observes or self._released or not has_audio(self._room.local_participant):
            return
        left = [
            leg.identity
            for leg in self._room.remote_participants.values()
            if leg.attributes.get(RELEASED) and leg.identity not in self._cleared
        ]
        callers = {leg for leg in self._callers() if leg in left}
        self._cleared |= callers
        self._mark(dict.fromkeys(callers, ""))

    def _callers(self) -> tuple[str, ...]:
        if not self._room.isconnected():
            return ()
        return tuple(leg.identity for leg in from_room(self._room).callers)[:_LEGS]

    def _mark(self, reasons: Mapping[str, str]) -> None:
        if reasons:
            task = asyncio.create_task(self._mark_legs(reasons), name="onhook-mark-callers")
            self._marks.add(task)
            task.add_done_callback(self._marks.discard)

    async def _mark_legs(self, reasons: Mapping[str, str]) -> None:
        try:
            async with asyncio.timeout(_DEADLINE), self._open_api() as api:
                for identity, reason in reasons.items():
                    await api.mark(self._name, identity, RELEASED, reason)
        except (ApiError, ConfigurationError, TimeoutError) as error:
            logger.info("the callers in %s are not marked as released: %s", self._name, error)


def _api() -> ServerApi:
    return ServerApi(Credentials.from_env(), timeout=_DEADLINE)


def _extent() -> str:
    try:
        return settings.attributes()
    except ConfigurationError as error:
        logger.error("%s; nothing is told", error)  # noqa: TRY400 - no traceback helps
        return "off"


def _lasting(policy: Policy, extent: str) -> dict[str, str]:
    """Return what is true for as long as the agent is there.

    Args:
        policy: The guard's.
        extent: See `onhook.settings.attributes`: everybody in the room can read it.
    """
    lasting = {GUARD: VERSION}
    ladder = Ladder.of(policy.lost)
    names_a_number = any(isinstance(rung, Transfer) for rung in ladder.rungs)
    if extent == "on" or (extent == "no-number" and not names_a_number):
        told = ladder.to_json()
        if len(told.encode()) <= _LADDER:
            lasting[LADDER] = told
    return lasting
