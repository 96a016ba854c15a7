"""What ended a process of which we are not the parent."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from onhook.watchdog.protocol.peer import Process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells others")


def ended(program: str, end: Callable[[int], None] = lambda _: None) -> str:
    """Return what is told of a process while it is a zombie; its parent takes that with it."""
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", program]) as child:
        process = Process(child.pid)
        assert process.ended_by() == "", "it lives"
        end(child.pid)
        assert process.fd is not None
        select.select([process.fd], [], [], 10.0)
        zombie = process.ended_by()
        child.wait()
    assert process.ended_by() == ""
    process.close()
    return zombie


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_is_named(sig: signal.Signals) -> None:
    assert ended("import time; time.sleep(30)", lambda pid: os.kill(pid, sig)) == sig.name


def test_an_exit_code_is_named() -> None:
    assert ended("import time; time.sleep(0.3); raise SystemExit(3)") == "exit code 3"


def test_of_a_process_that_cannot_be_seen_nothing_is_said() -> None:
    assert Process(0).ended_by() == ""
