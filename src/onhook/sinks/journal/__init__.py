"""The evidence: intent before every act, outcome after it."""

from __future__ import annotations

from onhook.sinks.journal.entries import Entry, Journal, Opening, Step
from onhook.sinks.journal.memory import MemoryJournal
from onhook.sinks.journal.sqlite import SqliteJournal

__all__ = [
    "Entry",
    "Journal",
    "MemoryJournal",
    "Opening",
    "SqliteJournal",
    "Step",
]
