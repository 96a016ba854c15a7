"""From a suspicion to an outcome: confirmed, claimed, rescued; each call by one task at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from onhook.errors import ApiError
from onhook.faults import Fault
from onhook.incident import Ending, Mode, Outcome
from onhook.rescue.events import Opened, RescueEvent
from onhook.sentinel.breaker import Breaker
from onhook.sentinel.call_view import CallView
from onhook.sentinel.confirmation import Confirmation, Confirmed
from onhook.sentinel.fleet.claims import (
    Claim,
    ClaimLostError,
    Claims,
    FleetUnavailableError,
    Refused,
)
from onhook.sentinel.fleet.held_claim import HeldClaim
from onhook.sentinel.plans import Plan
from onhook.sentinel.rescuer import CallRescuer, ConfirmedCall
from onhook.sentinel.seen_calls import call_key
from onhook.sentinel.suspicion import Suspicion
from onhook.sentinel.task_pool import TaskPool

__all__ = ["Attendance", "Attended"]

logger = logging.getLogger("onhook")

K = TypeVar("K")
V = TypeVar("V")

_AT_ONCE = 64
"""Calls that are attended to at a time; the longest silence comes first."""
_CONFIRM = 8.0
_LEASE = 3.0
"""Seconds that a claim outlasts a request to the server."""
_SOON, _LATER = 1.0, 2.0
"""Seconds until a call is looked at again: its server failed, its suspicion was not confirmed."""
_AGAIN, _LONGEST_AGAIN = 15.0, 240.0
"""Seconds until another try where a line could not be released, twice as many after each try."""
_REMEMBERED = 20_000
_SAME = 1.0
"""Seconds by which the beginning of one and the same silence may differ."""


@dataclass(frozen=True, slots=True)
class Attended:
    """A suspicion that was confirmed, and brought to its end.

    Args:
        fault: What it was.
        mode: Whether anything was done.
        ending: How it ended.
        lag: Seconds from the beginning of what is wrong until it was judged so.
        took: Seconds from the same to the end.
    """

    fault: Fault
    mode: Mode
    ending: Ending
    lag: float
    took: float


class Attendance:
    """Attends to suspicions.

    Args:
        confirmation: Asks anew.
        rescuer: Climbs ladders.
        claims: Who has which call.
        plan: Returns a call's plan.
        owner: This sentinel's name, one for each start of it.
        observe: Whether nothing is done, whatever the plans say.
        breaker: Says when the server should not be asked.
        tell: Is given what was brought to its end.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        confirmation: Confirmation,
        rescuer: CallRescuer,
        claims: Claims,
        plan: Callable[[CallView], Plan],
        *,
        owner: str,
        observe: bool,
        breaker: Breaker | None = None,
        tell: Callable[[Attended], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._confirmation = confirmation
        self._rescuer = rescuer
        self._claims = claims
        self._plan = plan
        self._owner = owner
        self._observe = observe
        self._tell = tell or (lambda _: None)
        self._clock = clock
        self._settled: OrderedDict[tuple[str, str], tuple[float, Ending | None]] = OrderedDict()
        self._not_before: OrderedDict[str, float] = OrderedDict()
        self._unreleased: OrderedDict[str, float] = OrderedDict()
        """How often the line of a room could not be released."""
        self.breaker = breaker or Breaker(clock=clock)
        self.pool = TaskPool(_AT_ONCE)
        self.endings: Counter[str] = Counter()
        """Outcomes of incidents since the start."""
        self.faults: Counter[str] = Counter()
        """Faults of these."""
        self.unconfirmed = 0
        """Suspicions that the server did not agree with."""
        self.claims_lost = 0
        """Rescues that were left to another sentinel."""
        self.queued = 0
        """Suspicions that had to wait for others when calls were last looked at."""

    def consider(self, suspected: Sequence[tuple[Suspicion, CallView]]) -> None:
        """Attend to calls, the longest silence first, as far as there is room.

        Args:
            suspected: What the detectors have found now; the same is found again until it is gone.
        """
        now = self._clock()
        self.queued = 0
        if self.breaker.open:
            return
        for suspicion, view in sorted(suspected, key=lambda pair: pair[0].since):
            if view.room in self.pool:
                continue
            if now < self._not_before.get(view.room, 0.0) or self._is_settled(suspicion, view):
                continue
            if not self.pool.start(view.room, partial(self._attend, suspicion)):
                self.queued += 1

    def is_kept(self, suspicion: Suspicion, view: CallView) -> bool:
        """Return whether a call was left as it is on purpose, though something is suspected.

        Args:
            suspicion: What.
            view: The call.
        """
        since, ending = self._settled.get((call_key(view), suspicion.fault), (0.0, None))
        return ending == "kept" and suspicion.since <= since + _SAME

    async def _attend(self, suspicion: Suspicion) -> None:
        room = suspicion.room
        try:
            async with asyncio.timeout(_CONFIRM):
                confirmed = await self._confirmation.confirm(suspicion)
        except (ApiError, TimeoutError) as error:
            self.breaker.failed()
            self._wait(room, _SOON)
            logger.warning(
                "room %s: whether %s is so is not known: %r", room, suspicion.fault, error
            )
            return
        self.breaker.succeeded()
        if confirmed is None:
            self.unconfirmed += 1
            self._wait(room, _LATER)
            return
        try:
            claimed = await self._claimed(confirmed)
            if claimed is not None:
                await self._rescue(confirmed, *claimed)
        except (ClaimLostError, FleetUnavailableError) as error:
            self.claims_lost += isinstance(error, ClaimLostError)
            self._wait(room, _SOON)
            logger.warning("room %s: left to another sentinel: %s", room, error)

    async def _claimed(self, confirmed: Confirmed) -> tuple[Claim, Sequence[RescueEvent]] | None:
        """Claim a call; `None` where another sentinel has it, or has dealt with this already.

        Where its line could not be released, what was done then comes with the claim: the caller is
        not told the same words again.
        """
        suspicion, key = confirmed.suspicion, call_key(confirmed.view)
        ttl = self._plan(confirmed.view).policy.api_timeout + _LEASE
        earlier: Sequence[RescueEvent] = ()
        found = await self._claims.claim(key, self._owner, ttl)
        if isinstance(found, Refused) and (done := found.finished) is not None:
            now, released = self._clock(), done.ending != "handed_outward"
            same = now - suspicion.since + _SAME > done.ago
            if same and released:
                self._settle(suspicion, confirmed.view, done.ending)
                return None
            # who has seen the call for the first time since then cannot know of another silence
            if same or (not released and confirmed.view.first_seen > now - done.ago):
                earlier = await self._claims.events(key)
            found = await self._claims.claim(key, self._owner, ttl, beyond=done.token)
        if isinstance(found, Refused):
            self._wait(suspicion.room, max(_SOON, found.until - self._clock()))
            return None
        known = any(isinstance(event, Opened) for event in earlier)
        return found, earlier if known else ()

    async def _rescue(
        self, confirmed: Confirmed, claim: Claim, earlier: Sequence[RescueEvent]
    ) -> None:
        suspicion, view = confirmed.suspicion, confirmed.view
        plan = self._plan(view)
        mode: Mode = "observe" if self._observe else plan.mode
        call = ConfirmedCall(
            suspicion, view.call, plan, mode, evidence=confirmed.evidence, dead=confirmed.dead
        )
        margin = plan.policy.api_timeout
        judged = self._clock()
        async with HeldClaim(
            self._claims, claim, ttl=margin + _LEASE, margin=margin, clock=self._clock
        ) as held:
            outcome = await self._rescuer.rescue(call, held, held.translated(earlier))
        self._closed(suspicion, view, outcome)
        began, ended = suspicion.since, self._clock()
        self._tell(Attended(suspicion.fault, mode, outcome.ending, judged - began, ended - began))

    def _closed(self, suspicion: Suspicion, view: CallView, outcome: Outcome) -> None:
        self.endings[outcome.ending] += 1
        self.faults[str(suspicion.fault)] += 1
        if outcome.ending == "handed_outward":  # nobody is further out: it is tried again
            tries = self._unreleased.get(view.room, 0)
            _remember(self._unreleased, view.room, tries + 1)
            self._wait(view.room, min(_AGAIN * 2 ** min(tries, 10), _LONGEST_AGAIN))
        else:
            self._unreleased.pop(view.room, None)
            self._settle(suspicion, view, outcome.ending)

    def _is_settled(self, suspicion: Suspicion, view: CallView) -> bool:
        since, _ = self._settled.get((call_key(view), suspicion.fault), (float("-inf"), None))
        return suspicion.since <= since + _SAME

    def _settle(self, suspicion: Suspicion, view: CallView, ending: Ending) -> None:
        """Remember that this silence has been dealt with; a later one is something new."""
        key = (call_key(view), str(suspicion.fault))
        _remember(self._settled, key, (suspicion.since, ending))

    def _wait(self, room: str, seconds: float) -> None:
        _remember(self._not_before, room, self._clock() + seconds)


def _remember(memory: OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > _REMEMBERED:
        memory.popitem(last=False)
