"""Print the table of what a sentinel judges and what it leaves alone: the first row counts."""

from __future__ import annotations

import textwrap

from onhook.sentinel.detectors.table import TABLE

__all__ = ["table"]

_BELOW = "    "


def table() -> str:
    """Return the table, for a terminal of 80 columns."""
    lines = []
    for row in TABLE:
        lines.append(f"{row.state:<46} {row.fault or row.instead}")
        told = [f"after: {row.after}", f"then: {row.needs}"] if row.after else []
        for text in (*told, row.why):
            lines.extend(textwrap.wrap(text, 80, initial_indent=_BELOW, subsequent_indent=_BELOW))
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())  # noqa: T201
