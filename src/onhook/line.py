"""The port through which rungs act on a call. `onhook.livekit` implements it; tests fake it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from onhook.call import Call

__all__ = ["Announcement", "Dispatch", "Line", "Referral"]


@dataclass(frozen=True, slots=True)
class Announcement:
    """What shall be said to the caller.

    Args:
        text: The words; also the key of the cached rendering.
        audio: A WAV file that is played as it is, or `None`.
        tts: A livekit-agents TTS, or a callable without arguments that makes one, or `None`.
        tts_deadline: Seconds that the TTS gets for the whole rendering.
        start_deadline: Seconds until the words must be on the line; a later start is a failure,
            so that the rungs below are not kept waiting. Three times as long where the server is
            slow in all that it does, as the release would have to wait for it too.
        gentle: The agent may still speak: its own voice is left alone, and where no audio of the
            text can be had the built-in words ask for patience instead of saying goodbye.
        heard: Is told `True` when the words begin to be heard, and `False` when they have ended.
    """

    text: str
    audio: Path | None = None
    tts: Callable[[], Any] | Any | None = None
    tts_deadline: float = 1.5
    start_deadline: float = 3.0
    gentle: bool = False
    heard: Callable[[bool], None] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Referral:
    """Where a leg shall be sent by SIP REFER.

    Args:
        to: A `sip:`, `sips:` or `tel:` address.
        window: Seconds that the far end gets until it has reported success.
        headers: Further header fields of the REFER.
        play_dialtone: Whether the leg hears a ringing tone meanwhile, and the room no more.
    """

    to: str
    window: float
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    play_dialtone: bool = False


@dataclass(frozen=True, slots=True)
class Dispatch:
    """An agent that was sent to the room.

    Args:
        id: LiveKit dispatch id.
        agent_name: The name under which its worker is registered.
        metadata: Metadata of its job.
        jobs: The job ids, as far as the server lists them.
        agents: The participant identities of these jobs.
        attributes: Attributes of its job.
        created_at: When it was made, in seconds since 1970 by the server's clock.
    """

    id: str
    agent_name: str
    metadata: str = ""
    jobs: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    created_at: float = 0.0


class Line(Protocol):
    """One call's line.

    Every method may raise `onhook.errors.OnhookError`, may be cancelled at any await, and may
    hang: the engine gives each call its deadline. Methods are safe to repeat.
    """

    async def picture(self) -> Call:
        """Return a fresh picture of the call. A room that is gone has no legs."""
        ...

    async def check(self) -> None:
        """Ask the server about the call as a rescue would, and change nothing."""
        ...

    async def say(self, announcement: Announcement) -> str:
        """Play an announcement to the end; return where the audio came from (`"cache"`, ...)."""
        ...

    async def remove(self, identity: str) -> None:
        """Remove one participant. One that is already gone is success."""
        ...

    async def delete_room(self) -> None:
        """Delete the room. One that is already gone is success."""
        ...

    async def left(self, identity: str) -> None:
        """Wait until a participant is gone, or its line is hung up."""
        ...

    async def transfer(self, identity: str, referral: Referral) -> None:
        """Send a leg elsewhere by SIP REFER; return when the far end has reported success.

        The leg itself leaves a moment later. Not safe to repeat once it has ended: while it is
        under way, the same request again waits for the same outcome.
        """
        ...

    async def origin(self) -> str | None:
        """Return the metadata of the guarded job; `None` where it cannot be known."""
        ...

    async def dispatches(self) -> Sequence[Dispatch]:
        """Return the agents that were sent to the room, whether they came or not."""
        ...

    async def dispatch(self, agent_name: str, metadata: str) -> str:
        """Send another agent to the room while a caller is in it; return the dispatch's id.

        A room that is gone, or whose caller is, is not brought back: that is an error.
        """
        ...

    async def heard(self, dispatch: str) -> str:
        """Wait until an agent of a dispatch can be heard; return its identity.

        That the last caller leaves meanwhile is an error.
        """
        ...

    async def withdraw(self, dispatch: str) -> None:
        """Delete a dispatch and remove its agents, which are told so; return when they are gone."""
        ...

    async def retry(self) -> str:
        """Run the entrypoint again; return one sentence when the new attempt publishes audio.

        Raises:
            OnhookError: It cannot be run again from here, now or later.
            Exception: What the new attempt raised.
        """
        ...
