"""What every back end of `Claims` promises."""

from __future__ import annotations

import asyncio

import pytest

from onhook.errors import OnhookError
from onhook.sentinel.fleet.claims import (
    MOST_EVENTS,
    Claim,
    ClaimLostError,
    Claims,
    LocalClaims,
    Refused,
)
from tests.sentinel.fleet.telling import climbed, intent, opened, outcome

BRIEF = 0.12
"""Seconds of a lease that shall lapse."""
LONG = 30.0
CALL = "RM_1"


async def claimed(
    claims: Claims, owner: str = "a", ttl: float = LONG, call: str = CALL, beyond: int = 0
) -> Claim:
    claim = await claims.claim(call, owner, ttl, beyond=beyond)
    assert isinstance(claim, Claim), claim
    return claim


async def refused(claims: Claims, owner: str = "b", call: str = CALL, beyond: int = 0) -> Refused:
    claim = await claims.claim(call, owner, LONG, beyond=beyond)
    assert isinstance(claim, Refused), claim
    return claim


async def lapse() -> None:
    await asyncio.sleep(BRIEF + 0.05)


class ClaimsContract:
    """Subclasses give the fixture `claims`; leases run by a real clock."""

    async def test_one_has_the_call_and_the_others_hear_who_and_until_when(
        self, claims: LocalClaims
    ) -> None:
        before = asyncio.get_running_loop().time()
        claim = await claimed(claims, "a", 5.0)
        assert (claim.call, claim.owner) == (CALL, "a")
        assert claim.token > 0
        assert before + 5.0 <= claim.until <= before + 6.0
        for other in ("b", "a"):  # also a second task of the same sentinel
            answer = await refused(claims, other)
            assert answer.owner == "a"
            assert answer.finished is None
            assert abs(answer.until - claim.until) < 0.5
        await claimed(claims, "b", call="RM_2")

    async def test_of_many_who_ask_at_once_one_gets_it(self, claims: LocalClaims) -> None:
        asked = (claims.claim(CALL, f"s{number}", LONG) for number in range(20))
        answers = await asyncio.gather(*asked)
        assert [type(answer) for answer in answers].count(Claim) == 1

    async def test_a_lease_that_lapses_is_taken_over_with_a_greater_token(
        self, claims: LocalClaims
    ) -> None:
        first = await claimed(claims, "a", BRIEF)
        await claims.renew(first, BRIEF, [opened()])
        assert await claims.lapsed(10) == ()
        await lapse()
        assert await claims.lapsed(10) == (CALL,)
        second = await claimed(claims, "b")
        assert second.token > first.token
        assert await claims.lapsed(10) == ()
        assert list(await claims.events(CALL)) == [opened()], "nobody could go on with it"

    async def test_a_renewed_lease_does_not_lapse(self, claims: LocalClaims) -> None:
        claim = await claimed(claims, "a", BRIEF)
        for _ in range(4):
            await asyncio.sleep(BRIEF / 2)
            renewed = await claims.renew(claim, BRIEF)
            assert renewed.token == claim.token
            assert renewed.until > claim.until
            await refused(claims, "b")

    async def test_a_lapsed_lease_is_renewed_while_nobody_has_taken_it(
        self, claims: LocalClaims
    ) -> None:
        claim = await claimed(claims, "a", BRIEF)
        await lapse()
        await claims.renew(claim, LONG, [opened()])
        await refused(claims, "b")
        assert await claims.lapsed(10) == ()

    async def test_who_was_too_late_can_do_nothing_any_more(self, claims: LocalClaims) -> None:
        stale = await claimed(claims, "a", BRIEF)
        await claims.renew(stale, BRIEF, [opened()])
        await lapse()
        newest = await claimed(claims, "b")
        with pytest.raises(ClaimLostError, match="'b' has taken it over"):
            await claims.renew(stale, LONG, [intent()])
        with pytest.raises(ClaimLostError, match="'b' has taken it over"):
            await claims.release(stale, outcome(), [intent()])
        with pytest.raises(ClaimLostError, match="'b' has taken it over"):
            await claims.release(stale, None)
        assert await claims.done(CALL) is None
        assert list(await claims.events(CALL)) == [opened()]
        await claims.release(newest, outcome(ending="kept"))
        done = await claims.done(CALL)
        assert done is not None
        assert (done.ending, done.owner, done.token) == ("kept", "b", newest.token)

    async def test_a_claim_given_back_is_free_at_once_and_somebody_must_go_on(
        self, claims: LocalClaims
    ) -> None:
        first = await claimed(claims, "a")
        await claims.release(first, None, [opened(), intent()])
        assert await claims.lapsed(10) == (CALL,)
        second = await claimed(claims, "b")
        assert second.token > first.token
        assert list(await claims.events(CALL)) == [opened(), intent()]

    async def test_a_claim_given_back_before_anything_was_told_leaves_nothing(
        self, claims: LocalClaims
    ) -> None:
        first = await claimed(claims, "a")
        await claims.release(first, None)
        await claims.release(first, None)
        assert await claims.lapsed(10) == ()
        assert await claims.recent(10) == ()
        second = await claimed(claims, "b")
        assert second.token > first.token

    async def test_one_outcome_is_kept_and_told_to_all(self, claims: LocalClaims) -> None:
        claim = await claimed(claims, "a")
        assert await claims.done(CALL) is None
        await claims.release(claim, outcome(), [opened()])
        await claims.release(claim, outcome())  # told again: the answer may have been lost
        with pytest.raises(ClaimLostError, match="'a' has finished it"):
            await claims.release(claim, outcome(ending="transferred"))
        with pytest.raises(ClaimLostError, match="'a' has finished it"):
            await claims.renew(claim, LONG, [intent()])
        answer = await refused(claims, "b")
        assert answer.finished is not None
        done = await claims.done(CALL)
        for told in (done, answer.finished):
            assert told is not None
            assert (told.incident, told.ending, told.detail) == ("inc_RM_1", "released", "gone")
            assert (told.owner, told.token) == ("a", claim.token)
            assert 0 <= told.ago < 5
        assert await claims.lapsed(10) == ()
        assert list(await claims.events(CALL)) == [opened()]

    async def test_a_new_incident_of_the_call_is_begun_by_who_knows_of_the_old_one(
        self, claims: LocalClaims
    ) -> None:
        old = await claimed(claims, "a")
        await claims.release(old, outcome(ending="taken_over"), [opened()])
        await refused(claims, "b", beyond=old.token - 1)
        new = await claimed(claims, "b", beyond=old.token)
        assert new.token > old.token
        assert await claims.done(CALL) is None
        assert await claims.events(CALL) == ()
        await refused(claims, "c", beyond=old.token)
        await claims.release(new, outcome())
        assert (await refused(claims, "c", beyond=old.token)).finished is not None

    async def test_events_are_kept_once_in_order_and_survive_the_way(
        self, claims: LocalClaims
    ) -> None:
        claim = await claimed(claims)
        told = [opened(), intent(), climbed()]
        await claims.renew(claim, LONG, told[:2])
        await claims.renew(claim, LONG, told)
        await claims.renew(claim, LONG, [told[2], told[2]])
        assert list(await claims.events(CALL)) == told
        assert await claims.events("RM_2") == ()

    async def test_no_more_events_than_the_bound_the_newest_among_them(
        self, claims: LocalClaims
    ) -> None:
        claim = await claimed(claims)
        told = [opened(), *(intent(at=float(n)) for n in range(MOST_EVENTS + 20))]
        await claims.renew(claim, LONG, told)
        assert list(await claims.events(CALL)) == [*told[: MOST_EVENTS - 1], told[-1]]

    async def test_the_index_has_the_newest_first(self, claims: LocalClaims) -> None:
        for call in ("RM_1", "RM_2", "RM_3"):
            await claimed(claims, call=call)
        again = await claimed(claims, ttl=BRIEF, call="RM_4")
        await claims.release(again, None, [opened()])
        await claimed(claims, call="RM_4")
        assert await claims.recent(3) == ("RM_4", "RM_3", "RM_2")
        assert len(await claims.recent(10)) == 4

    async def test_of_lapsed_ones_the_longest_waiting_come_first(self, claims: LocalClaims) -> None:
        for call in ("RM_1", "RM_2", "RM_3"):
            claim = await claimed(claims, call=call)
            await claims.release(claim, None, [opened()])
            await asyncio.sleep(0.005)
        assert await claims.lapsed(2) == ("RM_1", "RM_2")

    async def test_who_lives_is_known_for_a_while(self, claims: LocalClaims) -> None:
        assert await claims.members("b", LONG) == ("b",)
        assert await claims.members("a", BRIEF) == ("a", "b")
        await lapse()
        assert await claims.members("b", LONG) == ("b",)

    async def test_what_is_forgotten_can_be_claimed_anew(self, claims: LocalClaims) -> None:
        await claims.forget(CALL)
        old = await claimed(claims)
        await claims.renew(old, LONG, [opened()])
        await claims.forget(CALL)
        assert await claims.events(CALL) == ()
        assert await claims.recent(10) == ()
        with pytest.raises(ClaimLostError, match="nothing is known"):
            await claims.renew(old, LONG)
        new = await claimed(claims)
        assert new.token > old.token

    @pytest.mark.parametrize(
        ("call", "owner", "ttl"),
        [("", "a", 1.0), ("x" * 600, "a", 1.0), ("x", "", 1.0), ("x", "a", 0.0)],
    )
    async def test_what_nobody_could_keep_is_refused(
        self, claims: LocalClaims, call: str, owner: str, ttl: float
    ) -> None:
        with pytest.raises(OnhookError):
            await claims.claim(call, owner, ttl)
