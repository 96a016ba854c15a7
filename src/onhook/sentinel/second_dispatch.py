"""A second dispatch for a caller whose line rings and to whom no agent comes: a free cure.

A dispatch that finds no worker is dropped and never repeated (livekit-server `pkg/agent`). What the
server lists of a dispatch tells little in its first seconds: for up to 5 s after its list of
workers has run out it shows no job of one that a worker has taken at once (`CheckEnabledTimeout` in
`agent/client.go`; seen on 1.13.5: after 5.2 s). So the first agent may still be on its way when the
second is sent. Whichever is superfluous is taken back before it is heard.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from onhook.call import Call
from onhook.errors import OnhookError
from onhook.line import Dispatch
from onhook.livekit.attribute_names import GUARD
from onhook.sentinel.call_view import CallView
from onhook.sentinel.plans import Plan
from onhook.sentinel.repeated_dispatch import Superfluous, superfluous, to_repeat
from onhook.sentinel.seen_calls import call_key
from onhook.takeover import SECOND_DISPATCH

__all__ = ["DispatchLine", "SecondDispatches"]

logger = logging.getLogger("onhook")

_API = 2.5
"""Seconds for all that is asked before an agent is sent: the caller waits."""
_LOOK = 0.1
"""Seconds between two looks at what webhooks have told: a late agent begins to speak half a second
after it has come."""
_SOON, _LATER = 1.0, 5.0
"""Seconds between two looks where two agents are there, and where one or none is."""
_LISTED = 5.5
"""Seconds after the room's first sighting when the server lists every job that was taken."""
_FOLLOW = 25.0
"""Seconds for which a late original is looked out for; some come after 16 s (livekit#4374)."""
_OWN_WAY = 3.0
"""Seconds that the guard of a superfluous agent has to leave by itself."""
_ENOUGH = 5.0
"""Seconds that an agent has to come, before its dispatch was in vain."""
_USELESS, _PAUSE = 4, 30.0
"""So many in a row of no use, and no more are sent for so many seconds: a pool of workers that is
dying, or merely slow, gets no herd of them."""


class DispatchLine(Protocol):
    """What is needed of a call's line; see `onhook.line.Line` and `LiveKitLine.dispatch`."""

    async def picture(self) -> Call:
        """Return who is on the call."""

    async def dispatches(self) -> Sequence[Dispatch]:
        """Return the agents that were sent to the room."""

    async def dispatch(self, agent_name: str, metadata: str, attributes: Mapping[str, str]) -> str:
        """Send an agent, while a caller is there."""

    async def withdraw(self, dispatch: str) -> None:
        """Take a dispatch and its agents back."""

    async def remove(self, identity: str) -> None:
        """Remove one participant."""


class SecondDispatches:
    """Sends them, each once, and sees to it that one agent stays.

    Args:
        line: Opens the line of a call: room name, and since when its caller waits.
        view_of: Returns what is known of a call now; `None` where it is gone.
        expected: Returns whether an agent should come to a call with these dispatches.
        once: Returns whether this sentinel is the one of several that sends it, by the call's key;
            raises `OnhookError` where nobody can tell.
        clock: Monotonic seconds.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        line: Callable[[str, float], AbstractAsyncContextManager[DispatchLine]],
        view_of: Callable[[str], CallView | None],
        *,
        expected: Callable[[CallView, Sequence[Dispatch]], bool] = lambda _, __: True,
        once: Callable[[str], Awaitable[bool]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._line = line
        self._view_of = view_of
        self._expected = expected
        self._once = once
        self._clock = clock
        self._sleep = sleep
        self._useless = 0
        self._paused_until = 0.0
        self.sent = 0
        """How many were sent since the start."""

    @property
    def paused(self) -> bool:
        """Whether none are sent now, because too many have brought nobody."""
        return self._clock() < self._paused_until

    async def send(self, view: CallView, plan: Plan) -> None:
        """Send a second dispatch, if the server agrees that none has been taken; then follow it.

        Args:
            view: The call, of which `is_second_dispatch_due` holds.
            plan: Its plan.
        """
        if self.paused:
            return
        waits_since = view.no_agent_since or self._clock()
        try:
            async with self._line(view.room, waits_since) as line:
                async with asyncio.timeout(_API):
                    made = await self._sent(line, view, plan)
                if made:
                    await self._follow(line, view, made)
        except (OnhookError, TimeoutError) as error:
            logger.warning("room %s: no second dispatch: %r", view.room, error)

    async def _sent(self, line: DispatchLine, view: CallView, plan: Plan) -> str:
        call = await line.picture()
        if not (call.complete and call.ringing) or call.company or call.other_agents:
            return ""
        sent = await line.dispatches()
        chosen = to_repeat(sent, plan) if self._expected(view, sent) else None
        if chosen is None or not (self._once is None or await self._once(call_key(view))):
            return ""
        name, metadata = chosen
        made = await line.dispatch(name, metadata, {SECOND_DISPATCH: "1"})
        self.sent += 1
        logger.warning(
            "room %s: rings for %.1f s and no agent has come: %r is dispatched once more",
            *(view.room, self._clock() - (view.no_agent_since or self._clock()), name),
        )
        return made

    async def _follow(self, line: DispatchLine, view: CallView, made: str) -> None:
        """Watch until one agent has the call, or nobody can be expected any more."""
        sent_at = self._clock()
        listed_at = view.first_seen + _LISTED
        before: frozenset[str] | None = None
        due, came = sent_at, False
        verdict = Superfluous()
        while (now := self._clock()) < sent_at + _FOLLOW:
            await self._sleep(_LOOK)
            current = self._view_of(view.room)
            if current is None or not current.call.callers:
                break
            agents = frozenset(agent.identity for agent in current.agents)
            came = came or bool(agents)
            if verdict.settled:
                await asyncio.gather(*map(line.remove, agents.intersection(verdict.agents)))
                continue
            if agents == before and now < due:
                continue
            before = agents
            due = now + (_SOON if len(agents) > 1 else _LATER)
            if now < listed_at:
                due = min(due, listed_at)
            verdict = await self._settled(line, current, made)
            if verdict.settled and not verdict.agents:
                break
        if came and verdict.dispatch != made:  # it has brought the agent that stays
            self._useless = 0
        elif verdict.dispatch or now - sent_at > _ENOUGH:
            self._count_useless()

    async def _settled(self, line: DispatchLine, view: CallView, made: str) -> Superfluous:
        """Take back what is one too many; return it."""
        call = await line.picture()  # before the dispatches: whoever is in it has to be in theirs
        came = {agent.identity: agent.since for agent in view.agents}
        verdict = superfluous(call, await line.dispatches(), made, came)
        if verdict.dispatch and self._gives_way(view):
            return Superfluous()
        if verdict.dispatch:
            logger.info("room %s: of two agents that were sent, one is taken back", view.room)
            await line.withdraw(verdict.dispatch)
        return verdict

    def _gives_way(self, view: CallView) -> bool:
        """Return whether the agent that came last is guarded, and may still leave by itself."""
        if len(view.agents) < 2:
            return False
        last = max(view.agents, key=lambda agent: agent.since)
        return GUARD in last.attributes and self._clock() - last.since < _OWN_WAY

    def _count_useless(self) -> None:
        self._useless += 1
        if self._useless >= _USELESS:
            self._useless, self._paused_until = 0, self._clock() + _PAUSE
            logger.error(
                "%d second dispatches in a row were of no use: nobody came, or the first one was "
                "on its way. None are sent for %g s",
                *(_USELESS, _PAUSE),
            )
