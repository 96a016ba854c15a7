"""What breaks when livekit's rtc is left in another way."""

from __future__ import annotations

import subprocess
import sys

CALLBACK = """
import os, threading, time
from onhook.livekit.framework.rtc_exit import exit_after_callbacks

def called_back():
    time.sleep(0.03)
    os.write(1, b"called back")

exit_after_callbacks()
threading.Thread(target=called_back, daemon=True).start()
"""
ORDER = """
import time
sleep = time.sleep
time.sleep = lambda seconds: (print("waiting"), sleep(seconds))
from onhook.livekit.framework.rtc_exit import exit_after_callbacks
exit_after_callbacks()
from livekit.rtc import _ffi_client
client = _ffi_client.FfiClient.instance
library = getattr(_ffi_client, "ffi_lib", None) or client._ffi_lib  # rtc 1.0, 1.1
dispose = library.livekit_ffi_dispose
library.livekit_ffi_dispose = lambda: (dispose(), print("disposed"))
"""


def written(program: str) -> str:
    """Return what a process writes until it has ended."""
    words = (sys.executable, "-W", "ignore", "-c", program)
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout


def test_a_callback_that_is_under_way_at_the_exit_comes_to_its_end() -> None:
    """Else Python ends its thread in the middle of Rust, and the process is aborted."""
    assert written(CALLBACK) == "called back"
    assert not written(CALLBACK.replace("\nexit_after_callbacks()", ""))


def test_rtc_is_disposed_of_before_we_wait() -> None:
    """Else callbacks begin after that, and a sentinel that is stopped counts as crashed."""
    assert written(ORDER).split() == ["disposed", "waiting"]
