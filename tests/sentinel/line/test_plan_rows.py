"""Late answers, outages, and callers who are left with each other: `make sentinel-rows`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from livekit import api

from onhook.bench.phone import Answer, Call, Ending, Phone, ReferAnswer
from onhook.bench.stack import Stack
from onhook.sinks.journal import Step
from tests.line.bench import Bench, Worker, next_number, phone_for, worker
from tests.sentinel.line.calls import PlainCall, call_to, server
from tests.sentinel.line.conftest import LIMITED, LONGEST, PAIR, TWO_LEGS, Watched
from tests.sentinel.line.test_rows import NOISE, OVERLONG, RELEASED, tell

pytestmark = [pytest.mark.stack, pytest.mark.case, pytest.mark.asyncio(loop_scope="session")]

LATE = 2.0
"""Seconds from a late answer to the first word (`outbound.late_answer`)."""
DIVERTED = 6.0
"""Seconds from the INVITE of a call in an outage to its first words: list, claim, answer."""
RINGS = 20.0
"""Seconds for which a callee's phone rings."""
SEEN = 4.5
"""Seconds within which a list shows that a phone rings without its agent: two polls."""
WATCHED = 25.0
FALLBACK = "+15559911"


async def test_a_callee_answers_when_the_agent_has_gone(watched: Watched, plain: Worker) -> None:
    stack, name = watched.stack, "late-answer"
    async with Phone(answering=Answer(after=RINGS)) as phone, server(stack) as client:
        await sent(client, name, name)
        await plain.wait("connected", name)
        call = await dialled(client, stack, phone, name)
        await call.ringing()
        await client.room.send_data(api.SendDataRequest(room=name, data=b"leave"))
        gone = await without_agent(client, name)
        answered = await call.answered(timeout=RINGS + 10.0)
        assert answered - gone > SEEN, "the agent was slow to leave: this tells nothing"
        report = await call.ended(timeout=30.0)
    words = (report.hearing.first_sound(answered) or math.inf) - answered
    tell("late answer: words", words)
    assert words <= LATE + NOISE, f"{words:.2f} s\n{watched.sentinel.tail()}"
    assert report.ending is Ending.BYE_RECEIVED
    assert (report.ended_at or math.inf) - answered <= words + RELEASED
    assert watched.sentinel.entries(Step.OPENED)[-1].subject == "outbound.late_answer"


async def test_an_agent_that_waits_for_the_answer_keeps_its_callee(
    watched: Watched, plain: Worker
) -> None:
    """The same call, with an agent that stays: nothing is said, however long it rings."""
    stack, name = watched.stack, "patient"
    opened = len(watched.sentinel.entries(Step.OPENED))
    async with Phone(answering=Answer(after=RINGS)) as phone, server(stack) as client:
        await sent(client, name, name)
        await plain.wait("connected", name)
        call = await dialled(client, stack, phone, name)
        await call.answered(timeout=RINGS + 10.0)
        await asyncio.sleep(12.0)
        report = call.report()
        await call.hang_up()
    assert report.ending is None, report.how
    assert report.hearing.first_sound() is None
    assert len(watched.sentinel.entries(Step.OPENED)) == opened


async def test_a_callee_talks_for_too_long(watched: Watched, plain: Worker) -> None:
    """The limit counts from the answer, not from the beginning of the ringing."""
    stack, name = watched.stack, f"{LIMITED}outbound"
    rings = LONGEST + 2.0
    async with Phone(answering=Answer(after=rings)) as phone, server(stack) as client:
        await sent(client, name, name, silent=False)
        await plain.wait("connected", name)
        call = await dialled(client, stack, phone, name)
        answered = await call.answered(timeout=rings + 10.0)
        report = await call.ended(timeout=30.0)
    seconds = (report.ended_at or math.inf) - answered
    tell("callee talks for too long: ended", seconds)
    assert LONGEST <= seconds <= OVERLONG + RELEASED + NOISE, watched.sentinel.tail()
    assert report.ending is Ending.BYE_RECEIVED
    assert watched.sentinel.entries(Step.OPENED)[-1].subject == "call.overlong"


async def test_two_callers_who_are_left_may_talk(watched: Watched, plain: Worker) -> None:
    opened = len(watched.sentinel.entries(Step.OPENED))
    async with left_with_each_other(watched, plain, "talk", next_number()) as (call, other, _):
        await asyncio.sleep(WATCHED)
        assert call.phone.report().ending is None, call.phone.report().how
        assert other.report().ending is None, other.report().how
        await call.phone.hang_up()
    assert len(watched.sentinel.entries(Step.OPENED)) == opened


async def test_two_legs_are_released_where_the_plan_says_for_how_long(
    watched: Watched, plain: Worker
) -> None:
    async with left_with_each_other(watched, plain, "pair", PAIR) as (call, other, left):
        reports = await asyncio.gather(call.phone.ended(timeout=40.0), other.ended(timeout=40.0))
    opened = watched.sentinel.entries(Step.OPENED)[-1]
    assert opened.subject == "call.abandoned_legs"
    for report in reports:
        words = (report.hearing.first_sound(left + 1.0) or math.inf) - left
        tell("two legs: words", words)
        assert TWO_LEGS - 1.0 <= words <= TWO_LEGS + 1.0 + NOISE, watched.sentinel.tail()
        assert report.ending is Ending.BYE_RECEIVED


async def test_a_call_in_an_outage_goes_straight_to_its_fallback(
    watched: Watched, plain: Worker
) -> None:
    number = next_number()
    async with (
        outage(watched, "--number", number, "--for", "2m", "--fallback", FALLBACK),
        call_to(watched.stack, plain, "outage", number=number) as call,
    ):
        call.phone.on_refer = ReferAnswer.accept()
        address = await call.phone.referred(timeout=30.0)
        report = await call.phone.ended(timeout=30.0)
    assert address == f"tel:{FALLBACK}"
    referred = report.refers[0].at - report.invited_at
    opened = watched.sentinel.entries(Step.OPENED)[-1]
    tell("outage: referred", referred)
    assert opened.subject == "agent.absent"
    assert referred <= DIVERTED + RELEASED + NOISE, watched.sentinel.tail()
    assert report.ending is Ending.BYE_RECEIVED


async def test_an_outage_ends_by_itself(watched: Watched, plain: Worker) -> None:
    number = next_number()
    opened = len(watched.sentinel.entries(Step.OPENED))
    async with outage(watched, "--number", number, "--for", "6s"):
        async with asyncio.timeout(20.0):
            while (await watched.sentinel.status())["outages"]:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)
        async with call_to(watched.stack, plain, "over", number=number) as call:
            await call.greeted()
            await asyncio.sleep(8.0)
            report = call.phone.report()
            await call.phone.hang_up()
    assert report.ending is None, report.how
    assert len(watched.sentinel.entries(Step.OPENED)) == opened


async def test_nobody_is_dialled_in_an_outage(watched: Watched, tmp_path: Path) -> None:
    stack, file = watched.stack, str(outages_of(watched))
    async with worker(stack, tmp_path, ONHOOK_TEST_IDLE="1", ONHOOK_OUTAGES=file) as host:
        bench = Bench(stack, host)
        scenario = bench.scenario("dials_in_an_outage", "off")
        async with outage(watched, "--all", "--for", "2m"), phone_for("outbound") as phone:
            await bench.dispatch(phone, scenario)
            await host.wait("refused", scenario["id"])
            assert list(phone.calls) == []
    assert "an outage of" in (host.event("refused", scenario["id"]) or {})["text"]


async def sent(client: api.LiveKitAPI, room: str, name: str, *, silent: bool = True) -> None:
    """Send an agent to a room of its own; one that says nothing, unless it is told to."""
    metadata = json.dumps({"id": name, "silent": silent})
    request = api.CreateAgentDispatchRequest(agent_name="plain", room=room, metadata=metadata)
    await client.agent_dispatch.create_dispatch(request)


async def without_agent(client: api.LiveKitAPI, room: str) -> float:
    """Wait until the agent is gone; return when."""
    async with asyncio.timeout(30.0):
        while True:
            listing = await client.room.list_participants(api.ListParticipantsRequest(room=room))
            kinds = [p.kind for p in listing.participants]
            if api.ParticipantInfo.Kind.AGENT not in kinds:
                return time.monotonic()
            await asyncio.sleep(0.1)


async def dialled(client: api.LiveKitAPI, stack: Stack, phone: Phone, room: str) -> Call:
    """Let a phone be dialled into a room, without waiting for its answer."""
    trunk = await stack.add_outbound_trunk("{}:{}".format(*phone.address))
    request = api.CreateSIPParticipantRequest(
        sip_trunk_id=trunk,
        sip_call_to=phone.number,
        room_name=room,
        participant_identity="the-patient",
    )
    await client.sip.create_sip_participant(request)
    return await phone.next_call(timeout=30.0)


@contextlib.asynccontextmanager
async def left_with_each_other(
    watched: Watched, plain: Worker, name: str, number: str
) -> AsyncIterator[tuple[PlainCall, Call, float]]:
    """Have two callers whose agent has gone; tell when."""
    async with (
        call_to(watched.stack, plain, name, number=number) as call,
        Phone(answering=Answer(after=0.3)) as phone,
        server(watched.stack) as client,
    ):
        await call.greeted()
        other = await dialled(client, watched.stack, phone, call.room)
        await other.answered()
        await call.tell("leave")
        yield call, other, await plain.wait("left", name)


@contextlib.asynccontextmanager
async def outage(watched: Watched, *options: str) -> AsyncIterator[None]:
    """Switch an outage on, as a person does, and off again; the sentinel knows of it."""
    await switched(watched, "on", *options)
    try:
        async with asyncio.timeout(20.0):
            while not (await watched.sentinel.status())["outages"]:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
        yield
    finally:
        if (await watched.sentinel.status())["outages"]:
            await switched(watched, "off", "--all")
        async with asyncio.timeout(20.0):
            while (await watched.sentinel.status())["outages"]:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)


async def switched(watched: Watched, *words: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "onhook.cli", "sentinel", "outage", *words),
        env={
            **os.environ,
            **watched.stack.env,
            "ONHOOK_OUTAGES": str(outages_of(watched)),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


def outages_of(watched: Watched) -> Path:
    return watched.sentinel.path.parent / "outages.json"
