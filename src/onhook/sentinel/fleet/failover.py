"""Claims that go on when what the sentinels share is gone, and agree again when it is back.

The rules, a row each; "here" is this sentinel, "shared" is Redis:

| when | asked for | answer |
| --- | --- | --- |
| reached | anything | what shared says; whose claims and outcomes were seen is remembered |
| gone | a claim held here | goes on, kept here |
| gone | a call whose outcome was seen | refused: it is finished |
| gone | a call seen in another's hands | refused until its lease, and a whole rescue, are over |
| gone | any other call, here alone | granted: there is nobody else |
| gone | any other call, others known | granted when it is this one's turn, see below |
| gone | to give back or finish | kept here, and owed to shared |
| back | a claim held here | claimed again under its events; another has it meanwhile: lost |
| back | an outcome owed | told when nobody holds the call; another has told one: that counts |
| back | a rescue half done here | told without an outcome: whoever asks goes on with it |
| back | any other call | refused for `settle` seconds, in which all tell what they owe |
| reached again | a call that somebody finished meanwhile | refused: it is finished |

Turns: the names of the sentinels that lived last are put in an order by a hash of name and call;
the first waits `first` seconds, each next one `stagger` more. Whoever asks again when its turn has
come has to look at the call again first, and finds it rescued where somebody was before it.

So no call is rescued twice that any sentinel knew of before. Sentinels that lose sight of Redis at
the same moment, and find a new call, are kept apart by their turns, not by proof.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from onhook.incident import Outcome
from onhook.rescue.events import RescueEvent
from onhook.sentinel.fleet.claims import (
    Claim,
    ClaimLostError,
    Finished,
    FleetUnavailableError,
    LocalClaims,
    Refused,
)
from onhook.sentinel.fleet.link import Link, LinkHealth
from onhook.sentinel.fleet.reunion import GivenClaim, Reunion
from onhook.sentinel.fleet.solo_rules import SoloRules, remember

__all__ = ["FailoverClaims"]

logger = logging.getLogger("onhook")

_TURNS = {
    Link.GONE: (logging.WARNING, "this sentinel goes on alone"),
    Link.BACK: (logging.INFO, "what the sentinels share is reached again; what is owed is told"),
    Link.REACHED: (logging.INFO, "this sentinel is one of its fleet again"),
}


class FailoverClaims:
    """See `Claims`, and the table above. Somebody has to run `watch`.

    Args:
        shared: Where the sentinels agree.
        local: Where this one keeps what it does meanwhile.
        owner: This sentinel's name, another one for each start.
        clock: Seconds of a monotonic clock.
        wall: Seconds since 1970.
        sleep: Waits for some seconds.
        every: Seconds between two probes.
        first: Seconds that a call waits for the others while shared is gone.
        stagger: Seconds that each next sentinel waits longer.
        rescue: Seconds that a whole rescue of another may take.
    """

    def __init__(
        self,
        shared: LocalClaims,
        local: LocalClaims,
        *,
        owner: str,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        every: float = 0.5,
        first: float = 1.0,
        stagger: float = 4.0,
        rescue: float = 30.0,
    ) -> None:
        self._shared = shared
        self._local = local
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._every = every
        self._link = Link.REACHED
        self._since = wall()
        self._why = ""
        self._settled = 0.0
        self.was_reached = False
        """Whether shared has been reached since the start."""
        self._given: dict[str, GivenClaim] = {}
        self._rules = SoloRules(owner, clock=clock, first=first, stagger=stagger, rescue=rescue)
        self._reunion = Reunion(shared, local, self._rules)
        self.settle = 2 * every + 1.0
        """Seconds after which every other sentinel has noticed that shared is back."""

    @property
    def health(self) -> LinkHealth:
        """How things stand."""
        debts = (self._reunion.owed, self._reunion.told, self._reunion.superseded)
        return LinkHealth(self._link, self._since, self._why, self._rules.members, *debts)

    async def watch(self) -> None:
        """Probe until cancelled."""
        while True:
            await self.probe()
            await self._sleep(self._every)

    async def probe(self) -> None:
        """See whether shared can be reached, and tell it what is owed where it can."""
        try:
            ttl = max(10 * self._every, 5.0)
            members = tuple(await self._shared.members(self._rules.owner, ttl))
            self.was_reached = True
            if self._link is Link.GONE:
                self._turn(Link.BACK)
                # by who lived before: the others may be about to come back too
                self._settled = self._clock() + (0.0 if self._rules.alone else self.settle)
            self._rules.members = members
            if self._link is Link.BACK or self._reunion.due:
                await self._reunion.tell_all(tuple(self._given.values()))
        except FleetUnavailableError as error:
            self._lose(error)
            return
        if self._link is Link.BACK and self._clock() >= self._settled:
            self._turn(Link.REACHED)
            self._rules.reached()

    async def claim(self, call: str, owner: str, ttl: float, *, beyond: int = 0) -> Claim | Refused:
        """See `Claims.claim`."""
        if self._link is Link.REACHED:
            try:
                answer = await self._shared.claim(call, owner, ttl, beyond=beyond)
            except FleetUnavailableError as error:
                self._lose(error)
            else:
                self._rules.note(call, answer)
                if isinstance(answer, Claim):
                    given = GivenClaim(answer, ttl, beyond, shared=answer)
                    remember(self._given, call, given)
                return answer
        if refused := await self._refusal(call, beyond):
            return refused
        answer = await self._local.claim(call, owner, ttl, beyond=beyond)
        if isinstance(answer, Claim):
            self._reunion.owe(call, None, beyond)
            self._rules.forget(call)
            remember(self._given, call, GivenClaim(answer, ttl, beyond, local=answer))
        return answer

    async def renew(self, claim: Claim, ttl: float, events: Sequence[RescueEvent] = ()) -> Claim:
        """See `Claims.renew`."""
        given = self._mine(claim)
        if given is None:
            raise self._unknown(claim)
        async with given.lock:
            given.require_held()
            given.take(events)
            given.ttl = ttl
            if given.shared and self._asks_shared(given):
                try:
                    given.shared = await self._shared.renew(given.shared, ttl, events)
                except FleetUnavailableError as error:
                    self._lose(error)
                except ClaimLostError:
                    self._drop(given)
                    raise
                else:
                    return replace(claim, until=given.shared.until)
            local = await self._renewed_here(given)
            return replace(claim, until=local.until)

    async def release(
        self, claim: Claim, outcome: Outcome | None, events: Sequence[RescueEvent] = ()
    ) -> None:
        """See `Claims.release`."""
        given = self._mine(claim)
        if given is None:
            await self._release_unknown(claim, outcome, events)
            return
        async with given.lock:
            given.require_held()
            given.take(events)
            if not await self._released_shared(given, outcome, events):
                local = await self._renewed_here(given)
                await self._local.release(local, outcome, given.told)
                given.local = None  # from here on it is a debt, and nobody's claim
                self._reunion.due = True
            self._drop(given)
            if outcome is not None:
                told = (outcome.incident, outcome.ending, outcome.detail)
                self._rules.finish(claim.call, Finished(*told, claim.owner, claim.token))

    async def done(self, call: str) -> Finished | None:
        """See `Claims.done`."""
        if self._link is not Link.GONE:
            try:
                finished = await self._shared.done(call)
            except FleetUnavailableError as error:
                self._lose(error)
            else:
                if finished is not None or self._link is Link.REACHED:
                    return finished
        return await self._local.done(call) or self._rules.finished(call)

    async def events(self, call: str) -> Sequence[RescueEvent]:
        """See `Claims.events`."""
        given = self._given.get(call)
        if self._link is not Link.GONE and not (given and given.local):
            try:
                found = await self._shared.events(call)
            except FleetUnavailableError as error:
                self._lose(error)
            else:
                if given is not None:
                    given.take(found)  # what was begun elsewhere may have to be kept here
                return found
        return await self._local.events(call) or (tuple(given.told) if given else ())

    async def lapsed(self, limit: int) -> Sequence[str]:
        """See `Claims.lapsed`; none while the sentinels tell each other what they owe."""
        if self._link is Link.REACHED:
            try:
                return await self._shared.lapsed(limit)
            except FleetUnavailableError as error:
                self._lose(error)
        return await self._local.lapsed(limit) if self._link is Link.GONE else ()

    async def recent(self, limit: int) -> Sequence[str]:
        """See `Claims.recent`."""
        if self._link is not Link.GONE:
            try:
                return await self._shared.recent(limit)
            except FleetUnavailableError as error:
                self._lose(error)
        return await self._local.recent(limit)

    async def members(self, owner: str, ttl: float) -> Sequence[str]:
        """See `Claims.members`; while shared is gone, those of the last time."""
        if self._link is not Link.GONE:
            try:
                return await self._shared.members(owner, ttl)
            except FleetUnavailableError as error:
                self._lose(error)
        return self._rules.members or (owner,)

    async def forget(self, call: str) -> None:
        """See `LocalClaims.forget`."""
        self._given.pop(call, None)
        self._rules.forget(call)
        self._reunion.forget(call)
        await self._local.forget(call)
        if self._link is not Link.GONE:
            try:
                await self._shared.forget(call)
            except FleetUnavailableError as error:
                self._lose(error)

    async def _refusal(self, call: str, beyond: int) -> Refused | None:
        now = self._clock()
        given = self._given.get(call)
        # where nothing has been told since shared was gone, `local` does not know of it yet
        unknown = given is not None and not (given.local or given.lost)
        if unknown and given and given.shared and now < given.shared.until:
            return Refused(given.handle.owner, given.shared.until)
        if (finished := await self._local.done(call)) and finished.token > beyond:
            return Refused(finished.owner, now, finished)
        if (refused := self._rules.refusal(call, beyond)) and refused.finished:
            return refused
        if self._link is Link.BACK:
            return Refused(self._rules.other(call), max(self._settled, now + self._every))
        return refused

    def _asks_shared(self, given: GivenClaim) -> bool:
        return self._link is not Link.GONE and given.local is None

    async def _renewed_here(self, given: GivenClaim) -> Claim:
        """Keep here what shared cannot."""
        call = given.handle.call
        if given.local is None:
            self._reunion.owe(call, given.shared, given.beyond)
            beyond = max(given.beyond, given.handle.token)
            answer = await self._local.claim(call, given.handle.owner, given.ttl, beyond=beyond)
            if isinstance(answer, Refused):  # another process of this host, with the same file
                given.lost = f"{call}: {answer.owner!r} has taken it over on this host"
                raise ClaimLostError(given.lost)
            given.local = answer
        given.local = await self._local.renew(given.local, given.ttl, given.told)
        return given.local

    async def _released_shared(
        self, given: GivenClaim, outcome: Outcome | None, events: Sequence[RescueEvent]
    ) -> bool:
        if given.shared is None or not self._asks_shared(given):
            return False
        try:
            await self._shared.release(given.shared, outcome, events)
        except FleetUnavailableError as error:
            self._lose(error)
            return False
        except ClaimLostError:
            self._drop(given)
            raise
        return True

    async def _release_unknown(
        self, claim: Claim, outcome: Outcome | None, events: Sequence[RescueEvent]
    ) -> None:
        """Give back what was given back before, or is of an earlier start: shared knows."""
        known = self._rules.finished(claim.call)
        if outcome is not None and known is not None:
            there = (known.token, known.incident, known.ending)
            if there == (claim.token, outcome.incident, outcome.ending):
                return
        if self._link is Link.REACHED:
            try:
                await self._shared.release(claim, outcome, events)
            except FleetUnavailableError as error:
                self._lose(error)
            else:
                return
        if outcome is not None or claim.call in self._given:
            raise self._unknown(claim)

    def _mine(self, claim: Claim) -> GivenClaim | None:
        given = self._given.get(claim.call)
        return given if given is not None and given.handle.token == claim.token else None

    def _unknown(self, claim: Claim) -> ClaimLostError:
        why = "nothing is known of this claim any more"
        if finished := self._rules.finished(claim.call):
            why = f"{finished.owner!r} has finished it"
        elif given := self._given.get(claim.call):
            why = f"{given.handle.owner!r} has taken it over"
        return ClaimLostError(f"{claim.call}: {why}")

    def _drop(self, given: GivenClaim) -> None:
        if self._given.get(given.handle.call) is given:
            del self._given[given.handle.call]

    def _lose(self, error: FleetUnavailableError) -> None:
        if self._link is not Link.GONE:
            self._turn(Link.GONE, str(error))
        self._why = str(error)

    def _turn(self, link: Link, why: str = "") -> None:
        level, told = _TURNS[link]
        logger.log(level, "%s%s", told, f": {why}" if why else "")
        self._link, self._since, self._why = link, self._wall(), why
