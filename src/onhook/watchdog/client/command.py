"""Asking the watchdogs that run: status and stop."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from onhook.errors import OnhookError
from onhook.watchdog.protocol.frames import Frames, ProtocolError, decode, encode
from onhook.watchdog.protocol.messages import Answer, Ask
from onhook.watchdog.protocol.peer import peer_of

__all__ = ["ask", "connect", "running_pid"]

_ANSWER = 2.0


def connect(path: Path, *, deadline: float = _ANSWER) -> socket.socket | None:
    """Connect to the watchdog; `None` when none listens.

    Args:
        path: The socket.
        deadline: Seconds for every later operation.
    """
    mine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mine.settimeout(deadline)
    try:
        mine.connect(str(path))
    except OSError:
        mine.close()
        return None
    return mine


def running_pid(path: Path) -> int | None:
    """Return the process that listens, by the kernel's word; `None` when none does.

    Args:
        path: The socket.
    """
    connection = connect(path)
    if connection is None:
        return None
    with connection:
        return peer_of(connection).pid


def ask(path: Path, what: str) -> dict[str, Any] | None:
    """Send a command and return its answer; `None` when no watchdog listens.

    Args:
        path: The socket.
        what: `status` or `stop`.

    Raises:
        OnhookError: It did not answer, or not as a watchdog does.
    """
    connection = connect(path)
    if connection is None:
        return None
    frames = Frames()
    try:
        with connection:
            connection.sendall(encode(Ask(what)))
            while data := connection.recv(65536):
                for body in frames.feed(data):
                    answer = decode(body)
                    if isinstance(answer, Answer):
                        facts: dict[str, Any] = json.loads(answer.text)
                        return facts
    except (OSError, ProtocolError) as error:
        raise OnhookError(f"the watchdog at {path} did not answer {what!r}: {error}") from error
    raise OnhookError(f"the watchdog at {path} did not answer {what!r}: it closed the connection")
