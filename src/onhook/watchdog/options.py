"""How a watchdog behaves, and how its process is told so."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec

from onhook.errors import ConfigurationError

__all__ = ["WatchdogOptions"]

_Seconds = Annotated[float, msgspec.Meta(ge=0)]


class WatchdogOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a watchdog behaves.

    Args:
        idle: Seconds without a job after which it ends; `None` is never.
        release: Whether the calls that are left some time after SIGTERM get their ladder, because
            the whole host or container goes; else they are watched to their end.
        grace: That time, in seconds.
        detached: Whether it is nobody's child, with its words in files.
    """

    idle: _Seconds | None = None
    release: bool = False
    grace: _Seconds = 10.0
    detached: bool = False

    @property
    def command(self) -> list[str]:
        """The command line of a process that behaves so."""
        told = msgspec.json.encode(self).decode()
        # -P: what lies in the agent's folder is not to stand in for the standard library
        return [sys.executable, "-P", "-m", "onhook.watchdog", told]

    @classmethod
    def of(cls, arguments: list[str]) -> WatchdogOptions:
        """Read what `command` tells a process.

        Args:
            arguments: Those of the process; none are all defaults.

        Raises:
            ConfigurationError: They tell something else.
        """
        try:
            return msgspec.json.decode("".join(arguments) or "{}", type=cls)
        except msgspec.MsgspecError as error:
            raise ConfigurationError(
                f"{arguments!r} is no watchdog's options ({error}): use `onhook watchdog run`"
            ) from error
