"""Print docs/doctor.md: everything that can be found, what it means, and the mend."""

from __future__ import annotations

from onhook.doctor.codes import GROUPS

__all__ = ["document"]

_HEAD = """# What `onhook doctor` finds

`onhook doctor` looks for what would leave a caller in silence, before a caller finds out. It asks
the server that `LIVEKIT_*` name, and changes nothing on it; only `--canary` and `--wait-webhook`
make a room, and delete it.

- Exit status: 0 where nothing is wrong (notes are allowed), 1 with errors or warnings, 2 when it
  cannot look.
- `--only GROUP` looks at one group alone (in CI: `onhook doctor --only source --agent agent.py`),
  `--ignore CODE` leaves out what is known and accepted. Codes are stable.
- Numbers are masked without `--numbers`; keys and secrets are never shown.
- What was not looked at, and how it can be, stands below the findings.

`--json` prints one object: `schema` (1; fields are added, none is renamed), `sound`, `findings`
(the gravest first; each with `code`, `level`, which is `error`, `warning` or `note`, `subject`,
`what`, `why` and `mend`), `not_checked` (each with `what` and `why`), and `call` (what the caller
of `--dial` heard).

A level, a why or a mend may be another one where more is known. This file is printed by
`python -m onhook.doctor`.
"""


def document() -> str:
    """Return the text of docs/doctor.md."""
    lines = [_HEAD]
    for group, kinds in GROUPS.items():
        lines += [f"## {group}", "", "| code | level | what | why it matters | the mend |"]
        lines += ["| --- | --- | --- | --- | --- |"]
        for kind in kinds:
            cells = (f"`{kind.code}`", str(kind.level), kind.title, kind.why, kind.mend)
            lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(document(), end="")  # noqa: T201
