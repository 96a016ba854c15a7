"""Print the table of states by which silence is judged: the first row that applies counts."""

from __future__ import annotations

import textwrap

from onhook.jobguard.silence.standing import TABLE

__all__ = ["table"]

_BELOW = "    "


def table() -> str:
    """Return the table, for a terminal of 80 columns."""
    lines = []
    for row in TABLE:
        ends = [*(["spoke again"] if row.again else []), *(["give_up"] if row.bound else [])]
        end = " or ".join(ends) or "never"
        lines.append(f"{row.standing:<34} words: {row.patience or '-':<10} end: {end}")
        lines.extend(textwrap.wrap(row.why, 80, initial_indent=_BELOW, subsequent_indent=_BELOW))
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())  # noqa: T201
