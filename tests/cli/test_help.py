"""`--help` is what tests/cli/help/*.txt says; a change of it is a change of the interface.

`ONHOOK_UPDATE_HELP=1 pytest tests/cli/test_help.py` writes the files anew.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HELP = Path(__file__).parent / "help"


@pytest.mark.parametrize(
    "command",
    [
        *("", "demo", "call", "simulator", "stack", "stack up", "stack down", "stack status"),
        *("incidents", "incidents list", "incidents show", "incidents explain"),
        *("doctor", "drain", "watchdog", "watchdog run", "watchdog status", "watchdog stop"),
        *("sentinel", "sentinel run", "sentinel status", "sentinel plans", "sentinel plans check"),
        *("sentinel calls",),
        *("sentinel outage", "sentinel outage on", "sentinel outage off", "sentinel outage show"),
    ],
)
def test_the_help_is_as_committed(command: str) -> None:
    env = {**os.environ, "COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1", "XDG_RUNTIME_DIR": ""}
    got = subprocess.run(
        [sys.executable, "-m", "onhook.cli", *command.split(), "--help"],
        capture_output=True,
        text=True,
        env=env,
        check=True,
    ).stdout
    lines = "\n".join(line.rstrip() for line in got.splitlines()) + "\n"
    committed = HELP / f"{command.replace(' ', '-') or 'onhook'}.txt"
    if os.environ.get("ONHOOK_UPDATE_HELP"):
        committed.parent.mkdir(exist_ok=True)
        committed.write_text(lines)
    assert lines == committed.read_text()
    assert max(len(line) for line in lines.splitlines()) <= 80
