"""What can go wrong with a phone."""

from __future__ import annotations

from onhook.errors import OnhookError

__all__ = [
    "CallError",
    "CallTimeoutError",
    "NotAnsweredError",
    "NumberError",
    "PhoneError",
    "SdpError",
    "SipError",
]


class PhoneError(OnhookError):
    """The root of what the phone raises: a port in use, an unknown codec, a lost connection."""


class NumberError(PhoneError, ValueError):
    """A number, SIP address or server that cannot be dialled."""


class SipError(PhoneError, ValueError):
    """A SIP message that cannot be understood (RFC 3261)."""


class SdpError(PhoneError, ValueError):
    """A session description that cannot be understood or agreed to (RFC 4566, RFC 3264)."""


class CallError(PhoneError):
    """The call is not in a state that allows what was asked of it."""


class NotAnsweredError(CallError):
    """The call ended before anybody answered it.

    Args:
        message: Which call, and how it ended.
        status: The final SIP status, or None when none came.
    """

    def __init__(self, message: str, *, status: int | None) -> None:
        super().__init__(message)
        self.status = status


class CallTimeoutError(PhoneError, TimeoutError):
    """What was waited for did not happen within its deadline."""
