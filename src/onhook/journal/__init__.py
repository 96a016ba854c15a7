"""The evidence: intent before every act, outcome after it."""

from __future__ import annotations

from onhook.journal.base import Entry, Journal, Opening, Ring, Step
from onhook.journal.memory import MemoryJournal
from onhook.journal.soon import Soon
from onhook.journal.sqlite import SqliteJournal, default_path

__all__ = [
    "Entry",
    "Journal",
    "MemoryJournal",
    "Opening",
    "Ring",
    "Soon",
    "SqliteJournal",
    "Step",
    "default_path",
]
