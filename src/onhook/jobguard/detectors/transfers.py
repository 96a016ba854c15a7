"""A transfer that the agent has asked for: until it has failed, its caller is not left alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

from livekit import api

from onhook.call import Call
from onhook.errors import ApiError, OnhookError
from onhook.jobguard.coroutines import frames_of
from onhook.line import Line, Referral
from onhook.livekit.framework.api_requests import is_answered, transfer_asked
from onhook.livekit.sip_transfer import refer

__all__ = ["Transfer", "Transfers"]

logger = logging.getLogger("onhook")

_LOOK = 0.25
"""Seconds between looks: no event tells of a request, and one that is answered sooner is over."""
_WINDOW = 30.0
"""Seconds that livekit-server gives a transfer which names no time (`pkg/service/sip.go`)."""
_LEAVING = 3.0
"""Seconds in which a leg leaves that was transferred; livekit-sip says BYE after one."""
_FAILED = frozenset(("busy", "refused", "no_notify", "not_found"))
"""Codes of `refer` by which a transfer is over; any other says nothing about it."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer that may still ring at its far end.

    Args:
        identity: The leg.
        referral: Where to.
        until: When it has failed at the latest, in seconds of a monotonic clock.
        request: The frame of the request.
    """

    identity: str
    referral: Referral
    until: float
    request: FrameType


class Transfers:
    """Knows which transfers this job has asked for and has not been answered.

    A request that its client gives up, or that is cancelled, leaves its REFER where it is: it goes
    on ringing (livekit-sip `transferSIPParticipant`), and a release would take the caller away from
    whoever answers. One that was answered is over, whatever the answer.

    Args:
        room: Name of the job's room.
        clock: Seconds of a monotonic clock.
    """

    def __init__(self, room: str, clock: Callable[[], float]) -> None:
        self._room = room
        self._clock = clock
        self._asked: dict[str, Transfer] = {}

    async def watch(self) -> None:
        """Notice what is asked for, until cancelled."""
        while True:
            self._look()
            await asyncio.sleep(_LOOK)

    @property
    def until(self) -> float:
        """Until when the latest of them may still succeed; 0 where there is none."""
        return max((transfer.until for transfer in self._asked.values()), default=0.0)

    def under_way(self, call: Call) -> Transfer | None:
        """Return a caller's transfer that may still succeed, or `None`.

        Args:
            call: Who is on the call.
        """
        self._look()
        here = {leg.identity for leg in call.callers}
        for transfer in self._asked.values():
            if transfer.identity in here or not call.complete:
                return transfer
        return None

    async def ends(self, line: Line, transfer: Transfer, *, ask: bool = True) -> str:
        """Wait for the end of a transfer; return why it failed, empty where its leg has left.

        Asking again for the same transfer sends nothing while it is under way: livekit-sip answers
        both with its one outcome (`getOrCreatePendingTransfer`). Where it cannot be asked, time and
        the leg tell.

        Args:
            line: The call's line.
            transfer: What is under way.
            ask: Whether it may be asked for again; else time and the leg tell.
        """
        why = await self._outcome(line, transfer, ask=ask)
        self._asked.pop(transfer.identity, None)
        return why

    async def _outcome(self, line: Line, transfer: Transfer, *, ask: bool) -> str:
        identity, referral = transfer.identity, transfer.referral
        left = max(1.0, transfer.until - self._clock())
        logger.info("%s is being transferred to %s: waiting for it", identity, referral.to)
        again = Referral(referral.to, left, referral.headers, referral.play_dialtone)
        patience, why = _LEAVING, f"{identity} was transferred to {referral.to}, and is still here"
        try:
            if ask:
                await line.transfer(identity, again)
            else:
                patience = left
        except ApiError as error:
            if error.code in _FAILED:
                return str(error)
            patience, why = max(0.0, transfer.until - self._clock()), str(error)
        try:
            async with asyncio.timeout(patience):
                await line.left(identity)
        except TimeoutError:
            return why
        except OnhookError as error:
            return str(error)
        return ""

    def _look(self) -> None:
        now = self._clock()
        for frame, asked in _requests():
            known = self._asked.get(asked.participant_identity)
            if asked.room_name == self._room and (known is None or known.request is not frame):
                window = asked.ringing_timeout.ToTimedelta().total_seconds() or _WINDOW
                referral = Referral(
                    asked.transfer_to, window, dict(asked.headers), asked.play_dialtone
                )
                transfer = Transfer(asked.participant_identity, referral, now + window, frame)
                self._asked[transfer.identity] = transfer
        self._asked = {
            identity: transfer
            for identity, transfer in self._asked.items()
            if now < transfer.until and not is_answered(transfer.request)
        }


def _requests() -> Iterator[tuple[FrameType, api.TransferSIPParticipantRequest]]:
    """Yield the requests that run now, but for those of onhook's own ladders."""
    for task in asyncio.all_tasks():
        frames = tuple(frames_of(task))
        if any(frame.f_code is refer.__code__ for frame in frames):
            continue
        for frame in frames:
            if (asked := transfer_asked(frame)) is not None:
                yield frame, asked
