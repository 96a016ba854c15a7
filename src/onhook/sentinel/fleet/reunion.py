"""What a sentinel tells the others when they can be reached again. See the table in `failover`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from onhook.incident import Outcome
from onhook.rescue.events import RescueEvent
from onhook.sentinel.fleet.claims import (
    MOST_EVENTS,
    Claim,
    ClaimLostError,
    Finished,
    LocalClaims,
    Refused,
)
from onhook.sentinel.fleet.solo_rules import SoloRules, remember

__all__ = ["GivenClaim", "Reunion"]

logger = logging.getLogger("onhook")

_AT_ONCE = 10_000


@dataclass(slots=True)
class GivenClaim:
    """A claim that somebody here holds, wherever it is kept.

    Args:
        handle: As its holder has it.
        ttl: Seconds of its lease.
        beyond: See `Claims.claim`.
        shared: As the sentinels share it; `None` where it was begun without them.
        local: As it is kept here meanwhile.
        told: What was told under it.
        lost: Why it is lost; empty while it is held.
        lock: Held while any of this changes.
    """

    handle: Claim
    ttl: float
    beyond: int = 0
    shared: Claim | None = None
    local: Claim | None = None
    told: list[RescueEvent] = field(default_factory=list)
    lost: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def take(self, events: Sequence[RescueEvent]) -> None:
        """Remember what was told."""
        for event in events:
            if event not in self.told:
                del self.told[MOST_EVENTS - 1 :]
                self.told.append(event)

    def require_held(self) -> None:
        """Raise where it is lost.

        Raises:
            ClaimLostError: It is.
        """
        if self.lost:
            raise ClaimLostError(self.lost)


class Reunion:
    """Tells what is owed, a call at a time; what could not be told stays owed.

    Args:
        shared: Where the sentinels agree.
        local: Where this one kept what it did meanwhile.
        rules: Is told what the others had.
    """

    def __init__(self, shared: LocalClaims, local: LocalClaims, rules: SoloRules) -> None:
        self._shared = shared
        self._local = local
        self._rules = rules
        self._owed: dict[str, tuple[Claim | None, int]] = {}
        self.due = True
        """Whether there may be something to tell; an earlier start may have left something."""
        self.told = 0
        self.superseded = 0

    @property
    def owed(self) -> int:
        """How many calls are kept here."""
        return len(self._owed)

    def owe(self, call: str, before: Claim | None, beyond: int) -> None:
        """Note that a call is kept here from now on.

        Args:
            call: Key of the call.
            before: The claim that shared knows, if it does.
            beyond: See `Claims.claim`.
        """
        self.due = True
        remember(self._owed, call, (before, beyond))

    def forget(self, call: str) -> None:
        """Owe nothing for a call."""
        self._owed.pop(call, None)

    async def tell_all(self, held: Iterable[GivenClaim]) -> None:
        """Claim again what is held here, then tell the rest.

        Args:
            held: What somebody here holds.

        Raises:
            FleetUnavailableError: Shared is gone again; or what is kept here is.
        """
        self.due = False
        try:
            here = {given.handle.call: given for given in held if given.local is not None}
            for given in here.values():
                await self._claim_again(given)
            lapsed = set(await self._local.lapsed(_AT_ONCE))
            kept = await self._local.recent(_AT_ONCE)
            for call in [call for call in self._owed if call not in kept]:
                await self._give_back(call)
            for call in kept:
                if call in here and here[call].local is not None:
                    self.due = True
                # else: where it is held, another process of this host tells of it itself
                elif (finished := await self._local.done(call)) or call in lapsed:
                    await self._tell(call, finished)
        except BaseException:
            self.due = True
            raise

    async def _claim_again(self, given: GivenClaim) -> None:
        call = given.handle.call
        async with given.lock:
            if given.local is None or given.lost:
                return
            answer = await self._claimed_again(call, given.shared, given.ttl, given.beyond)
            if isinstance(answer, Claim):
                given.shared = await self._shared.renew(answer, given.ttl, given.told)
                self.told += 1
            elif answer.owner == self._rules.owner and not answer.finished:
                self.due = True  # granted to us by an answer that was lost; its lease ends
                return
            else:
                did = "finished it" if answer.finished else "taken it over"
                given.lost = f"{call}: {answer.owner!r} has {did} meanwhile"
                self._rules.note(call, answer)
                self.superseded += 1
            given.local = None
            await self._local.forget(call)
            self.forget(call)

    async def _tell(self, call: str, finished: Finished | None) -> None:
        """Tell of a call that was given back here."""
        before, beyond = self._owed.get(call, (None, 0))
        events = await self._local.events(call)
        answer = await self._claimed_again(call, before, self._rules.rescue, beyond)
        if isinstance(answer, Claim):
            outcome = None
            if finished is not None:
                outcome = Outcome(finished.incident, finished.ending, finished.detail)
            await self._shared.release(answer, outcome, events)
            self.told += 1
        elif finished is not None and answer.finished is None:
            self.due = True  # who holds it may die of it: then this is its outcome
            return
        elif not _is_of(answer, finished):
            self._rules.note(call, answer)
            self.superseded += 1
            logger.warning(
                "%s: %r has it; what was done here on its own is not its outcome",
                *(call, answer.owner),
            )
        await self._local.forget(call)
        self.forget(call)

    async def _give_back(self, call: str) -> None:
        """Give back a claim under which nothing was ever told; nothing of it is kept here."""
        before, _ = self._owed[call]
        if before is not None:
            with contextlib.suppress(ClaimLostError):
                await self._shared.release(before, None)
        self.forget(call)

    async def _claimed_again(
        self, call: str, before: Claim | None, ttl: float, beyond: int
    ) -> Claim | Refused:
        if before is not None:
            try:
                return await self._shared.renew(before, ttl)
            except ClaimLostError as error:  # taken over, or shared has lost its data
                logger.debug("%s is claimed anew: %s", call, error)
        return await self._shared.claim(call, self._rules.owner, ttl, beyond=beyond)


def _is_of(answer: Refused, finished: Finished | None) -> bool:
    """Return whether shared has this very outcome: that it was taken had not been heard here."""
    there = answer.finished
    if there is None or finished is None:
        return False
    told = (finished.incident, finished.ending, finished.owner)
    return (there.incident, there.ending, there.owner) == told
