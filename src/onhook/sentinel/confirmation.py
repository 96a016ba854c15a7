"""The second kind of evidence: a suspicion counts only if the server agrees, asked anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from onhook.faults import Fault
from onhook.line import Dispatch
from onhook.sentinel.call_view import AgentView, CallView, ProbeResult
from onhook.sentinel.diverted_calls import OUTAGE
from onhook.sentinel.sightings import MembersListed
from onhook.sentinel.signals.budget import Budget, Use
from onhook.sentinel.suspicion import Need, Suspicion

__all__ = ["Confirmation", "Confirmed", "Table"]

_SETUP = 20.0
"""Seconds that an agent may take for its set-up once a worker has taken its job: ringing is not
silence (`Policy.setup`)."""
_BETWEEN = 0.7
"""Seconds between two questions to an agent whose host is suspected to be gone."""


class Table(Protocol):
    """What is known of all calls; see `CallTable`."""

    def take(self, sighting: MembersListed, now: float) -> None:
        """Take what was learned."""

    def probed(self, room: str, sid: str, result: ProbeResult, asked: float, now: float) -> None:
        """Take what an agent did with a question."""

    def view(self, room: str, now: float) -> CallView | None:
        """Return what is known of a call."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A suspicion that has been confirmed.

    Args:
        suspicion: As it is judged by what was just learned.
        view: The call, as just listed.
        evidence: What has confirmed it.
        dead: Identities of agents that have not answered.
    """

    suspicion: Suspicion
    view: CallView
    evidence: tuple[tuple[str, str], ...] = ()
    dead: tuple[str, ...] = ()


class Confirmation:
    """Asks the server anew, and judges anew by what it says.

    Args:
        table: Is told what was learned, and says what is known.
        judge: Finds a suspicion in a view; the detectors, with the call's own limits.
        ask: Asks an agent once whether it lives: room name and identity.
        listed: Lists who is in a room now; raises `ApiError`.
        sent: Lists the agents that were sent to a room; raises `ApiError`.
        expected: Returns whether an agent should come to a call with these dispatches.
        sends: Returns whether packets of an agent's voice arrive; `None` where that cannot be told.
        budget: What may be asked.
        clock: Monotonic seconds.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        table: Table,
        judge: Callable[[CallView, float], Suspicion | None],
        *,
        listed: Callable[[str], Awaitable[MembersListed]],
        sent: Callable[[str], Awaitable[Sequence[Dispatch]]],
        ask: Callable[[str, str], Awaitable[ProbeResult]],
        expected: Callable[[CallView, Sequence[Dispatch]], bool],
        sends: Callable[[str, str], Awaitable[bool | None]],
        budget: Budget,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._listed = listed
        self._sent = sent
        self._table = table
        self._judge = judge
        self._ask = ask
        self._expected = expected
        self._sends = sends
        self._budget = budget
        self._clock = clock
        self._sleep = sleep

    async def confirm(self, suspicion: Suspicion) -> Confirmed | None:
        """Return the suspicion as confirmed, or `None` where it is gone.

        Args:
            suspicion: What a detector has found.

        Raises:
            ApiError: The server has not answered: nothing is known, and nothing may follow.
        """
        self._spend()
        listed = await self._listed(suspicion.room)
        self._table.take(listed, self._clock())
        found = self._judged(suspicion)
        if found is None:
            return None
        evidence = [("listing", "asked anew: the same is suspected")]
        agents = tuple(agent.identity for agent in found.view.agents)
        if OUTAGE in suspicion.evidence:  # a person has said that the agents are no good
            return replace(found, evidence=tuple(evidence), dead=agents)
        if suspicion.fault is Fault.AGENT_ABSENT:
            self._spend()
            sent = await self._sent(suspicion.room)
            if self._on_its_way(sent, found.view) or not self._expected(found.view, sent):
                return None
            evidence.append(("dispatches", _described(sent)))
        zombie = suspicion.fault is Fault.AGENT_ZOMBIE  # asked already, and that is one kind only
        if not agents or not (zombie or Need.PROBE in suspicion.needs):
            return replace(found, evidence=tuple(evidence))
        what = "nothing of their voices arrives" if zombie else "two questions in a row unanswered"
        evidence.append(("agents", f"{', '.join(agents)}: {what}"))
        alive = not await self._all_dead(found)
        if alive or (found := self._judged(suspicion)) is None:
            return None
        return replace(found, evidence=tuple(evidence), dead=agents)

    def _judged(self, suspicion: Suspicion) -> Confirmed | None:
        """Judge by what is known now; another fault than before has to be confirmed by itself."""
        now = self._clock()
        view = self._table.view(suspicion.room, now)
        found = None if view is None else self._judge(view, now)
        if view is None or found is None or found.fault is not suspicion.fault:
            return None
        return Confirmed(found, view)

    def _on_its_way(self, sent: Sequence[Dispatch], view: CallView) -> bool:
        """Return whether a worker has taken a job for this call, and may still be setting it up."""
        waits = self._clock() - (view.no_agent_since or 0.0)
        return any(dispatch.jobs for dispatch in sent) and waits < _SETUP

    async def _all_dead(self, found: Confirmed) -> bool:
        fault, view = found.suspicion.fault, found.view
        seeks = self._has_no_voice if fault is Fault.AGENT_ZOMBIE else self._is_unanswering
        verdicts = await asyncio.gather(*(seeks(view, agent, fault) for agent in view.agents))
        return all(verdicts)

    async def _is_unanswering(self, view: CallView, agent: AgentView, fault: Fault) -> bool:
        """Ask twice, the second time while the first may still be answered.

        A host that is lost acknowledges neither; a blocked event loop is another fault.
        """
        results = await asyncio.gather(
            self._asked(view, agent, 0.0), self._asked(view, agent, _BETWEEN)
        )
        gone = (ProbeResult.GONE, *(() if fault is Fault.HOST_LOST else (ProbeResult.BLOCKED,)))
        return all(result in gone for result in results)

    async def _has_no_voice(self, view: CallView, agent: AgentView, _: Fault) -> bool:
        """Listen to an agent that has left two questions unanswered: is anything sent by it?

        One that is blocked sends silence; it has had its longer time to come back.
        """
        voice = next((leg for leg in view.call.legs if leg.identity == agent.identity), None)
        if agent.blocked:
            return await self._asked(view, agent, 0.0) is ProbeResult.BLOCKED
        published = voice is not None and voice.audible
        sends = await self._sends(view.room, agent.identity) if published else None
        if sends is None:  # there is nothing to listen to: it has to leave a third one unanswered
            return await self._asked(view, agent, 0.0) is ProbeResult.GONE
        return not sends

    async def _asked(self, view: CallView, agent: AgentView, after: float) -> ProbeResult:
        """Ask once; every answer is told to the table."""
        await self._sleep(after)
        asked = self._clock()
        result = await self._ask(view.room, agent.identity)
        self._table.probed(view.room, agent.sid, result, asked, self._clock())
        return result

    def _spend(self) -> None:
        if not self._budget.spend(Use.CONFIRM):
            self._budget.spend(Use.RESCUE)  # a caller waits


def _described(sent: Sequence[Dispatch]) -> str:
    told = (f"{d.agent_name!r}: {len(d.jobs)} jobs" for d in sent)
    return "; ".join(told) or "none"
