"""The second kind of evidence: a suspicion counts only if the server agrees, asked anew."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from onhook.faults import Fault
from onhook.line import Dispatch
from onhook.sentinel.call_view import AgentView, CallView, ProbeResult
from onhook.sentinel.diverted_calls import OUTAGE
from onhook.sentinel.sightings import MembersListed
from onhook.sentinel.signals.budget import Budget
from onhook.sentinel.suspicion import Need, Suspicion

__all__ = ["Confirmation", "Confirmed", "Table"]

logger = logging.getLogger("onhook")

_SETUP = 20.0
"""Seconds that an agent may take for its set-up once a worker has taken its job: ringing is not
silence (`Policy.setup`)."""
_BETWEEN = 0.7
"""Seconds between two questions to an agent whose host is suspected to be gone."""
_UNANSWERED = "two questions in a row unanswered"
_NO_VOICE = "nothing of its voice arrives"


class _DismissedError(Exception):
    """A suspicion that is not confirmed, and why."""


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
        try:
            return await self._confirmed(suspicion)
        except _DismissedError as why:
            logger.info("room %s: %s is not confirmed: %s", suspicion.room, suspicion.fault, why)
            return None

    async def _confirmed(self, suspicion: Suspicion) -> Confirmed:
        self._budget.confirm()
        listed = await self._listed(suspicion.room)
        self._table.take(listed, self._clock())
        found = self._judged(suspicion)
        evidence = [("listing", "asked anew: the same is suspected")]
        agents = tuple(agent.identity for agent in found.view.agents)
        if OUTAGE in suspicion.evidence:  # a person has said that the agents are no good
            return replace(found, evidence=tuple(evidence), dead=agents)
        if suspicion.fault is Fault.AGENT_ABSENT:
            evidence.append(("dispatches", await self._dispatched(found.view)))
        zombie = suspicion.fault is Fault.AGENT_ZOMBIE  # asked already, and that is one kind only
        if not agents or not (zombie or Need.PROBE in suspicion.needs):
            return replace(found, evidence=tuple(evidence))
        evidence.append(("agents", await self._dead(found)))
        return replace(self._judged(suspicion), evidence=tuple(evidence), dead=agents)

    def _judged(self, suspicion: Suspicion) -> Confirmed:
        """Judge by what is known now; another fault than before has to be confirmed by itself."""
        now = self._clock()
        view = self._table.view(suspicion.room, now)
        found = None if view is None else self._judge(view, now)
        if view is None or found is None or found.fault is not suspicion.fault:
            state = "the call is gone" if view is None else "it is in another state"
            raise _DismissedError(state if found is None else f"{state}: {found.fault}")
        return Confirmed(found, view)

    async def _dispatched(self, view: CallView) -> str:
        """Return which agents were sent to a call to which none has come."""
        self._budget.confirm()
        sent = await self._sent(view.room)
        if self._on_its_way(sent, view):
            raise _DismissedError("a worker has taken the job, and may still be setting it up")
        if not self._expected(view, sent):
            raise _DismissedError("no agent is expected")
        return _described(sent)

    def _on_its_way(self, sent: Sequence[Dispatch], view: CallView) -> bool:
        """Return whether a worker has taken a job for this call, and may still be setting it up."""
        waits = self._clock() - (view.no_agent_since or 0.0)
        return any(dispatch.jobs for dispatch in sent) and waits < _SETUP

    async def _dead(self, found: Confirmed) -> str:
        """Return of each agent by what it is known to be dead."""
        fault, view = found.suspicion.fault, found.view
        seeks = self._has_no_voice if fault is Fault.AGENT_ZOMBIE else self._is_unanswering
        verdicts = await asyncio.gather(*(seeks(view, agent, fault) for agent in view.agents))
        told = [(a.identity, why) for a, why in zip(view.agents, verdicts, strict=True)]
        if living := [who for who, why in told if not why]:
            raise _DismissedError(f"{', '.join(living)}: lives, or nobody can tell")
        return "; ".join(f"{who}: {why}" for who, why in told)

    async def _is_unanswering(self, view: CallView, agent: AgentView, fault: Fault) -> str:
        """Ask twice, the second time while the first may still be answered.

        A host that is lost acknowledges neither; a blocked event loop is another fault. Where the
        server cannot say what became of the questions, its voice is listened for.
        """
        results = await asyncio.gather(
            self._asked(view, agent, 0.0), self._asked(view, agent, _BETWEEN)
        )
        gone = (ProbeResult.GONE, *(() if fault is Fault.HOST_LOST else (ProbeResult.BLOCKED,)))
        if all(result in gone for result in results):
            return _UNANSWERED
        unsure = (*gone, ProbeResult.ABSENT, ProbeResult.UNKNOWN)
        if any(result not in unsure for result in results):
            return ""
        return _NO_VOICE if await self._sends_voice(view, agent) is False else ""

    async def _has_no_voice(self, view: CallView, agent: AgentView, _: Fault) -> str:
        """Listen to an agent that has left two questions unanswered: is anything sent by it?

        One that is blocked sends silence; it has had its longer time to come back.
        """
        if agent.blocked:
            blocked = await self._asked(view, agent, 0.0) is ProbeResult.BLOCKED
            return "acknowledged once more and unanswered" if blocked else ""
        sends = await self._sends_voice(view, agent)
        if sends is None:  # there is nothing to listen to: it has to leave a third one unanswered
            gone = await self._asked(view, agent, 0.0) is ProbeResult.GONE
            return "a third question unanswered" if gone else ""
        return "" if sends else _NO_VOICE

    async def _sends_voice(self, view: CallView, agent: AgentView) -> bool | None:
        """Return whether packets of its voice arrive; `None` where nobody can tell."""
        who = agent.identity
        return await self._sends(view.room, who) if view.sends(who) else None

    async def _asked(self, view: CallView, agent: AgentView, after: float) -> ProbeResult:
        """Ask once; every answer is told to the table."""
        await self._sleep(after)
        asked = self._clock()
        result = await self._ask(view.room, agent.identity)
        self._table.probed(view.room, agent.sid, result, asked, self._clock())
        return result


def _described(sent: Sequence[Dispatch]) -> str:
    told = (f"{d.agent_name!r}: {len(d.jobs)} jobs" for d in sent)
    return "; ".join(told) or "none"
