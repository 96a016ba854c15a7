"""The ways in which a provider fails a request."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from onhook.bench.simulator.simulator_errors import SimulatorError

__all__ = ["Endpoint", "Kind", "ProviderFault"]


class Endpoint(StrEnum):
    """What a provider offers."""

    CHAT = "chat"
    """POST /v1/chat/completions"""
    SPEECH = "speech"
    """POST /v1/audio/speech"""
    TRANSCRIPTIONS = "transcriptions"
    """POST /v1/audio/transcriptions"""


class Kind(StrEnum):
    """What becomes of a request."""

    STATUS = "status"
    """An error response: 401, 429, 500."""
    SLOW = "slow"
    """The right answer, its headers late."""
    STALL = "stall"
    """The answer stops and the connection stays open."""
    RESET = "reset"
    """The answer stops and the connection is reset (TCP RST)."""
    EMPTY = "empty"
    """A success without content."""
    MUTE = "mute"
    """A success whose audio is all zeros."""
    MALFORMED = "malformed"
    """A success that cannot be parsed."""
    WRONG_RATE = "wrong_rate"
    """Speech at another sample rate than the one that the interface promises."""


@dataclass(frozen=True, slots=True)
class ProviderFault:
    """What becomes of one request; the class methods say what each kind takes.

    Args:
        kind: What happens.
        status: HTTP status of the error response.
        seconds: How late the headers are.
        chunks: Chunks that are sent before the answer stops.
        bytes: Bytes of the body that are sent before the answer stops; counts before `chunks`.
        rate: Sample rate of the speech, Hz.

    Raises:
        SimulatorError: Names the setting, what was got and what is allowed.
    """

    kind: Kind
    status: int = 500
    seconds: float = 0.0
    chunks: int = 0
    bytes: int | None = None
    rate: int = 8000

    def __post_init__(self) -> None:
        for name, least in (("status", 400), ("chunks", 0), ("rate", 4000)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise SimulatorError(f"ProviderFault({name}={value!r}): give {least} or more")
        if self.status > 599:
            raise SimulatorError(f"ProviderFault(status={self.status!r}): give 400 to 599")
        if self.bytes is not None and (type(self.bytes) is not int or self.bytes < 0):
            raise SimulatorError(f"ProviderFault(bytes={self.bytes!r}): give 0 or more, or None")
        number = type(self.seconds) in (int, float)
        if not (number and math.isfinite(self.seconds) and self.seconds >= 0):
            raise SimulatorError(f"ProviderFault(seconds={self.seconds!r}): give 0 or more")

    @classmethod
    def error(cls, status: int) -> ProviderFault:
        """Answer with an HTTP error: 401, 429, 500."""
        return cls(Kind.STATUS, status=status)

    @classmethod
    def slow(cls, seconds: float) -> ProviderFault:
        """Answer rightly, so many seconds late."""
        return cls(Kind.SLOW, seconds=seconds)

    @classmethod
    def stall(cls, chunks: int = 0, *, bytes: int | None = None) -> ProviderFault:  # noqa: A002
        """Send the headers and so many chunks or bytes, then nothing more, for ever."""
        return cls(Kind.STALL, chunks=chunks, bytes=bytes)

    @classmethod
    def reset(cls, chunks: int = 0, *, bytes: int | None = None) -> ProviderFault:  # noqa: A002
        """Send the headers and so many chunks or bytes, then reset the connection."""
        return cls(Kind.RESET, chunks=chunks, bytes=bytes)

    @classmethod
    def empty(cls) -> ProviderFault:
        """Succeed without content."""
        return cls(Kind.EMPTY)

    @classmethod
    def mute(cls) -> ProviderFault:
        """Succeed with audio of zeros, as long as the speech would have been."""
        return cls(Kind.MUTE)

    @classmethod
    def malformed(cls) -> ProviderFault:
        """Succeed with what cannot be parsed."""
        return cls(Kind.MALFORMED)

    @classmethod
    def wrong_rate(cls, rate: int = 8000) -> ProviderFault:
        """Speak at another sample rate."""
        return cls(Kind.WRONG_RATE, rate=rate)

    def check(self, endpoint: Endpoint) -> None:
        """Refuse a fault that an endpoint cannot have.

        Raises:
            SimulatorError: It is about audio, and the endpoint sends none.
        """
        if self.kind in (Kind.MUTE, Kind.WRONG_RATE) and endpoint is not Endpoint.SPEECH:
            raise SimulatorError(f"{self.kind} is a fault of {Endpoint.SPEECH}, not of {endpoint}")

    def to_dict(self) -> dict[str, Any]:
        """Write it for a control message."""
        return {**asdict(self), "kind": str(self.kind)}

    @classmethod
    def from_dict(cls, data: object) -> ProviderFault:
        """Read it from a control message.

        Raises:
            SimulatorError: Says what is wrong.
        """
        if not isinstance(data, Mapping) or "kind" not in data:
            raise SimulatorError(f'a fault is {{"kind": KIND, ...}}; got {data!r}')
        try:
            return cls(**{**data, "kind": Kind(data["kind"])})
        except ValueError as error:
            if isinstance(error, SimulatorError):
                raise
            known = ", ".join(Kind)
            raise SimulatorError(f"no fault is of kind {data['kind']!r}; known: {known}") from None
        except TypeError as error:
            raise SimulatorError(f"the fault {dict(data)!r}: {error}") from None
