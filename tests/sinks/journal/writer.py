"""Records without end, and says so after each: `python -m tests.sinks.journal.writer FILE NAME`."""

from __future__ import annotations

import sys

from onhook.sinks.journal import SqliteJournal
from tests.sinks.journal.contract import entry

if __name__ == "__main__":
    journal = SqliteJournal(sys.argv[1], timeout=30.0)
    number = 0
    while True:
        journal.record(entry(f"{sys.argv[2]}-{number // 6}", at=float(number)))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        number += 1
