"""A call's line whose every answer is scripted, for tests of what decides and acts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from onhook.errors import ApiError
from onhook.line import Announcement
from onhook.types import Call, Direction, Leg, LegKind, LineState

ROOM, AGENT, JOB = "call-1", "agent-1", "AJ_1"

Act = Callable[[], Awaitable[None]]


def caller(line: LineState = LineState.ACTIVE, identity: str = "sip_1") -> Leg:
    return Leg(identity, LegKind.CALLER, line, audible=True, call_id="SCL_1")


def human(identity: str = "ann") -> Leg:
    return Leg(identity, LegKind.HUMAN, audible=True)


def agent(identity: str = "agent-2", *, audible: bool = False) -> Leg:
    return Leg(identity, LegKind.AGENT, audible=audible)


def call_of(*legs: Leg, direction: Direction = Direction.INBOUND) -> Call:
    return Call(ROOM, (agent(AGENT), *legs), AGENT, JOB, direction)


def refused(code: str = "unauthenticated", *, passing: bool = False) -> ApiError:
    return ApiError(f"scripted {code}", code=code, passing=passing)


async def done() -> None:
    return


async def hangs() -> None:
    await asyncio.Event().wait()


def fails(error: BaseException) -> Act:
    async def act() -> None:
        raise error

    return act


def takes(seconds: float) -> Act:
    async def act() -> None:
        await asyncio.sleep(seconds)

    return act


@dataclass
class FakeLine:
    """Acts as its scripts say; the last step of a script repeats. Keeps what was asked of it.

    Args:
        call: Who is on the call; changed by what is done.
        pictures, says, removals, deletions: Scripts.
    """

    call: Call
    pictures: list[Act] = field(default_factory=lambda: [done])
    says: list[Act] = field(default_factory=lambda: [done])
    removals: list[Act] = field(default_factory=lambda: [done])
    deletions: list[Act] = field(default_factory=lambda: [done])
    asked: list[str] = field(default_factory=list)

    async def picture(self) -> Call:
        await self._next(self.pictures)
        return self.call

    async def say(self, announcement: Announcement) -> str:
        self.asked.append("say")
        await self._next(self.says)
        return f"test, {announcement.text}"

    async def remove(self, identity: str) -> None:
        self.asked.append(f"remove {identity}")
        await self._next(self.removals)
        self._leave({identity})

    async def delete_room(self) -> None:
        self.asked.append("delete")
        await self._next(self.deletions)
        self._leave({leg.identity for leg in self.call.legs})

    def join(self, *legs: Leg) -> None:
        self.call = replace(self.call, legs=(*self.call.legs, *legs))

    def _leave(self, identities: set[str]) -> None:
        legs = tuple(leg for leg in self.call.legs if leg.identity not in identities)
        self.call = replace(self.call, legs=legs)

    async def _next(self, script: list[Act]) -> None:
        await (script.pop(0) if len(script) > 1 else script[0])()
