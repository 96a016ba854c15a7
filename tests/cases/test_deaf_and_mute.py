"""A caller whose words do not arrive, or who does not hear what is said."""

from __future__ import annotations

import asyncio

from livekit import api
from livekit.protocol.models import ParticipantInfo

from tests.cases.case import case
from tests.cases.expected import released, words
from tests.cases.scene import AGAIN, Scene

UNHEARD = words(8, released=24)


async def speaks_into_silence(s: Scene) -> None:
    s.struck = await s.says()
    if await s.stays(9):
        await s.says(AGAIN)
        await s.stays(18)


@case("is_linked_to_nobody", UNHEARD, brief=True)
async def test_session_linked_to_nobody(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    await speaks_into_silence(s)


@case("is_linked_to_a_dashboard", UNHEARD)
async def test_session_linked_to_a_dashboard(s: Scene) -> None:
    call = await s.dial(answered=False)
    await s.join("dashboard", can_publish=False)
    await call.answered(20)
    await s.greeted()
    await speaks_into_silence(s)


@case("hears_zeros", UNHEARD)
async def test_session_that_gets_zeros(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    await speaks_into_silence(s)


@case("plain_desk", released(26), unsolved="no event and no statistic tells of an unsubscription")
async def test_leg_that_is_not_subscribed_any_more(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    people = await s.people()
    agent = next(p for p in people if p.kind == ParticipantInfo.Kind.AGENT)
    leg = next(p for p in people if p.kind == ParticipantInfo.Kind.SIP)
    async with s.api() as server:
        await server.room.update_subscriptions(
            api.UpdateSubscriptionsRequest(
                room=s.room,
                identity=leg.identity,
                track_sids=[track.sid for track in agent.tracks],
                subscribe=False,
            )
        )
    await asyncio.sleep(1)
    s.struck = await s.says()
    if await s.stays(9):
        await s.says(AGAIN)
        await s.stays(15)
