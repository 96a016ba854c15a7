from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from onhook.call import Call
from onhook.errors import PolicyError
from onhook.incident import Outcome, Result
from onhook.line import Announcement, Referral
from onhook.policy import Policy
from onhook.rescue.engine import Engine
from onhook.rescue.events import Climbed, Closed, Intent, Opened, RescueEvent, Resumed
from onhook.rungs import HangUp, Say
from onhook.sentinel.fleet.claimed_line import ClaimedLine
from onhook.sentinel.fleet.claims import Claim, ClaimLostError, FleetUnavailableError
from onhook.sentinel.fleet.held_claim import HeldClaim
from onhook.sentinel.fleet.memory_claims import MemoryClaims
from onhook.tasks import end
from tests.fakes import FakeLine, call_of, caller, takes
from tests.rescue.telling import Kept
from tests.sentinel.fleet.telling import incident, intent, opened

pytestmark = pytest.mark.looptime

CALL = "RM_1"
TTL, MARGIN = 6.0, 2.0
POLICY = Policy(lost=[Say("one"), Say("two"), HangUp()])


def now() -> float:
    return asyncio.get_running_loop().time()


def wall() -> float:
    return 1.7e9 + now()


class Unsteady(MemoryClaims):
    """Cannot be reached while `gone`."""

    gone = False

    async def renew(self, claim: Claim, ttl: float, events: Sequence[RescueEvent] = ()) -> Claim:
        self._reach()
        return await super().renew(claim, ttl, events)

    async def release(
        self, claim: Claim, outcome: Outcome | None, events: Sequence[RescueEvent] = ()
    ) -> None:
        self._reach()
        await super().release(claim, outcome, events)

    def _reach(self) -> None:
        if self.gone:
            raise FleetUnavailableError("gone")


@pytest.fixture
def claims() -> Unsteady:
    return Unsteady(clock=now)


@asynccontextmanager
async def holding(claims: MemoryClaims, owner: str = "a") -> AsyncIterator[HeldClaim]:
    claim = await claims.claim(CALL, owner, TTL)
    assert isinstance(claim, Claim), claim
    async with HeldClaim(claims, claim, ttl=TTL, margin=MARGIN, clock=now, wall=wall) as held:
        yield held


async def steal(claims: MemoryClaims) -> Claim:
    """Another takes the call, as if this one had been stopped for long."""
    claims._records[CALL].until = now()
    taken = await claims.claim(CALL, "thief", TTL)
    assert isinstance(taken, Claim)
    return taken


def engine(held: HeldClaim, line: FakeLine, *sinks: Kept) -> Engine:
    return Engine(ClaimedLine(line, held), policy=POLICY, sinks=[held.sink(*sinks)], clock=now)


def line(*says: float) -> FakeLine:
    return FakeLine(call_of(caller()), says=[takes(seconds) for seconds in says or (1.0,)])


async def test_a_rescue_is_kept_and_finished(claims: Unsteady) -> None:
    shared = Kept()
    async with holding(claims) as held:
        assert held.events == ()
        outcome = await engine(held, line(), shared).handle(incident())
        await held.finish(outcome)
    done = await claims.done(CALL)
    assert done is not None
    assert (done.ending, done.owner) == ("released", "a")
    kinds = [type(event) for event in await claims.events(CALL)]
    rungs = [Intent, Climbed] * 3
    assert kinds == [Opened, *rungs, Closed] == shared.kinds


async def test_the_lease_is_renewed_as_long_as_the_rescue_lasts(claims: Unsteady) -> None:
    async with holding(claims):
        for _ in range(40):
            await asyncio.sleep(1)
            assert await claims.lapsed(1) == ()
    assert await claims.recent(1) == ()


async def test_the_intent_is_kept_before_the_act(claims: Unsteady) -> None:
    seen: list[int] = []

    async def look() -> None:
        seen.append(len(await claims.events(CALL)))

    spoken = line()
    spoken.says = [look]
    async with holding(claims) as held:
        await held.finish(await engine(held, spoken).handle(incident()))
    assert seen == [2, 4]


async def test_what_a_rung_did_is_kept_at_once_not_only_before_the_next(
    claims: Unsteady,
) -> None:
    async with holding(claims) as held:
        held.handle(opened())
        await asyncio.sleep(0.001)
        assert list(await claims.events(CALL)) == [opened()]


async def test_who_lost_the_claim_acts_no_more_and_tells_nobody(claims: Unsteady) -> None:
    shared, spoken = Kept(), line(1.0)
    async with holding(claims) as held:
        rescue = asyncio.create_task(engine(held, spoken, shared).handle(incident()))
        await asyncio.sleep(0.5)
        await steal(claims)
        outcome = await rescue
        assert outcome.ending == "handed_outward"
        assert spoken.asked == ["say"]
        assert [report.result for report in outcome.reports[1:]] == [Result.FAILED] * 2
        assert "'thief' has taken it over" in outcome.reports[1].detail
        with pytest.raises(ClaimLostError):
            await held.finish(outcome)
    assert Closed not in shared.kinds
    assert await claims.done(CALL) is None


async def test_a_long_act_is_stopped_when_the_claim_is_lost(claims: Unsteady) -> None:
    spoken = line(19.0)
    async with holding(claims) as held:
        rescue = asyncio.create_task(engine(held, spoken).handle(incident()))
        await asyncio.sleep(0.5)
        await steal(claims)
        outcome = await rescue
    assert now() < 0.5 + TTL
    assert "has taken it over" in outcome.reports[0].detail


async def test_another_goes_on_after_the_last_intent(claims: Unsteady) -> None:
    first = line(1.0, 19.0)
    async with holding(claims) as held:
        rescue = asyncio.create_task(engine(held, first).handle(incident()))
        await asyncio.sleep(1.5)
        claim, claims.gone = held.claim, True  # it dies, and tells nobody
        await end(rescue)
    claims.gone = False
    assert await claims.lapsed(1) == ()
    await asyncio.sleep(TTL)
    assert await claims.lapsed(1) == (CALL,)
    second = line()
    shared = Kept()
    async with holding(claims, "b") as held:
        assert held.claim.token > claim.token
        assert [type(event) for event in held.events] == [Opened, Intent, Climbed, Intent]
        outcome = await engine(held, second, shared).resume(held.events, "a is gone")
        await held.finish(outcome)
    assert second.asked == ["say", "delete"], "the words that were heard are not said again"
    assert outcome.ending == "released"
    kept = await claims.events(CALL)
    rungs = [Intent, Climbed] * 2
    assert [type(event) for event in kept][4:] == [Resumed, *rungs, Closed]
    assert len(shared.kinds) == len(kept)


async def test_given_back_without_an_outcome_another_goes_on_at_once(
    claims: Unsteady,
) -> None:
    async with holding(claims) as held:
        held.handle(opened())
        held.handle(intent())
    async with holding(claims, "b") as held:
        assert list(held.events) == [opened(), intent()]


async def test_a_short_outage_loses_nothing(claims: Unsteady) -> None:
    async with holding(claims) as held:
        await asyncio.sleep(1)
        claims.gone = True
        held.handle(opened())
        with pytest.raises(FleetUnavailableError):
            await held.assure()
        await asyncio.sleep(2)
        claims.gone = False
        await held.assure()
        assert list(await claims.events(CALL)) == [opened()]
        claims.gone = True
        finishing = asyncio.create_task(held.finish(Outcome("inc", "kept", "x")))
        await asyncio.sleep(1)
        claims.gone = False
        await finishing
    assert await claims.done(CALL)


async def test_nobody_acts_beyond_a_lease_that_could_not_be_renewed(claims: Unsteady) -> None:
    async with holding(claims) as held:
        claims.gone = True
        with pytest.raises(ClaimLostError, match="the lease has lapsed"):
            async with held.acting():
                await asyncio.sleep(60)
        assert now() <= TTL + 0.2
        with pytest.raises(ClaimLostError):
            await held.assure()


async def test_an_act_begins_only_with_the_margin_before_it(claims: Unsteady) -> None:
    class Slow(Unsteady):
        async def renew(
            self, claim: Claim, ttl: float, events: Sequence[RescueEvent] = ()
        ) -> Claim:
            renewed = await super().renew(claim, ttl, events)
            await asyncio.sleep(TTL - MARGIN + 0.1)  # as if the process had been stopped
            return renewed

    async with holding(Slow(clock=now)) as held:
        with pytest.raises(FleetUnavailableError, match="is used up"):
            await held.assure()


async def test_a_time_out_of_the_line_s_own_stays_one(claims: Unsteady) -> None:
    async with holding(claims) as held:
        with pytest.raises(TimeoutError):
            async with held.acting(), asyncio.timeout(0.1):
                await asyncio.sleep(1)


async def test_every_act_is_fenced_and_looking_is_not(claims: Unsteady) -> None:
    spoken = line()
    async with holding(claims) as held:
        claimed = ClaimedLine(spoken, held)
        await steal(claims)
        assert isinstance(await claimed.picture(), Call)
        await claimed.check()
        assert await claimed.origin() is None
        assert await claimed.dispatches() == ()
        for act in (
            claimed.say(Announcement("x")),
            claimed.remove("x"),
            claimed.delete_room(),
            claimed.transfer("x", Referral("tel:+1", 1.0)),
            claimed.dispatch("x", ""),
            claimed.withdraw("x"),
            claimed.retry(),
            claimed.left("x"),
            claimed.heard("x"),
        ):
            with pytest.raises(ClaimLostError):
                await act
    assert spoken.asked == []


async def test_a_lease_no_longer_than_a_request_is_refused(claims: Unsteady) -> None:
    claim = Claim(CALL, "a", 1, 5.0)
    with pytest.raises(PolicyError, match="outlast a request"):
        HeldClaim(claims, claim, ttl=2.0, margin=2.0)
