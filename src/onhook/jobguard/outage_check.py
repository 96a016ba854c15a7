"""Whether an outage is switched on for what is to be dialled. Whatever fails, there is none."""

from __future__ import annotations

import asyncio
import logging

from onhook import settings
from onhook.outages import Outage, OutageFile
from onhook.threads import in_thread

__all__ = ["outage_for"]

logger = logging.getLogger("onhook")

_LONGEST = 0.25
"""Seconds that the file system gets for one small file."""

_file: OutageFile | None = None
_looking: asyncio.Task[Outage | None] | None = None
"""A look that has not come back: a file system that hangs must not hold all threads."""


async def outage_for(trunk: str, *numbers: str) -> Outage | None:
    """Return the outage that is on for a trunk or one of some numbers.

    Args:
        trunk: Id of the outbound trunk.
        numbers: The one that is dialled, and the one that is shown.
    """
    global _looking  # noqa: PLW0603 - one look at a time is the point
    if _looking is not None and not (_looking.done() or _looking.get_loop().is_closed()):
        return None
    task = _looking = asyncio.create_task(in_thread(_look, trunk, numbers), name="onhook-outages")
    done, _ = await asyncio.wait({task}, timeout=_LONGEST)
    if not done:
        logger.warning("the file of outages could not be read within %g s: dialling", _LONGEST)
        return None
    return task.result()


def _look(trunk: str, numbers: tuple[str, ...]) -> Outage | None:
    global _file  # noqa: PLW0603 - what was read is kept for the next call
    try:
        path = settings.outages()
        if path is None:
            return None
        if _file is None or _file.path != path:
            _file = OutageFile(path)
        found = (_file.for_call(number, trunk) for number in numbers)
        return next((outage for outage in found if outage is not None), None)
    except Exception as error:  # noqa: BLE001 - a switch that fails stops no call
        logger.warning("it cannot be told whether an outage is on, dialling: %r", error)
        return None
