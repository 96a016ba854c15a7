"""What a sentinel judges of a call, and what it leaves alone: one table, and a file a fault.

`suspicion` goes down the table; `python -m onhook.sentinel.detectors` prints it.
"""

from onhook.sentinel.detectors.probing import ProbeDue, probes_due
from onhook.sentinel.detectors.scanner_removal import is_scanner_due
from onhook.sentinel.detectors.second_dispatch import is_second_dispatch_due
from onhook.sentinel.detectors.table import TABLE, Row, row_of, suspicion

__all__ = [
    "TABLE",
    "ProbeDue",
    "Row",
    "is_scanner_due",
    "is_second_dispatch_due",
    "probes_due",
    "row_of",
    "suspicion",
]
