"""The call that `onhook doctor --dial` places with our phone."""

from __future__ import annotations

import asyncio
import contextlib
from importlib.util import find_spec
from typing import TYPE_CHECKING

from onhook.doctor.placed_call import HeardCall
from onhook.errors import ConfigurationError, OnhookError

if TYPE_CHECKING:
    from onhook.bench.phone import Call, Report

__all__ = ["check_dial", "place_call"]

_LOOK = 0.1
_CALLER = "+15550199"
"""The caller's number, of those that belong to nobody."""


def check_dial(number: str, sip: str) -> str:
    """Return the address of the SIP service by which a number is called.

    Args:
        number: A number, or a SIP address.
        sip: `HOST:PORT`; that of the one stack that runs here when empty.

    Raises:
        ConfigurationError: It cannot be called, and what is to be done.
    """
    if find_spec("sipmessage") is None:
        raise ConfigurationError(
            "--dial needs the phone of the test bench: pip install 'onhook[bench]'"
        )
    from onhook.bench.phone import NumberError, address  # noqa: PLC0415 - of an extra
    from onhook.cli.call_command import default_server  # noqa: PLC0415 - of an extra

    found = sip or default_server() or ""
    try:
        address(number, found or None)
    except NumberError as error:
        mend = "" if found else ": add --sip HOST:PORT, the address of the SIP service"
        raise ConfigurationError(f"--dial {number!r}: {error}{mend}") from error
    return found


async def place_call(number: str, sip: str, *, ring: float, listen: float) -> HeardCall:
    """Call a number, listen until something is heard, and hang up.

    Args:
        number: A number, or a SIP address.
        sip: `HOST:PORT` of the SIP service; empty for a SIP address that has its host.
        ring: Seconds for which it may ring.
        listen: Seconds after the answer for which a sound is waited for.
    """
    from onhook.bench.phone import Phone, address, local_host  # noqa: PLC0415 - of an extra

    try:
        target, proxy = address(number, sip or None)
        host = await local_host(proxy or (target.host, target.port or 5060))
        async with Phone(_CALLER, host=host) as phone:
            call = await phone.dial(number, server=sip or None, ring_timeout=ring)
            await _listen(call, ring, listen)
            return _heard(number, call.report())
    except (OnhookError, OSError) as error:
        return HeardCall(number=number, wrong=str(error))


async def _listen(call: Call, ring: float, listen: float) -> None:
    """Wait for the answer, then for a sound; hang up in any case."""
    try:
        with contextlib.suppress(OnhookError, TimeoutError):
            await call.answered(ring + 5.0)
            async with asyncio.timeout(listen):
                while call.is_up and call.report().hearing.first_sound() is None:  # noqa: ASYNC110 - what is heard tells nobody
                    await asyncio.sleep(_LOOK)
    finally:
        with contextlib.suppress(OnhookError):
            await call.hang_up()


def _heard(number: str, report: Report) -> HeardCall:
    from onhook.bench.phone import Ending  # noqa: PLC0415 - of an extra

    answered = report.answered_at
    first = None if answered is None else report.hearing.first_sound(answered)
    ended = report.ended_at or report.hearing.end
    return HeardCall(
        number=number,
        wrong=report.reason or "it failed" if report.ending is Ending.FAILED else "",
        status=report.status,
        rejected=report.ending is Ending.REJECTED,
        ringing=report.since_invite(report.ringing_at),
        answered=report.since_invite(answered),
        first_sound=None if answered is None or first is None else first - answered,
        listened=0.0 if answered is None else max(0.0, ended - answered),
        ended=report.since_invite(ended) or 0.0,
        ended_by_other=report.ending is Ending.BYE_RECEIVED,
    )
