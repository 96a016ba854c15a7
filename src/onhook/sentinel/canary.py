"""Asks from time to time whether agents take calls, so that it is known before a caller finds out.

A canary is a room of its own with a dispatch that is marked as one (`onhook.takeover.CANARY`). The
guard of a guarded agent joins in the agent's place and touches nothing else
(`onhook.jobguard.canary_call`); of an unguarded agent the entrypoint runs as for any call.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from livekit import api
from livekit.protocol.models import ParticipantInfo

from onhook.call import LegKind
from onhook.errors import ApiError
from onhook.livekit.api import ServerApi
from onhook.livekit.attribute_names import GUARD, agent_name_of
from onhook.livekit.framework.job_attributes import attributes_of, give_attributes
from onhook.livekit.picture import leg_from_listing
from onhook.sentinel.canary_settings import SOON, CanarySettings
from onhook.takeover import CANARY, CANARY_ROOM

__all__ = ["Canaries", "CanaryResult", "CanaryState"]

logger = logging.getLogger("onhook")

_PAUSES = (0.25, 0.25, 0.5, 0.5, 1.0)
"""Seconds between looks into the room; the last one repeats."""
_ANSWER = 1.5
"""Seconds from an agent's joining until its guard must have told that it is one."""
_DELETE = 3.0
"""Seconds for deleting the room."""
_EMPTY = 15
"""Seconds after which the server itself deletes a room without people; agents count as none
(livekit-server `rtc/room.go`)."""
_NO_BUDGET = "the budget of requests to the API was used up"


class CanaryState(StrEnum):
    """What a canary has found."""

    TAKES_CALLS = "takes calls"
    NOT_TAKEN = "no worker has taken the call"
    NOT_JOINED = "a worker has taken the call, and no agent has come"
    UNGUARDED = "its guard has not answered: the agent itself has run"
    UNKNOWN = "could not be asked"


_WELL = (CanaryState.TAKES_CALLS, CanaryState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class CanaryResult:
    """One answer.

    Args:
        agent: The agent's name.
        state: What was found.
        seconds: How long it took.
        detail: More about it, for a person.
        at: When, in seconds since 1970.
    """

    agent: str
    state: CanaryState
    seconds: float
    detail: str = ""
    at: float = field(default_factory=time.time, compare=False)


class Canaries:
    """Asks one agent after the other, for as long as the sentinel runs.

    Args:
        settings: Who is asked, and how often.
        server: The server's API; needs the grants `roomCreate` and `roomAdmin`.
        spend: Takes so many requests out of the API's budget; returns whether they may be sent.
        tell: Is given every result.
        clock: Monotonic seconds.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        settings: CanarySettings,
        server: ServerApi,
        *,
        spend: Callable[[int], bool],
        tell: Callable[[CanaryResult], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._server = server
        self._spend = spend
        self._tell = tell or (lambda _: None)
        self._clock = clock
        self._sleep = sleep
        self._latest: dict[str, CanaryResult] = {}
        self._known: dict[str, CanaryState] = {}
        self.counts: Counter[tuple[str, CanaryState]] = Counter()
        """How often each agent was found so, since the start."""
        self.asked_at: dict[str, float] = {}
        """When each agent was last asked, by the clock."""

    @property
    def latest(self) -> Mapping[str, CanaryResult]:
        """The newest result for each agent that was asked."""
        return dict(self._latest)

    async def run(self) -> None:
        """Ask for ever; the agents are spread over the time between two questions."""
        every, agents = self._settings.every, self._settings.agents
        began = self._clock()
        due = {agent: began + every * place / len(agents) for place, agent in enumerate(agents)}
        while due:
            agent = min(due, key=lambda name: due[name])
            await self._sleep(max(0.0, due[agent] - self._clock()))
            if not self._spend(1):
                due[agent] = self._clock() + SOON
                continue
            result = await self._asked(agent)
            self._take(result)
            pause = every if result.state is CanaryState.TAKES_CALLS else SOON
            due[agent] = self._clock() + pause
            if result.state is CanaryState.UNGUARDED:
                del due[agent]
        await asyncio.Event().wait()  # nobody is left to ask; the sentinel goes on

    async def _asked(self, agent: str) -> CanaryResult:
        """Ask one agent; a fault of ours says nothing about it, and the others are asked still."""
        try:
            return await self.ask(agent)
        except Exception as error:
            logger.exception("agent %r could not be asked whether it takes calls", agent)
            return CanaryResult(agent, CanaryState.UNKNOWN, 0.0, repr(error))

    async def ask(self, agent: str) -> CanaryResult:
        """Ask one agent; its room is deleted whatever happens.

        Args:
            agent: The agent's name.
        """
        began = self._clock()
        room = f"{CANARY_ROOM}{secrets.token_hex(6)}"
        state, detail = CanaryState.UNKNOWN, ""
        try:
            await self._make(room, agent)
            state = await self._answer(room, agent, began)
            detail = _NO_BUDGET * (state is CanaryState.UNKNOWN)
            seconds = self._clock() - began
        except ApiError as error:
            detail, seconds = str(error), self._clock() - began
        finally:
            await self._delete(room)
        return CanaryResult(agent, state, seconds, detail)

    async def _make(self, room: str, agent: str) -> None:
        """Make the room with its dispatch in one request, as livekit-sip does for a call."""
        dispatch = api.RoomAgentDispatch(agent_name=agent)
        give_attributes(dispatch, {CANARY: "1"})
        request = api.CreateRoomRequest(
            name=room, empty_timeout=_EMPTY, departure_timeout=1, agents=[dispatch]
        )
        if not attributes_of(dispatch):
            raise ApiError(
                "this livekit-protocol knows no attributes of a dispatch: upgrade livekit-api",
                code="unsupported",
                passing=False,
            )
        await self._server.request(
            "make", room, "roomCreate", lambda client: client.room.create_room(request)
        )

    async def _answer(self, room: str, agent: str, began: float) -> CanaryState:
        until, pauses = began + self._settings.bound, iter(_PAUSES)
        joined, looked = 0.0, False
        while (now := self._clock()) < until:
            await self._sleep(min(next(pauses, _PAUSES[-1]), until - now))
            looked = self._spend(1)
            if not looked:
                continue
            here = [p for p in await self._server.participants(room) if _is_agent(p, agent)]
            if not here:
                continue
            if agent in self._settings.unguarded or any(p.attributes.get(GUARD) for p in here):
                return CanaryState.TAKES_CALLS
            joined = joined or self._clock()
            if self._clock() - joined >= _ANSWER:
                return CanaryState.UNGUARDED
            until = max(until, joined + _ANSWER)
        if joined:
            return CanaryState.UNGUARDED
        if not looked or not self._spend(1):
            return CanaryState.UNKNOWN  # it may be there: nobody could look
        taken = any(dispatch.jobs for dispatch in await self._server.dispatches(room))
        return CanaryState.NOT_JOINED if taken else CanaryState.NOT_TAKEN

    async def _delete(self, room: str) -> None:
        self._spend(1)  # sent in any case
        try:
            async with asyncio.timeout(_DELETE):
                await self._server.delete_room(room)
        except (ApiError, TimeoutError) as error:
            logger.info("%s was not deleted, and ends by itself in %d s: %s", room, _EMPTY, error)

    def _take(self, result: CanaryResult) -> None:
        """Count a result, and log it where it is news."""
        agent, state = result.agent, result.state
        self._latest[agent] = result
        self.asked_at[agent] = self._clock()
        self.counts[agent, state] += 1
        before = self._known.get(agent)
        if state is not before:
            self._known[agent] = state
            self._log(result, before)
        try:
            self._tell(result)
        except Exception:
            logger.exception("a canary's result could not be told; the next ones are")

    def _log(self, result: CanaryResult, before: CanaryState | None) -> None:
        agent, state = result.agent, result.state
        if state is CanaryState.TAKES_CALLS:
            again = "again" if before not in (None, *_WELL) else f"within {result.seconds:.1f} s"
            logger.info("agent %r takes calls %s", agent, again)
        elif state is CanaryState.UNKNOWN:
            logger.info(
                "agent %r could not be asked whether it takes calls: %s", agent, result.detail
            )
        elif state is CanaryState.UNGUARDED:
            logger.error(
                "agent %r: its guard has not answered a canary, so the agent itself has run. It is "
                "asked no more: guard it with this onhook, or list it among the unguarded",
                agent,
            )
        else:
            logger.error("agent %r takes no calls: %s in %.0f s", agent, state, result.seconds)


def _is_agent(participant: ParticipantInfo, agent: str) -> bool:
    """Return whether a participant is an agent of that name, as far as its name is told."""
    here = leg_from_listing(participant).kind is LegKind.AGENT
    return here and agent_name_of(participant.attributes) in ("", agent)
