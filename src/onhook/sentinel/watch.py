"""Looks at all calls again and again, and begins what is due: a probe, a dispatch, a rescue."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from itertools import islice

from onhook.faults import Fault
from onhook.sentinel.attendance import Attendance
from onhook.sentinel.call_states import CallStateCount, CallStates
from onhook.sentinel.call_view import CallView, ProbeResult
from onhook.sentinel.calls import CallTable
from onhook.sentinel.detectors import (
    ProbeDue,
    is_scanner_due,
    is_second_dispatch_due,
    probes_due,
    row_of,
)
from onhook.sentinel.limits import Limits
from onhook.sentinel.plans_in_force import PlansInForce
from onhook.sentinel.scanners import Scanners
from onhook.sentinel.second_dispatch import SecondDispatches
from onhook.sentinel.seen_calls import SeenCalls
from onhook.sentinel.sightings import Sighting
from onhook.sentinel.suspicion import Suspicion
from onhook.sentinel.task_pool import TaskPool
from onhook.tasks import end

__all__ = ["Watch"]

logger = logging.getLogger("onhook")

_TICK = 0.2
"""Seconds between two looks at the calls that nobody looks after."""
_ROUND, _LONGEST_ROUND, _SHARE = 0.5, 5.0, 0.15
"""Seconds between two looks at all calls, from and to, and the part of the time that these may take
within: beside 20,000 calls on a slow core whom nobody looks after is judged in time. What waits for
such a look are the lengths of calls, outages, and questions."""
_SLICE = 200
"""Calls that are looked at before other work gets its turn."""
_PROBES, _DISPATCHES = 64, 16
_QUIET = 60.0
"""Seconds between two lines about calls that could not be judged."""
_LATE = 1.0
"""Seconds after which an agent that has not answered is asked a second time; a living one answers
within 10 ms, and one that is not there is told of after 2 s."""
_MISSING = (ProbeResult.GONE, ProbeResult.BLOCKED, ProbeResult.ABSENT)


class Watch:
    """Looks at calls.

    Args:
        table: What is known of them.
        plans: What is done for which.
        attendance: Attends to suspicions.
        second: Sends second dispatches.
        scanners: Removes scanners.
        learn: Is shown every call now and then.
        ask: Asks an agent once whether it lives: room name and identity.
        affordable: Returns how many questions may be asked now.
        affordable_again: The same for agents that have left one unanswered; `affordable` where
            omitted.
        observe: Whether nothing is done.
        leads: Whether it is for this sentinel to judge; of several that share it, one does.
        clock: Monotonic seconds.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        table: CallTable,
        plans: PlansInForce,
        attendance: Attendance,
        second: SecondDispatches,
        scanners: Scanners,
        *,
        learn: Callable[[CallView], None],
        ask: Callable[[str, str], Awaitable[ProbeResult]],
        affordable: Callable[[], int],
        affordable_again: Callable[[], int] | None = None,
        observe: bool = False,
        leads: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._table = table
        self._plans = plans
        self._attendance = attendance
        self._second = second
        self._scanners = scanners
        self._learn = learn
        self._ask = ask
        self._affordable = affordable
        self._affordable_again = affordable_again or affordable
        self._observe = observe
        self._leads = leads
        self._clock = clock
        self._sleep = sleep
        self._probing = TaskPool(_PROBES)
        self._sending = TaskPool(_DISPATCHES)
        self._silent: set[str] = set()
        """Rooms with an agent that has left a question unanswered."""
        self._dispatched = SeenCalls()
        self._to_be_answered: list[str] = []
        self._first = True
        self._broken_at = float("-inf")
        self.states = CallStates()
        """How many calls were in which state when all were last looked at."""
        self.looked_at = clock()
        """When calls were last looked at, or it was for another sentinel to do so."""

    def wants(self) -> list[str]:
        """Return the rooms whose participants should be listed, most urgent first.

        No webhook tells that a line was answered; where a call's length is limited, it is looked
        for.
        """
        return [*self._table.wants(self._clock()), *self._to_be_answered]

    def receive(self, sighting: Sighting) -> None:
        """Take what was learned, at once."""
        self._table.take(sighting, self._clock())

    async def quick(self) -> None:
        """Look at the calls that nobody looks after, for ever."""
        while True:
            self.looked_at = began = self._clock()
            if self._leads():
                await self._look(began)
            await self._sleep(max(_TICK - (self._clock() - began), 0.05))

    async def rounds(self) -> None:
        """Look at all calls, for ever: how long they last, and whether their agents live."""
        while True:
            began, worked = self._clock(), 0.0
            if self._leads():
                worked = await self._round()
            else:
                self.states = CallStates()  # that of the one who leads counts
            # a look that was held up, by SIGSTOP or a busy machine, is not the calls' own work
            period = min(max(_ROUND, worked / _SHARE), _LONGEST_ROUND)
            await self._sleep(max(period - (self._clock() - began), 0.05))

    async def aclose(self, seconds: float) -> None:
        """End what is under way; rescues may finish by themselves for some seconds.

        Args:
            seconds: How long.
        """
        await asyncio.gather(
            self._attendance.pool.aclose(seconds),
            self._sending.aclose(),
            self._probing.aclose(),
            self._scanners.aclose(),
        )

    async def _look(self, now: float) -> None:
        views = self._uneasy(now)
        suspected: list[tuple[Suspicion, CallView]] = []
        while chunk := list(islice(views, _SLICE)):
            for view in chunk:
                with self._spared(view):
                    self._look_at(view, now, suspected)
            await self._sleep(0)
        self._attendance.consider(suspected)

    def _look_at(
        self, view: CallView, now: float, suspected: list[tuple[Suspicion, CallView]]
    ) -> None:
        self._tell_of_first(view)
        plan = self._plans.plan(view)
        if found := self._plans.judge(view, now):
            suspected.append((found, view))
        if self._observe or plan.mode == "observe":
            return
        if is_scanner_due(view, now, plan.limits):
            self._scanners.remove(view)
        elif view.call.ringing and is_second_dispatch_due(view, now, plan.limits):
            self._send(view)

    @contextlib.contextmanager
    def _spared(self, view: CallView) -> Iterator[None]:
        """Spare all other calls what goes wrong with one, which is a bug."""
        try:
            yield
        except Exception:
            if (now := self._clock()) - self._broken_at >= _QUIET:
                self._broken_at = now
                logger.exception("room %s could not be judged; the others are", view.room)

    def _uneasy(self, now: float) -> Iterator[CallView]:
        yield from self._table.uneasy(now)
        for room in tuple(self._silent):
            view = self._table.view(room, now)
            if view is None or not any(agent.unanswered for agent in view.agents):
                self._silent.discard(room)
            else:
                yield view

    def _send(self, view: CallView) -> None:
        if not self._sending.full and self._dispatched.add(view):
            plan = self._plans.plan(view)
            self._sending.start(view.room, partial(self._second.send, view, plan))

    async def _round(self) -> float:
        """Look at all calls once; return for how many seconds no other work had its turn."""
        began = now = self._clock()
        worked = 0.0
        views = self._table.views(now)
        suspected, probed, to_be_answered = [], [], []
        counted = CallStateCount(now)
        while chunk := list(islice(views, _SLICE)):
            for view in chunk:
                with self._spared(view):
                    self._tell_of_first(view)
                    self._learn(view)
                    limits = self._plans.limits(view)
                    row = row_of(view, now, limits)
                    counted.add(row)
                    found = row.judge(view, now, limits) if row.judge else None
                    if found := self._plans.diverted(view, now) or found:
                        suspected.append((found, view))
                    elif row.fault is Fault.AGENT_ZOMBIE and limits.zombie is not None:
                        probed.append(view)
                    rings = view.call.callers and view.answered_since is None
                    if rings and limits.max_call is not None:
                        to_be_answered.append(view.room)
            worked += self._clock() - began
            await self._sleep(0)
            began = self._clock()
        for found, view in suspected:
            if not self._attendance.is_kept(found, view):
                counted.suspect(found)
        self.states = counted.result
        self._to_be_answered = to_be_answered
        self._attendance.consider(suspected)
        self._begin_probes(probed)
        return worked

    def _begin_probes(self, views: Sequence[CallView]) -> None:
        free = _PROBES - len(self._probing)
        most, again = (min(free, many()) for many in (self._affordable, self._affordable_again))
        for due in probes_due(views, self._clock(), Limits(), most=most, again=again):
            self._probing.start(f"{due.room}/{due.sid}", partial(self._probe, due))

    async def _probe(self, due: ProbeDue) -> None:
        """Ask an agent, and once more where the answer is late: one missing answer is nothing."""
        first = asyncio.create_task(self._asked(due))
        try:
            await asyncio.wait((first,), timeout=_LATE)
            if not first.done() or await first in _MISSING:
                await self._asked(due)
            await first
        finally:
            await end(first)

    async def _asked(self, due: ProbeDue) -> ProbeResult:
        asked = self._clock()
        result = await self._ask(due.room, due.identity)
        self._table.probed(due.room, due.sid, result, asked, self._clock())
        if result in _MISSING:
            self._silent.add(due.room)
        return result

    def _tell_of_first(self, view: CallView) -> None:
        if self._first and view.call.callers:
            self._first = False
            number = view.caller.get("sip.trunkPhoneNumber") or "no number"
            logger.info("first call seen: room %s, %s, %s", view.room, view.call.direction, number)
