"""Turns the outage switch for the page, in a thread: another process may hold its file."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path

from onhook.outages import Outage
from onhook.sentinel.outage import OutageSwitch
from onhook.sentinel.web.outage_form import OutageForm, outage_key

__all__ = ["turn_off", "turn_on"]

_BY = "{} (on the page)"


async def turn_on(path: Path | None, form: OutageForm, own: Collection[str]) -> Outage:
    """Switch an outage on.

    Args:
        path: The file of the switch; as `onhook.settings` says when omitted.
        form: Which one.
        own: Numbers of the project's trunks, to which no fallback may lead.

    Raises:
        OnhookError: It cannot be; says why.
    """

    def turn() -> Outage:
        return OutageSwitch(path).on(
            form.scope,
            form.value,
            seconds=form.seconds,
            by=_BY.format(form.by),
            reason=form.reason,
            fallback=form.fallback,
            own=own,
        )

    return await asyncio.to_thread(turn)


async def turn_off(path: Path | None, key: str, by: str) -> bool:
    """Switch an outage off, with that of all calls every other one; return whether it was on.

    Args:
        path: The file of the switch; as `onhook.settings` says when omitted.
        key: What the page calls it.
        by: Who asks for it.

    Raises:
        OnhookError: It cannot be; says why.
    """

    def turn() -> bool:
        switch = OutageSwitch(path)
        for outage in switch.current():
            if outage_key(outage) == key:
                return bool(switch.off(outage.scope, outage.value, by=_BY.format(by)))
        return False

    return await asyncio.to_thread(turn)
