"""Run a program that dies with its parent: `python leash.py PARENT_PID PROGRAM ARGUMENT...`.

Linux kills the program when the parent dies (prctl(2), PR_SET_PDEATHSIG), however the parent died.
Elsewhere it is only ended by an orderly stop.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent and become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent is gone already")
    os.execv(program, sys.argv[2:])  # noqa: S606 - the program is ours


if __name__ == "__main__":
    main()
