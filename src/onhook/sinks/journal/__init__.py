"""The evidence: intent before every act, outcome after it."""

from __future__ import annotations

from onhook.sinks.journal.entries import Entry, Journal, Opening, Ring, Step
from onhook.sinks.journal.memory import MemoryJournal
from onhook.sinks.journal.soon import Soon
from onhook.sinks.journal.sqlite import SqliteJournal

__all__ = [
    "Entry",
    "Journal",
    "MemoryJournal",
    "Opening",
    "Ring",
    "Soon",
    "SqliteJournal",
    "Step",
]
