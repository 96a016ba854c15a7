"""The evidence: intent before every act, outcome after it."""

from __future__ import annotations

from onhook.journal.base import Entry, Journal, Step
from onhook.journal.memory import MemoryJournal

__all__ = ["Entry", "Journal", "MemoryJournal", "Step"]
