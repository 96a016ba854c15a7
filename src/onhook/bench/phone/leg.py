"""One call within the phone: its signalling, its audio, its story, and the tasks that it owns."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from sipmessage import Request

from onhook.bench.phone.call_report import Ending
from onhook.bench.phone.call_state import CallState
from onhook.bench.phone.codec import Codec
from onhook.bench.phone.dialog import Dialog
from onhook.bench.phone.endpoint import Endpoint
from onhook.bench.phone.media import Media
from onhook.bench.phone.message import Host
from onhook.bench.phone.packet_timeline import Ear
from onhook.bench.phone.phone_errors import CallTimeoutError, PhoneError
from onhook.bench.phone.refer import ReferAnswer
from onhook.bench.phone.sdp import Agreement, SessionDescription, agree, answer, offer
from onhook.bench.phone.sound_segments import Threshold

__all__ = ["Leg", "Line"]

logger = logging.getLogger("onhook.bench.phone")

_RELEASE = 5.0
"""Seconds to wait until the other side confirms that the call is over. It is, in any case."""
_NOBODY = 0.5
"""Seconds to wait for that when the other side never said anything."""


@dataclass(frozen=True, slots=True)
class Line:
    """What every call of a phone has in common.

    Args:
        host: The local address.
        codecs: What the phone can do, the best first.
        threshold: Where sound begins.
        on_refer: What to say to a REFER.
    """

    host: str
    codecs: tuple[Codec, ...]
    threshold: Threshold
    on_refer: ReferAnswer


@dataclass(slots=True, eq=False)
class Leg:
    """One call; `inviting`, `answering` and `indialog` drive it.

    Args:
        endpoint: Sends and receives SIP.
        media: Sends and receives audio.
        dialog: What the two sides call the call.
        story: What has happened.
        number: The other side.
        outgoing: Whether we dialled.
        codecs: What we can do; a later offer may choose another than the first.
        ours: The session description that we sent, or would offer.
        on_refer: What to say to a REFER.
    """

    endpoint: Endpoint
    media: Media
    dialog: Dialog
    story: CallState
    number: str
    outgoing: bool
    codecs: tuple[Codec, ...]
    ours: SessionDescription
    on_refer: ReferAnswer
    give_up: asyncio.Event = field(default_factory=asyncio.Event)
    gave_up: Ending | None = None
    ack: tuple[Request, Host] | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    async def open(
        cls,
        endpoint: Endpoint,
        dialog: Dialog,
        line: Line,
        *,
        number: str,
        outgoing: bool,
    ) -> Leg:
        """Begin a call; its audio gets a free port.

        Raises:
            PhoneError: There is none.
        """
        media = await Media.open(line.host, Ear(line.threshold))
        story = CallState(f"{number} (Call-ID {dialog.call_id})", time.monotonic(), media.stop)
        media.on_digit = story.pressed
        ours = offer(*media.local, line.codecs)
        return cls(
            *(endpoint, media, dialog, story, number, outgoing), line.codecs, ours, line.on_refer
        )

    async def agree(self, theirs: bytes) -> None:
        """Take their answer to our offer: audio flows from now on.

        Raises:
            SdpError: It agrees to nothing that we offered.
        """
        await self.media.agree(agree(self.ours, SessionDescription.parse(theirs)))

    def answer_to(self, offered: bytes) -> Agreement:
        """Take their offer; `ours` becomes our answer, and the agreement is for `Media.agree`.

        Raises:
            SdpError: It has nothing that we can do.
        """
        theirs = SessionDescription.parse(offered)
        self.ours = answer(theirs, replace(self.ours, codecs=self.codecs))
        return agree(self.ours, theirs)

    async def hang_up(self) -> None:
        """End the call in the way of its state; see `Call.hang_up`."""
        story = self.story
        if story.answered_at is None and story.ending is None:
            self.give_up.set()
            patience = _RELEASE if story.status else _NOBODY
            try:
                await story.until(lambda: story.ending or story.answered_at, patience, "")
            except CallTimeoutError:
                reason = "nobody confirmed it" if story.status else "there never was a response"
                story.ended(Ending.CANCELLED, time.monotonic(), reason)
        if story.ending is None:
            await self.bye()

    async def bye(self, ending: Ending = Ending.BYE_SENT, reason: str = "") -> None:
        """Release an answered call."""
        self.story.ended(ending, time.monotonic(), reason)
        transaction = await self.endpoint.send(
            self.dialog.request("BYE"), self.dialog.destination()
        )
        try:
            async with asyncio.timeout(_RELEASE):
                await transaction.final()
        except TimeoutError:
            logger.warning("call to %s: nobody answered our BYE", self.story.name)

    def own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run something until the call is closed; an exception in it ends the call."""

        async def watched() -> None:
            try:
                await work
            except PhoneError as error:
                ending = Ending.TIMEOUT if isinstance(error, TimeoutError) else Ending.FAILED
                logger.warning("call to %s: %s", self.story.name, error)
                self.story.ended(ending, time.monotonic(), str(error))
            except Exception as error:
                # The boundary of all that a call does by itself: nothing may fail unseen.
                logger.exception("call to %s failed", self.story.name)
                self.story.ended(Ending.FAILED, time.monotonic(), repr(error))

        task = asyncio.create_task(watched(), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Cancel what is under way, and close the audio."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.story.ended(Ending.FAILED, time.monotonic(), "the phone was closed")
        await self.media.aclose()
