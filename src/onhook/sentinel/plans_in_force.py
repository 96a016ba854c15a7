"""The plan and the limits of each call, as plans and outages are now."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import get_args

from onhook.outages import Outage, OutageFile, Scope
from onhook.sentinel.call_key import CallKey, tags_of
from onhook.sentinel.call_view import CallView
from onhook.sentinel.detectors import suspicion
from onhook.sentinel.diverted_calls import diverted
from onhook.sentinel.limits import Limits
from onhook.sentinel.plans import Plan, Plans
from onhook.sentinel.plans_file import PlansFile
from onhook.sentinel.suspicion import Suspicion

__all__ = ["PlansInForce"]

logger = logging.getLogger("onhook")


class PlansInForce:
    """Chooses plans; both files are read again when they have changed.

    Args:
        file: The file of plans; `None` for the built-in plan for every call.
        outages: The file of the outage switch.
        period: Seconds between two looks whether one has changed.
        wall: Seconds since 1970.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        file: PlansFile | None,
        outages: OutageFile,
        *,
        period: float = 2.0,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._file = file
        self._plans = Plans() if file is None else file.plans
        self._outage_file = outages
        self._outages = _sorted(outages.current())
        self._period = period
        self._wall = wall
        self._sleep = sleep

    @property
    def plans(self) -> Plans:
        """The plans that are in force."""
        return self._plans

    @property
    def problem(self) -> str:
        """Why the file of plans as it is now is not in force; empty while it is."""
        return "" if self._file is None else self._file.problem

    @property
    def outages(self) -> tuple[Outage, ...]:
        """The outages that are on."""
        return self._outages

    async def watch(self) -> None:
        """Look for changes for ever, beside the loop."""
        while True:
            await self._sleep(self._period)
            try:
                self._outages = _sorted(await asyncio.to_thread(self._outage_file.current))
                file = self._file
                if file is not None and await asyncio.to_thread(file.reload):
                    self._plans = file.plans
                    logger.info("other plans are in force: %d rules", len(self._plans.rules))
            except Exception:
                logger.exception("plans or outages could not be read again")

    def plan(self, view: CallView) -> Plan:
        """Return the plan for a call; that of an outage while one is on for it."""
        key = CallKey.of(
            view.room,
            view.caller,
            agent=view.agent_name,
            metadata=view.metadata,
            ladder=view.ladder,
        )
        plan = self._plans.for_call(key)
        outage = self.outage(view)
        return plan if outage is None else plan.in_outage(outage)

    def outage(self, view: CallView) -> Outage | None:
        """Return the outage that is on for a call."""
        if not self._outages:
            return None
        number = view.caller.get("sip.trunkPhoneNumber", "")
        trunk = view.caller.get("sip.trunkID", "")
        tags = tags_of(view.metadata)
        return next((o for o in self._outages if o.holds(number, trunk, tags)), None)

    def judge(self, view: CallView, now: float) -> Suspicion | None:
        """Return what is suspected of a call, by its own limits and by the outages that are on.

        Args:
            view: The call.
            now: Seconds of the sentinel's clock.
        """
        return self.diverted(view, now) or suspicion(view, now, self.limits(view))

    def diverted(self, view: CallView, now: float) -> Suspicion | None:
        """Return what is to be done for a call because of an outage.

        Args:
            view: The call.
            now: Seconds of the sentinel's clock.
        """
        outage = self.outage(view)
        return None if outage is None else diverted(view, outage, now, self._wall())

    def limits(self, view: CallView) -> Limits:
        """Return how long things may last in a call."""
        return self.plan(view).limits


def _sorted(outages: tuple[Outage, ...]) -> tuple[Outage, ...]:
    """Return outages with the most specific one first."""
    order = get_args(Scope)
    return tuple(sorted(outages, key=lambda outage: (order.index(outage.scope), outage.value)))
