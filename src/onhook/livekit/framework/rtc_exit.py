"""How a process of our own ends that has used livekit's rtc."""

from __future__ import annotations

import atexit
import time

__all__ = ["exit_after_callbacks"]

_CALLBACKS = 0.1
"""Seconds. One takes less than a millisecond; the interpreter's lock changes hands each 5 ms."""


def exit_after_callbacks() -> None:
    """Let rtc's callbacks end before the interpreter does; call it before rtc is used.

    At exit rtc 1.1 sends no more events, but waits for none that it is sending (`_ffi_client.py`;
    livekit-ffi, `FfiServer::dispose`). Python up to 3.13 ends a thread that asks for its lock too
    late, in the middle of Rust: "panic in a function that cannot unwind", and the process that has
    done all it should exits by SIGABRT. What was registered first runs last.
    """
    atexit.register(time.sleep, _CALLBACKS)
