"""A caller whose words do not arrive, or who does not hear what is said."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from livekit import api
from livekit.protocol.models import ParticipantInfo, ParticipantPermission

from tests.cases.case import case
from tests.cases.expected import NOTHING, WORDS_AT_MOST, released, words
from tests.cases.scene import AGAIN, Scene
from tests.cases.test_company import speaks_up

UNHEARD = words(8, released=24)
MUTE = words(8, released=26)
"""Its session takes turns: half a second for each, and the second is waited for as well."""


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


async def allow(
    s: Scene, who: ParticipantInfo, *, can_publish: bool = True, can_subscribe: bool = True
) -> None:
    """Change what somebody may do."""
    allowed = ParticipantPermission(
        can_publish=can_publish, can_subscribe=can_subscribe, can_publish_data=True
    )
    async with s.api() as server:
        await server.room.update_participant(
            api.UpdateParticipantRequest(room=s.room, identity=who.identity, permission=allowed)
        )


async def deafen(s: Scene) -> None:
    """Keep the caller from hearing anybody."""
    await allow(s, await s.person(ParticipantInfo.Kind.SIP), can_subscribe=False)


async def mute(s: Scene) -> None:
    """Mute the agent by the server's API, as a dashboard does."""
    agent = await s.person(ParticipantInfo.Kind.AGENT)
    async with s.api() as server:
        for track in agent.tracks:
            await server.room.mute_published_track(
                api.MuteRoomTrackRequest(
                    room=s.room, identity=agent.identity, track_sid=track.sid, muted=True
                )
            )


@case("plain_desk", MUTE)
async def test_agent_whose_track_is_muted(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    await mute(s)
    await speaks_into_silence(s)


@case("plain_desk", MUTE)
async def test_agent_that_may_not_publish_any_more(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    await allow(s, await s.person(ParticipantInfo.Kind.AGENT), can_publish=False)
    await speaks_into_silence(s)


@case("plain_desk", released(8))
async def test_leg_that_may_not_subscribe_any_more(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    await deafen(s)
    await speaks_into_silence(s)


@case("plain_desk", WORDS_AT_MOST)
async def test_leg_that_may_not_subscribe_for_a_moment(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    await deafen(s)
    s.struck = await s.says()
    await asyncio.sleep(4)
    await allow(s, await s.person(ParticipantInfo.Kind.SIP))
    if await s.stays(5):
        asked = await s.says(AGAIN)
        await s.hears("the answer", 12, after=asked)
        await s.stays(5)


async def is_taken_over(s: Scene, parts: Callable[[Scene], Awaitable[None]]) -> None:
    """Let a supervisor join, and part the agent from its caller."""
    await s.dial()
    await s.greeted()
    s.struck = time.monotonic()
    await speaks_up(await s.join("supervisor"))
    await parts(s)
    await s.says()
    if await s.stays(9):
        await s.says(AGAIN)
        await s.stays(12)


@case("plain_desk", NOTHING)
async def test_supervisor_who_keeps_the_caller_from_hearing(s: Scene) -> None:
    await is_taken_over(s, deafen)


@case("plain_desk", NOTHING)
async def test_supervisor_who_mutes_the_agent_and_takes_over(s: Scene) -> None:
    await is_taken_over(s, mute)


@case("plain_desk", released(26), unsolved="no event and no statistic tells of an unsubscription")
async def test_leg_that_is_not_subscribed_any_more(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    agent = await s.person(ParticipantInfo.Kind.AGENT)
    leg = await s.person(ParticipantInfo.Kind.SIP)
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
