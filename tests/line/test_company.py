"""Who stays: the callers are released, and nobody else; and whoever has the call keeps it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from livekit import api, rtc

from onhook.bench.phone import CallTimeoutError, Ending
from tests.line.bench import Bench, phone_for, short_form

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

BOTH = ["inbound", "outbound"]


@pytest.mark.parametrize("direction", short_form(BOTH, every=2))
async def test_a_colleague_stays_and_the_caller_hears_words_and_is_released(
    bench: Bench, direction: str
) -> None:
    scenario = bench.scenario("raises_on_signal", "default", company=1)
    async with phone_for(direction) as phone:
        call = await bench.place(direction, phone, scenario)
        room = await bench.ready(scenario)
        async with joined(bench, room, "colleague"):
            await bench.signal(scenario)
            struck = await bench.struck(scenario)
            report = await call.ended(timeout=15)
            assert report.ending is Ending.BYE_RECEIVED
            assert report.hearing.first_sound(struck) is not None
            assert "removed" in (await bench.story(scenario)).text
            assert "colleague" in await people(bench, room)


async def test_a_meeting_goes_on_when_its_agent_crashes(bench: Bench) -> None:
    scenario = bench.scenario("raises_on_signal", "default", company=2)
    async with phone_for("inbound") as phone:
        call = await bench.call_in(phone, scenario)
        room = await bench.ready(scenario)
        async with joined(bench, room, "ann"), joined(bench, room, "ben"):
            await bench.signal(scenario)
            assert (await bench.story(scenario)).ending == "kept"
            await stays(call_seconds=2.0, ended=call.ended)


@pytest.mark.parametrize("direction", short_form(BOTH, every=2))
async def test_a_warm_transfer_is_left_alone(bench: Bench, direction: str) -> None:
    """The agent shuts its job down and leaves the caller with a colleague."""
    scenario = bench.scenario("shuts_down_on_signal", "default", company=1)
    async with phone_for(direction) as phone:
        call = await bench.place(direction, phone, scenario)
        room = await bench.ready(scenario)
        async with joined(bench, room, "colleague"):
            await bench.signal(scenario)
            assert (await bench.story(scenario)).ending == "kept"
            await stays(call_seconds=2.0, ended=call.ended)


async def test_a_handoff_to_another_agent_is_left_alone(bench: Bench) -> None:
    scenario = bench.scenario("shuts_down_on_signal", "default", company=1)
    async with phone_for("inbound") as phone:
        call = await bench.call_in(phone, scenario)
        room = await bench.ready(scenario)
        async with joined(bench, room, "second-agent", kind="agent") as agent:
            await publish_a_voice(agent)
            await bench.signal(scenario)
            assert (await bench.story(scenario)).ending == "kept"
            await stays(call_seconds=2.0, ended=call.ended)


async def test_an_agent_without_a_voice_keeps_no_caller_waiting(bench: Bench) -> None:
    scenario = bench.scenario("shuts_down_on_signal", "default", company=1)
    async with phone_for("inbound") as phone:
        call = await bench.call_in(phone, scenario)
        room = await bench.ready(scenario)
        async with joined(bench, room, "note-taker", kind="agent"):
            await bench.signal(scenario)
            assert (await call.ended(timeout=5)).ending is Ending.BYE_RECEIVED


async def test_who_joins_during_the_words_takes_the_call_over(bench: Bench) -> None:
    scenario = bench.scenario("raises_on_signal", "default")
    async with phone_for("inbound") as phone:
        call = await bench.call_in(phone, scenario)
        room = await bench.ready(scenario)
        await bench.signal(scenario)
        await call.heard_sound(await bench.struck(scenario), timeout=5, new=True)
        async with joined(bench, room, "colleague"):
            assert (await bench.story(scenario)).ending == "taken_over"
            await stays(call_seconds=2.0, ended=call.ended)


async def test_recorders_and_hidden_listeners_keep_no_caller_waiting(bench: Bench) -> None:
    scenario = bench.scenario("raises_on_signal", "silent", company=1)
    async with phone_for("inbound") as phone:
        call = await bench.call_in(phone, scenario)
        room = await bench.ready(scenario)
        async with (
            joined(bench, room, "recorder", kind="egress"),
            joined(bench, room, "supervisor", hidden=True),
        ):
            await bench.signal(scenario)
            report = await call.ended(timeout=5)
            assert report.ending is Ending.BYE_RECEIVED
            assert "deleted the room" in (await bench.story(scenario)).text


async def stays(*, call_seconds: float, ended: object) -> None:
    with pytest.raises(CallTimeoutError):
        await ended(timeout=call_seconds)  # type: ignore[operator]


@contextlib.asynccontextmanager
async def joined(
    bench: Bench, room: str, identity: str, *, kind: str = "standard", hidden: bool = False
) -> AsyncIterator[rtc.Room]:
    env = bench.stack.env
    token = (
        api.AccessToken(env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"])
        .with_identity(identity)
        .with_kind(kind)  # type: ignore[arg-type]
        .with_grants(api.VideoGrants(room_join=True, room=room, hidden=hidden))
        .to_jwt()
    )
    mine = rtc.Room()
    async with asyncio.timeout(10):
        await mine.connect(env["LIVEKIT_URL"], token)
    try:
        yield mine
    finally:
        async with asyncio.timeout(10):
            await mine.disconnect()


async def publish_a_voice(room: rtc.Room) -> None:
    track = rtc.LocalAudioTrack.create_audio_track("voice", rtc.AudioSource(24000, 1))
    microphone = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    async with asyncio.timeout(10):
        await room.local_participant.publish_track(track, microphone)


async def people(bench: Bench, room: str) -> set[str]:
    async with bench.api() as server, asyncio.timeout(10):
        listing = await server.room.list_participants(api.ListParticipantsRequest(room=room))
    return {p.identity for p in listing.participants}
