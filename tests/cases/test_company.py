"""Who else is there: people who can speak, and what can only look on."""

from __future__ import annotations

import asyncio
from typing import Any

from livekit import rtc

from tests.cases.case import Surroundings, case
from tests.cases.expected import NOTHING, WORDS_AT_MOST, released, words
from tests.cases.layout import Endpoint, ProviderFault
from tests.cases.scene import Scene

KILLED = words(1, released=12)
CRASHED = words(0.4, released=12)
DEPLOYED = words(2, released=12)


async def has_a_colleague(s: Scene, fault: ProviderFault) -> None:
    ann = await s.phone(rings=2, number="+15550777")
    await s.dial(callee=ann.number, trunk=await s.trunk(ann))
    await s.greeted()
    theirs = await ann.next_call(20)
    await theirs.answered(20)
    await s.event("together")
    await asyncio.sleep(1)
    s.simulator.fail(Endpoint.CHAT, fault)
    s.struck = await s.says("Hello Ann, can we have a table for two?")
    if await s.stays(8):
        spoke = await s.says("Are you still there, Ann?")
        await s.hears("the caller, by the colleague", 3, after=spoke - 2, call=theirs)
    await s.stays(12)
    s.see("that the colleague stays", theirs.is_up)


@case("fetches_a_colleague", WORDS_AT_MOST, brief=True)
async def test_caller_and_colleague_by_phone_with_a_dead_model(s: Scene) -> None:
    await has_a_colleague(s, ProviderFault.error(401))


@case("fetches_a_colleague", WORDS_AT_MOST)
async def test_caller_and_colleague_by_phone_with_empty_answers(s: Scene) -> None:
    await has_a_colleague(s, ProviderFault.empty())


async def looks_on(s: Scene, *also: str, **metadata: Any) -> None:
    """Let a dashboard join, and maybe others, who may not say a word."""
    await s.dial(**metadata)
    await s.greeted()
    for each in ("dashboard", *also):
        await s.join(each, can_publish=False)
    await asyncio.sleep(1)


async def takes_notes(s: Scene) -> None:
    """Let an agent join that writes along, and publishes no voice."""
    await s.dial()
    await s.greeted()
    await s.join("transcript-agent", kind="agent")
    await asyncio.sleep(1)


async def strikes(s: Scene) -> None:
    await s.go()
    s.struck = await s.event("struck", 15)
    await s.stays(20)


@case("says_goodbye_when_told", released(2), brief=True)
async def test_dashboard_when_the_agent_shuts_down(s: Scene) -> None:
    await looks_on(s)
    await strikes(s)


@case("is_killed_when_told", KILLED)
async def test_dashboards_when_the_job_is_killed(s: Scene) -> None:
    await looks_on(s, "transcript-viewer")
    await strikes(s)


@case("crashes_when_told", CRASHED)
async def test_dashboards_when_the_agent_crashes(s: Scene) -> None:
    await looks_on(s, "transcript-viewer")
    await strikes(s)


@case("waits_for_a_deploy", DEPLOYED, own=Surroundings())
async def test_dashboard_at_a_deploy(s: Scene) -> None:
    await looks_on(s, worker=s.worker.process.pid)
    await strikes(s)


@case("says_goodbye_when_told", released(2))
async def test_transcript_agent_when_the_agent_shuts_down(s: Scene) -> None:
    await takes_notes(s)
    await strikes(s)


@case("is_killed_when_told", KILLED)
async def test_transcript_agent_when_the_job_is_killed(s: Scene) -> None:
    await takes_notes(s)
    await strikes(s)


@case("crashes_when_told", CRASHED)
async def test_transcript_agent_when_the_agent_crashes(s: Scene) -> None:
    await takes_notes(s)
    await strikes(s)


@case("is_killed_when_told", KILLED)
async def test_hidden_supervisor_when_the_job_is_killed(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    await s.join("supervisor", hidden=True)
    await asyncio.sleep(1)
    await strikes(s)


@case("crashes_when_told", NOTHING)
async def test_meeting_whose_agent_crashes(s: Scene) -> None:
    """Two people and the caller go on without it."""
    await s.dial()
    await s.greeted()
    for person in ("ann", "ben"):
        await speaks_up(await s.join(person))
    await asyncio.sleep(1)
    await strikes(s)


@case("leaves_the_caller_to_a_person", NOTHING)
async def test_caller_left_to_a_person(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    await speaks_up(await s.join("ann"))
    s.struck = await s.event("struck", 20)
    await s.stays(15)


@case("plain_desk", NOTHING)
async def test_healthy_call_by_a_connector(s: Scene) -> None:
    await s.connects("whatsapp")
    s.struck = await s.greeted()
    asked = await s.says()
    await s.hears("the answer", 10, after=asked)
    await s.stays(12)


@case("crashes_when_told", CRASHED, brief=True)
async def test_call_by_a_connector_whose_agent_crashes(s: Scene) -> None:
    await s.connects("twilio")
    await s.greeted()
    await strikes(s)


@case("is_killed_when_told", KILLED)
async def test_call_by_a_connector_whose_job_is_killed(s: Scene) -> None:
    await s.connects("whatsapp")
    await s.greeted()
    await strikes(s)


@case("says_goodbye_when_told", released(2))
async def test_call_by_a_connector_whose_agent_shuts_down(s: Scene) -> None:
    await s.connects("twilio")
    await s.greeted()
    await strikes(s)


async def speaks_up(room: rtc.Room) -> None:
    """Publish a microphone, as people's browsers do."""
    track = rtc.LocalAudioTrack.create_audio_track("microphone", rtc.AudioSource(48000, 1))
    microphone = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    await room.local_participant.publish_track(track, microphone)
