"""A call's line whose every answer is scripted, for tests of what decides and acts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from onhook.call import Call, Direction, Leg, LegKind, LineState
from onhook.errors import ApiError, OnhookError
from onhook.line import Announcement, Dispatch, Referral

ROOM, AGENT, JOB = "call-1", "agent-1", "AJ_1"

Act = Callable[[], Awaitable[None]]


def caller(line: LineState = LineState.ACTIVE, identity: str = "sip_1") -> Leg:
    return Leg(identity, LegKind.CALLER, line, audible=True, call_id="SCL_1")


def human(identity: str = "ann") -> Leg:
    return Leg(identity, LegKind.HUMAN, audible=True)


def agent(identity: str = "agent-2", *, audible: bool = False) -> Leg:
    return Leg(identity, LegKind.AGENT, audible=audible, may_speak=False)


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
        pictures, says, removals, deletions, leavings, transfers, dispatchings, hearings, retries:
            Scripts.
        listings: The script of lists of dispatches.
        sent: The dispatches of the room.
        stays: Whether a leg stays although its transfer was said to have succeeded.
    """

    call: Call
    pictures: list[Act] = field(default_factory=lambda: [done])
    says: list[Act] = field(default_factory=lambda: [done])
    removals: list[Act] = field(default_factory=lambda: [done])
    deletions: list[Act] = field(default_factory=lambda: [done])
    leavings: list[Act] = field(default_factory=lambda: [done])
    transfers: list[Act] = field(default_factory=lambda: [done])
    dispatchings: list[Act] = field(default_factory=lambda: [done])
    hearings: list[Act] = field(default_factory=lambda: [done])
    retries: list[Act] = field(default_factory=lambda: [done])
    listings: list[Act] = field(default_factory=lambda: [done])
    sent: list[Dispatch] = field(default_factory=list)
    stays: bool = False
    checks: list[Act] = field(default_factory=lambda: [done])
    asked: list[str] = field(default_factory=list)
    referrals: list[Referral] = field(default_factory=list)

    async def picture(self) -> Call:
        await self._next(self.pictures)
        return self.call

    async def check(self) -> None:
        await self._next(self.checks)

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

    async def left(self, identity: str) -> None:
        await self._next(self.leavings)
        while any(  # noqa: ASYNC110 - tests change the call as they like
            leg.identity == identity for leg in self.call.legs
        ):
            await asyncio.sleep(0.1)

    async def transfer(self, identity: str, referral: Referral) -> None:
        self.asked.append(f"transfer {identity}")
        self.referrals.append(referral)
        await self._next(self.transfers)
        if not self.stays:
            asyncio.get_running_loop().call_later(1.0, self._leave, {identity})

    async def origin(self) -> str | None:
        return next((sent.metadata for sent in self.sent if JOB in sent.jobs), None)

    async def dispatches(self) -> Sequence[Dispatch]:
        await self._next(self.listings)
        return tuple(self.sent)

    async def dispatch(self, agent_name: str, metadata: str) -> str:
        self.asked.append(f"dispatch {agent_name}")
        await self._next(self.dispatchings)
        if not self.call.callers:
            raise OnhookError("the caller has left")
        made = Dispatch(f"AD_{len(self.sent)}", agent_name, metadata, ("AJ_2",), ("agent-2",))
        self.sent.append(made)
        return made.id

    async def heard(self, dispatch: str) -> str:
        self.asked.append(f"hear {dispatch}")
        await self._next(self.hearings)
        return next(sent.agents[0] for sent in self.sent if sent.id == dispatch)

    async def withdraw(self, dispatch: str) -> None:
        self.asked.append(f"withdraw {dispatch}")
        await self._next(self.removals)
        self._leave({name for sent in self.sent if sent.id == dispatch for name in sent.agents})
        self.sent = [sent for sent in self.sent if sent.id != dispatch]

    async def retry(self) -> str:
        self.asked.append("retry")
        await self._next(self.retries)
        return "it is up"

    def join(self, *legs: Leg) -> None:
        self.call = replace(self.call, legs=(*self.call.legs, *legs))

    def _leave(self, identities: set[str]) -> None:
        legs = tuple(leg for leg in self.call.legs if leg.identity not in identities)
        self.call = replace(self.call, legs=legs)

    async def _next(self, script: list[Act]) -> None:
        await (script.pop(0) if len(script) > 1 else script[0])()
