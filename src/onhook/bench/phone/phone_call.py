"""One call, as its user sees it."""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path

from onhook.bench.phone.call_report import Report
from onhook.bench.phone.codec import Samples
from onhook.bench.phone.dtmf import check_digits
from onhook.bench.phone.leg import Leg
from onhook.bench.phone.phone_errors import CallError, CallTimeoutError
from onhook.bench.phone.refer import ReferAnswer
from onhook.bench.phone.refer_requests import send_refer
from onhook.bench.phone.sound_files import check_samples, load_audio, save_wav, speech

__all__ = ["Call"]


class Call:
    """A call, dialled or received. Made by `Phone.dial` and `Phone.next_call`.

    Args:
        leg: Its signalling and its audio.
    """

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._story = leg.story
        self._media = leg.media

    @property
    def number(self) -> str:
        """The other side, as a SIP address."""
        return self._leg.number

    @property
    def on_refer(self) -> ReferAnswer:
        """What to say to a REFER; may be changed at any time."""
        return self._leg.on_refer

    @on_refer.setter
    def on_refer(self, answer: ReferAnswer) -> None:
        self._leg.on_refer = answer

    @property
    def call_id(self) -> str:
        """The SIP Call-ID."""
        return self._leg.dialog.call_id

    @property
    def is_up(self) -> bool:
        """Whether it is answered and has not ended."""
        return self._story.answered_at is not None and self._story.ending is None

    async def ringing(self, timeout: float = 10.0) -> float:
        """Return when the other side began to ring; when answered without, that moment.

        Raises:
            CallTimeoutError: It does not ring within `timeout` seconds.
            NotAnsweredError: The call ended before it rang.
        """
        story = self._story
        begun = await story.until(
            lambda: story.ringing_at or story.answered_at or story.ended_at, timeout, "no ringing"
        )
        return begun if story.ringing_at else await story.until_answered(0)

    async def answered(self, timeout: float = 30.0) -> float:
        """Return when the call was answered.

        Raises:
            CallTimeoutError: It is not answered within `timeout` seconds; it still rings.
            NotAnsweredError: The call ended unanswered.
        """
        return await self._story.until_answered(timeout)

    async def ended(self, timeout: float = 30.0) -> Report:
        """Return the report when the call has ended.

        Raises:
            CallTimeoutError: It goes on after `timeout` seconds.
        """
        await self._story.until(lambda: self._story.ending, timeout, "not ended")
        return self.report()

    async def heard_sound(
        self, after: float = -math.inf, timeout: float = 10.0, *, new: bool = False
    ) -> float:
        """Return when something was first heard.

        Args:
            after: Not before this moment of the monotonic clock.
            timeout: Seconds to wait.
            new: Only a sound that began then, not one that was already under way.

        Raises:
            CallTimeoutError: Nothing was heard.
        """
        try:
            return await self._media.ear.sound(after, timeout, new=new)
        except CallTimeoutError as error:
            raise CallTimeoutError(f"call to {self._story.name}: {error}") from None

    async def heard_silence(
        self, seconds: float, timeout: float = 30.0, *, after: float | None = None
    ) -> float:
        """Return when a silence of that length began.

        Args:
            seconds: How long it must be silent.
            timeout: Seconds to wait.
            after: Not before this moment of the monotonic clock; from the answer without.

        Raises:
            CallTimeoutError: It was never silent for so long.
        """
        begin = self._story.answered_at or self._story.invited_at
        try:
            return await self._media.ear.silence(
                seconds, begin if after is None else after, timeout
            )
        except CallTimeoutError as error:
            raise CallTimeoutError(f"call to {self._story.name}: {error}") from None

    async def heard_digits(self, count: int, timeout: float = 10.0) -> str:
        """Return all digits so far, as soon as there are so many.

        Raises:
            CallTimeoutError: Fewer came within `timeout` seconds.
        """
        digits = self._story.digits
        await self._story.until(
            lambda: True if len(digits) >= count else None, timeout, f"fewer than {count} digits"
        )
        return "".join(digit.digit for digit in digits)

    async def referred(self, timeout: float = 10.0) -> str:
        """Return whom the newest REFER wants us to call, as soon as one came.

        Raises:
            CallTimeoutError: None came within `timeout` seconds.
        """
        refers = self._story.refers
        return await self._story.until(
            lambda: refers[-1].to if refers else None, timeout, "no REFER"
        )

    def report(self) -> Report:
        """Return what is known now."""
        story = self._story
        end = story.ended_at or time.monotonic()
        starts = [t for t in (story.answered_at, self._media.ear.first_at) if t is not None]
        return Report(
            call_id=self.call_id,
            number=self.number,
            outgoing=self._leg.outgoing,
            invited_at=story.invited_at,
            ringing_at=story.ringing_at,
            answered_at=story.answered_at,
            ended_at=story.ended_at,
            ending=story.ending,
            status=story.status,
            reason=story.reason,
            hearing=self._media.ear.hearing(min([*starts, end]), end),
            digits=tuple(story.digits),
            refers=tuple(story.refers),
            packets=self._media.packets,
        )

    def audio(self) -> Samples:
        """Return what was heard, laid out on the time of the report's hearing."""
        hearing = self.report().hearing
        return self._media.ear.audio(hearing.begin, hearing.end)

    def save(self, path: Path | str) -> None:
        """Write what was heard as a WAV file; its zero is the report's `hearing.begin`.

        Raises:
            AudioError: It cannot be written there.
        """
        save_wav(path, self.audio())

    async def play(self, audio: Path | str | Samples) -> None:
        """Play a file, or samples of 8000 Hz; returns when the last of it was sent.

        Raises:
            AudioError: It cannot be read.
            CallError: The call is not answered, or ended before the audio did.
        """
        if isinstance(audio, Path | str):
            samples = await asyncio.to_thread(load_audio, audio)
        else:
            samples = check_samples(audio)
        self._check_up("play audio")
        await self._media.play(samples)

    async def say(self, text: str, *, voice: str = "en-us") -> None:
        """Speak with espeak-ng; returns when the last of it was sent.

        Raises:
            PhoneError: espeak-ng is missing, or the call is not up (`CallError`).
        """
        self._check_up("speak")
        await self.play(await speech(text, voice=voice))

    async def send_digits(self, digits: str, *, tone: float = 0.1, pause: float = 0.06) -> None:
        """Press keys; returns when the last tone was sent.

        Args:
            digits: Of `0123456789*#ABCD`.
            tone: Seconds that each sounds.
            pause: Seconds between two.

        Raises:
            CallError: A digit that has no key, no call, or the other side takes no digits.
        """
        wanted = check_digits(digits)
        self._check_up("send digits")
        await self._media.send_digits(wanted, tone, pause)

    async def refer(self, to: str, timeout: float = 10.0) -> int:
        """Ask the other side to call somebody else (RFC 3515); return the final status.

        Raises:
            CallError: The call is not up.
            CallTimeoutError: It was accepted and its outcome never came.
        """
        self._check_up("refer")
        return await send_refer(self._leg, to, timeout)

    async def hang_up(self) -> None:
        """End the call: BYE, or CANCEL when it still rings, or 603 when it rings here.

        Returns when that was acknowledged, at the latest after a few seconds. Safe to repeat.

        Raises:
            PhoneError: The other side cannot be reached any more.
        """
        await self._leg.hang_up()

    async def cancel(self) -> None:
        """Give up before it is answered; the same as `hang_up`.

        Raises:
            CallError: It is answered already.
        """
        if self._story.answered_at is not None:
            raise CallError(
                f"call to {self._story.name} is answered: hang_up() instead of cancel()"
            )
        await self.hang_up()

    def _check_up(self, what: str) -> None:
        if not self.is_up:
            raise CallError(
                f"cannot {what} on the call to {self._story.name}: {self._story.now()}; "
                "await answered() first"
            )
