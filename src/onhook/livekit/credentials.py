"""Where the server is and what lets us in, from the environment and nowhere else."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from onhook.errors import ConfigurationError

__all__ = ["ANNOUNCER", "ROLE", "WITHDRAWN", "Credentials"]

ROLE = "onhook.role"
"""Participant attribute by which our own participants are known and left out of every count."""
ANNOUNCER = "announcer"

WITHDRAWN = "onhook.withdrawn"
"""Participant attribute of an agent that a rescuer takes away: the call is that rescuer's."""

_JOIN_TTL = dt.timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The address of a LiveKit server and a key, or a token, for its API.

    Args:
        url: `ws(s)://` or `http(s)://` address.
        key: API key; empty when a token is used.
        secret: API secret; never part of the representation.
        token: A signed access token in place of key and secret.

    Raises:
        ConfigurationError: Something is missing or the address is no address.
    """

    url: str
    key: str = ""
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("ws", "wss", "http", "https") or not parts.hostname:
            raise ConfigurationError(
                f"LIVEKIT_URL is {self.url!r}, which is no server address: "
                "give it as wss://HOST, or ws://HOST:PORT for a server of your own"
            )

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Credentials:
        """Read `LIVEKIT_URL` and `LIVEKIT_API_KEY` + `LIVEKIT_API_SECRET`, or `LIVEKIT_TOKEN`.

        A worker exports these for its jobs, also when they were given to it as arguments
        (livekit-agents `job.py`, `JobContext.api`).

        Args:
            env: The variables; `os.environ` when omitted.

        Raises:
            ConfigurationError: Names every variable that is missing.
        """
        env = os.environ if env is None else env
        token = env.get("LIVEKIT_TOKEN", "")
        needed = ["LIVEKIT_URL"]
        if not token:
            needed += ["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"]
        missing = [name for name in needed if not env.get(name)]
        if missing:
            raise ConfigurationError(
                f"{' and '.join(missing)} not set: without it onhook cannot release a call. "
                "Set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET for the worker"
            )
        key, secret = env.get("LIVEKIT_API_KEY", ""), env.get("LIVEKIT_API_SECRET", "")
        return cls(url=env["LIVEKIT_URL"], key=key, secret=secret, token=token)

    def join_token(self, room: str, identity: str, *, listens: bool = False) -> str:
        """Mint a token with which a participant of ours joins `room`.

        Args:
            room: Room name.
            identity: Its identity.
            listens: Whether it only listens, seen by nobody, in place of only speaking.

        Raises:
            ConfigurationError: There is no key and secret to sign it with.
        """
        if not (self.key and self.secret):
            raise ConfigurationError(
                f"cannot join room {room!r} for the caller's sake: LIVEKIT_TOKEN alone "
                "cannot sign a join token. Set LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
            )
        from livekit import api  # noqa: PLC0415 - heavy, and a watchdog listens before it loads it

        from onhook.livekit.framework.room_internals import joins_unsubscribed  # noqa: PLC0415 - rtc

        grants = api.VideoGrants(
            room_join=True,
            room=room,
            can_publish=not listens,
            can_subscribe=listens or not joins_unsubscribed(),
            can_publish_data=False,
            hidden=listens,
        )
        return (
            api.AccessToken(self.key, self.secret)
            .with_identity(identity)
            .with_kind("agent")
            .with_grants(grants)
            .with_attributes({ROLE: ANNOUNCER})
            .with_ttl(_JOIN_TTL)
            .to_jwt()
        )
