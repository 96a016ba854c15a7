"""What leases and reports of watchdogs have in common: how they are signed, bounded and decoded."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from onhook.sentinel.signals.refusals import Reason, RefusedError
from onhook.sentinel.signals.signed_bodies import SignedBodies, Token

__all__ = ["LONGEST_TOKEN", "WatchdogMessages"]

M = TypeVar("M")

_LONGEST_BODY = 1024 * 1024
"""Bytes: the calls of the largest host with long names, and as much again."""
LONGEST_TOKEN = 60.0
"""Seconds for which a message's token may count."""


class WatchdogMessages(Generic[M]):
    """Verifies the messages of one kind and decodes them.

    Args:
        signed: Verifies tokens and bodies.
        kind: The messages' type.
        name: What a person calls one: `"lease"`.
        tolerance: Seconds by which the host's clock and ours may differ.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        signed: SignedBodies,
        kind: type[M],
        name: str,
        *,
        tolerance: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._signed = signed
        self._name = name
        self._tolerance = tolerance
        self._clock = clock
        self._decoder = msgspec.json.Decoder(kind)
        self.longest = _LONGEST_BODY

    def token(self, header: str | None) -> Token:
        """Verify the `Authorization` header, before the body is read.

        Args:
            header: Its value; `None` where there is none.

        Raises:
            RefusedError: It is not believed, or counts for too long.
        """
        now = self._clock()
        token = self._signed.token(header, now)
        if token.expires > now + LONGEST_TOKEN + self._tolerance:
            raise RefusedError(
                Reason.STALE,
                f"its token counts {token.expires - now:.0f} s from now on; "
                f"a {self._name}'s may not count longer than {LONGEST_TOKEN:.0f} s",
            )
        return token

    def decoded(self, token: Token, body: bytes) -> M:
        """Verify and decode a body; what it says is still to be looked at.

        Args:
            token: Its token.
            body: As it came.

        Raises:
            RefusedError: It is not believed.
        """
        if len(body) > self.longest:
            raise RefusedError(Reason.OVERSIZED, f"its body is longer than {self.longest} bytes")
        self._signed.check(token, body)
        try:
            return self._decoder.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise RefusedError(
                Reason.MALFORMED, f"its body is no {self._name} ({type(error).__name__})"
            ) from error
