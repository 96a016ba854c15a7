"""The events of rescues that watchdogs report, verified and decoded."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from onhook.rescue.event_codec import LIMIT, EventError, decode
from onhook.rescue.events import RescueEvent
from onhook.sentinel.sightings import RescueSeen
from onhook.sentinel.signals.refusals import Reason, RefusedError
from onhook.sentinel.signals.signed_bodies import SignedBodies, Token
from onhook.sentinel.signals.watchdog_messages import WatchdogMessages
from onhook.watchdog.protocol.sentinel_messages import EventReport

__all__ = ["IncidentReports"]

_MOST_EVENTS = 200
_LONGEST_NAME = 512
"""Characters; livekit-server allows 256 bytes to a room's name."""
_OLDEST = 7 * 86_400.0
"""Seconds: a watchdog that could not reach the sentinel tells for as long as it lives."""


class IncidentReports(WatchdogMessages[EventReport]):
    """Verifies reports and decodes them.

    A report that comes again is taken again: it bears nothing but events, and each is kept once.
    Only who has the API secret can make one, with events of the past week.

    Args:
        signed: Verifies tokens and bodies.
        tolerance: Seconds by which the host's clock and ours may differ.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        signed: SignedBodies,
        *,
        tolerance: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(signed, EventReport, "report", tolerance=tolerance, clock=clock)
        self.unknown = 0
        """Events that could not be read: those of another version of onhook."""

    def receive(self, token: Token, body: bytes) -> Sequence[RescueSeen]:
        """Verify and decode a body.

        Args:
            token: Its token.
            body: As it came.

        Returns:
            The events that can be read.

        Raises:
            RefusedError: It is not believed.
        """
        report = self.decoded(token, body)
        if len(report.events) > _MOST_EVENTS:
            raise RefusedError(
                Reason.OVERSIZED, f"it has {len(report.events)} events; {_MOST_EVENTS} are the most"
            )
        if not 0 < len(report.host) <= _LONGEST_NAME:
            raise RefusedError(
                Reason.MALFORMED,
                f"its host has no name, or one of more than {_LONGEST_NAME} characters",
            )
        return [
            RescueSeen(told.room[:_LONGEST_NAME], report.host, event)
            for told in report.events
            if (event := self._event(bytes(told.event))) is not None
        ]

    def _event(self, body: bytes) -> RescueEvent | None:
        now = self._clock()
        try:
            event = decode(body) if len(body) <= LIMIT else None
        except EventError:
            event = None
        if event is None or len(event.incident) > _LONGEST_NAME or not self._is_fresh(event, now):
            self.unknown += 1
            return None
        return event

    def _is_fresh(self, event: RescueEvent, now: float) -> bool:
        return now - _OLDEST <= event.wall <= now + self._tolerance
