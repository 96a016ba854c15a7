"""Everything onhook raises has one root, and messages that say what to do."""

from __future__ import annotations

__all__ = [
    "ApiError",
    "AudioError",
    "ConfigurationError",
    "DecorationError",
    "EntrypointStalledError",
    "JournalError",
    "LadderError",
    "OnhookError",
    "OutageError",
    "OutageFileError",
    "PlansError",
    "PolicyError",
]


class OnhookError(Exception):
    """The root of every exception that onhook raises."""


class ConfigurationError(OnhookError):
    """A setting is missing or wrong, for example a `LIVEKIT_*` variable."""


class DecorationError(OnhookError, TypeError):
    """`onhook.guard` was put on something that it cannot guard."""


class PolicyError(OnhookError, ValueError):
    """A value in a `Policy` or a rung is out of range or of the wrong type."""


class LadderError(PolicyError):
    """A ladder, or its JSON, is not one that the engine can climb."""


class AudioError(OnhookError, ValueError):
    """An audio file is missing, or of a format that a phone line cannot carry."""


class JournalError(OnhookError):
    """A file of incidents or of call records cannot be read or written."""


class OutageError(OnhookError):
    """`onhook.dial` was not to call anybody: an outage is switched on for its trunk or number."""


class OutageFileError(OnhookError):
    """The file of the outage switch cannot be read or written."""


class PlansError(OnhookError, ValueError):
    """The sentinel's file of plans has mistakes; each is named with its line."""


class EntrypointStalledError(OnhookError, TimeoutError):
    """The entrypoint published no audio within `Policy.first_audio` seconds."""


class ApiError(OnhookError):
    """A call to the LiveKit server API failed.

    Args:
        message: What was tried, on which room, what came back and what to do.
        code: The Twirp error code, or `"timeout"` / `"transport"`.
        passing: Whether trying again may help: transport errors, 5xx, 429.
    """

    def __init__(self, message: str, *, code: str, passing: bool) -> None:
        super().__init__(message)
        self.code = code
        self.passing = passing
