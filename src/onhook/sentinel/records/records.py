"""All that records calls, put together: the book, the file, the webhooks; nothing runs yet."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from onhook.rescue.events import Opened, RescueEvent, Sink, emit
from onhook.sentinel.call_legs import CallLeg, LegEnd
from onhook.sentinel.calls import CallTable
from onhook.sentinel.fleet.fleet import Fleet
from onhook.sentinel.records.call_book import CallBook
from onhook.sentinel.records.call_record import CallRecord
from onhook.sentinel.records.call_webhook import CallWebhook
from onhook.sentinel.records.call_webhook_settings import CallWebhookSettings
from onhook.sentinel.records.number_mask import NumberMask
from onhook.sentinel.records.open_calls import OpenCalls
from onhook.sentinel.records.record_keeper import RecordKeeper
from onhook.sentinel.records.record_store import RecordStore
from onhook.sentinel.records.webhook_queue import WebhookQueue
from onhook.sentinel.sightings import (
    MembersListed,
    RecordMade,
    RescueSeen,
    RoomsListed,
    Sighting,
)

__all__ = ["Records"]

logger = logging.getLogger("onhook")

_QUIET = 60.0
"""Seconds between two lines about calls that could not be recorded."""


class RecordCounter(Protocol):
    """Counts records, each once."""

    def ended(self, record: CallRecord) -> None:
        """A call has ended, and its record was made here."""

    def amended(self, record: CallRecord) -> None:
        """More was learned of a call whose record may have been made here."""


class Records:
    """Records the calls of a table.

    Args:
        table: It.
        path: The file of call records; `None` where there is no place for it: none are kept.
        told: Are given the events of rescues that other rings and sentinels tell, each once.
        counted: Counts the records that are made here.
        fleet: The other sentinels.
        mask: How numbers are kept and shown.
        webhook: Where `call.ended` goes; `None` for nowhere.
        shared: Whether there are other sentinels.
        clock: Seconds of the sentinel's monotonic clock.
    """

    def __init__(
        self,
        table: CallTable,
        path: Path | None,
        *,
        told: Sequence[Sink],
        counted: RecordCounter | None = None,
        fleet: Fleet,
        mask: NumberMask,
        webhook: CallWebhookSettings | None = None,
        shared: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._told = tuple(told)
        self._counted = counted
        self.mask = mask
        self.book = CallBook(mask, clock=clock)
        self._apart = _Apart(self.book)
        table.tell(self._apart)
        self.store = None if path is None else RecordStore(path)
        """The records; `None` where there is no place for them."""
        self.webhook = None
        if webhook is not None and path is not None:
            self.webhook = CallWebhook(webhook, WebhookQueue(path), mask)
        elif webhook is not None:
            logger.error(
                "no webhook of a call is sent: they wait in the file of call records, and there is "
                "no place for it. Set ONHOOK_RECORDS to a file that can be made"
            )
        self.keeper = RecordKeeper(
            self.book,
            self.store,
            None if path is None else OpenCalls(path),
            ended=self._ended,
            amended=self._amended,
            tell=lambda record: fleet.tell(RecordMade(record)),
            claims=fleet.claims if shared else None,
            owner=fleet.owner,
            clock=clock,
        )
        self.sink: Sink = _OwnRescues(self.book.rescue_seen, fleet.tell)
        """Is to be given every event of the sentinel's own rescues."""

    def take(self, sighting: Sighting) -> bool:
        """Take in what was learned; return whether it was for the records alone."""
        with self._apart.boundary():
            match sighting:
                case RescueSeen():
                    if self.book.rescue_seen(sighting):
                        emit(self._told, sighting.event)
                case RecordMade(record):
                    self.keeper.take(record)
                case RoomsListed() | MembersListed():
                    self.book.listed(sighting)
        return isinstance(sighting, RescueSeen | RecordMade)

    async def watch(self) -> None:
        """Keep records and send webhooks, for ever."""
        if self.webhook is None:
            await self.keeper.watch()
        else:
            await asyncio.gather(self.keeper.watch(), self.webhook.watch())

    async def aclose(self) -> None:
        """Keep what is known, and close files and connections."""
        await self.keeper.aclose()
        if self.webhook is not None:
            await self.webhook.aclose()

    def status(self) -> Mapping[str, Any]:
        """Return how it stands, for `onhook sentinel status`; nothing secret."""
        return {
            "file": "none" if self.store is None else str(self.store.path),
            "made": self.keeper.made,
            "open": len(self.book),
            "problem": self.keeper.problem,
            "webhook": None if self.webhook is None else self.webhook.status(),
        }

    async def _ended(self, record: CallRecord) -> None:
        if self.webhook is not None:
            await self.webhook.ended(record)
        if self._counted is not None:
            self._counted.ended(record)

    def _amended(self, record: CallRecord) -> None:
        if self._counted is not None:
            self._counted.amended(record)


class _Apart:
    """Keeps the judgement of calls free of what goes wrong in their records. A `LegListener`.

    Args:
        book: Takes the legs.
    """

    def __init__(self, book: CallBook) -> None:
        self._book = book
        self._told_at = float("-inf")

    def leg_seen(self, leg: CallLeg) -> None:
        """See `LegListener.leg_seen`."""
        with self.boundary():
            self._book.leg_seen(leg)

    def leg_ended(self, leg: CallLeg, end: LegEnd) -> None:
        """See `LegListener.leg_ended`."""
        with self.boundary():
            self._book.leg_ended(leg, end)

    @contextlib.contextmanager
    def boundary(self) -> Iterator[None]:
        """Log what goes wrong inside, now and then, and go on."""
        try:
            yield
        except Exception:
            if (now := time.monotonic()) - self._told_at >= _QUIET:
                self._told_at = now
                logger.exception("a call may be missing in the records, which is a bug")


class _OwnRescues:
    """A sink of this sentinel's own rescues.

    Args:
        take: Takes an event; returns whether it is new.
        tell: Tells the other sentinels.
    """

    def __init__(
        self, take: Callable[[RescueSeen], bool], tell: Callable[[Sighting], None]
    ) -> None:
        self._take = take
        self._tell = tell

    def handle(self, event: RescueEvent) -> None:
        """See `Sink.handle`."""
        room = event.call.room if isinstance(event, Opened) else ""
        if self._take(seen := RescueSeen(room, "", event)):
            self._tell(seen)
