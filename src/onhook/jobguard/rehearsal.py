"""A rehearsal of the rescue: what Python does for the first time takes three times as long."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from onhook.call import Call
from onhook.errors import OnhookError
from onhook.faults import Fault
from onhook.incident import Failure, Incident
from onhook.line import Line
from onhook.policy import Policy, plan
from onhook.rescue.events import Opened, Ring
from onhook.threads import in_thread
from onhook.watchdog.protocol.frames import encode

__all__ = ["rehearse"]

logger = logging.getLogger("onhook")


async def rehearse(
    policy: Policy, call: Call, open_line: Callable[[], AbstractAsyncContextManager[Line]]
) -> None:
    """Go through a rescue up to the act: what would be sent, and one harmless request.

    What refuses that request would refuse the rescue too, and is told now.

    Args:
        policy: What would be climbed.
        call: The call.
        open_line: Opens the call's line.
    """
    try:
        await in_thread(_write, policy, call)
        async with open_line() as line:
            await line.check()
    except OnhookError as error:
        logger.warning("as things are, a rescue of this call would fail: %s", error)
    except Exception:  # it is a rehearsal: what it meets must not end the watch over the call
        logger.exception("as things are, a rescue of this call would fail")


def _write(policy: Policy, call: Call) -> None:
    try:
        int("a rehearsal")
    except ValueError as error:
        failure = Failure(Fault.ENTRYPOINT_RAISED, str(error), 0.0, error)
    incident = Incident(failure, call)
    ladder = plan(policy, incident, call)
    facts: dict[str, Any] = {"incident": incident.id, "at": 0.0, "wall": 0.0, "ring": Ring.GUARD}
    encode(Opened(**facts, failure=failure, call=call, ladder=ladder))
