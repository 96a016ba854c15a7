"""Records of real calls against what their phones have heard.

A short round in the suite; `make records-check CALLS=100` holds as many calls as it is told, and
prints each.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import pytest
from livekit import api

from onhook.bench.phone import Call
from onhook.bench.phone.call_report import Report
from onhook.bench.stack import Route
from onhook.sentinel.records.call_record import CallRecord, EndedBy
from onhook.sentinel.records.record_store import RecordStore
from tests.line.bench import Bench, next_number, phone_for
from tests.sentinel.records.conftest import Recorded
from tests.sentinel.records.phone_truth import dead_air_heard

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

logger = logging.getLogger("tests.sentinel")

CALLS = int(os.environ.get("ONHOOK_RECORDS_CALLS", "0"))
AT_ONCE = int(os.environ.get("ONHOOK_RECORDS_AT_ONCE", "1"))
EXACT = 0.3 if CALLS else 1.0
"""Seconds by which dead air may differ; more in the suite, where a dying process, words and
webhooks may each wait for a busy machine."""
_ENDS, _RECORD, _RINGS = 90.0, 30.0, 180.0


@dataclass(frozen=True)
class Held:
    """A call that was held: by which it is found, what its phone says, and when a fault struck."""

    number: str
    room: str
    report: Report
    struck: float | None = None


@dataclass(frozen=True)
class Kind:
    """One way in which a call goes, and what its record must say."""

    name: str
    hold: Callable[[Bench], Awaitable[Held]]
    ended_by: EndedBy
    fault: str = ""


async def guarded(
    bench: Bench,
    fault: str,
    *,
    direction: str = "inbound",
    guard: str = "default",
    then: Callable[[Bench, Call, str], Awaitable[None]] | None = None,
) -> Held:
    """Call a guarded agent, or be called by it; let it fail, or end the call as `then` does."""
    scenario = bench.scenario(fault, guard)
    async with phone_for(direction) as phone:
        number = ""
        if direction == "inbound":
            number = next_number()
            route = Route(number, bench.agent, json.dumps(scenario))
            await bench.stack.add_route(route, ringing=_RINGS)
            assert bench.stack.sip_address
            call = await phone.dial(number, server=bench.stack.sip_address)
        else:
            call = await bench.call_out(phone, scenario)
        if then is not None:
            await then(bench, call, scenario["id"])
        report = await call.ended(timeout=_ENDS)
        event = bench.worker.event("fault", scenario["id"])
        struck = None if event is None else float(event["at"])
        return Held(number, f"out-{scenario['id']}", report, struck)


async def ringing(bench: Bench) -> Held:
    """Ring where nobody is, and give up."""
    number = next_number()
    await bench.stack.add_route(Route(number, "nobody", "{}"), ringing=_RINGS)
    async with phone_for("inbound") as phone:
        assert bench.stack.sip_address
        call = await phone.dial(number, server=bench.stack.sip_address)
        await call.ringing()
        await asyncio.sleep(1.5)
        await call.hang_up()
        return Held(number, "", await call.ended(timeout=_ENDS))


async def caller_hangs_up(_: Bench, call: Call, __: str) -> None:
    await call.answered(timeout=_ENDS)
    await call.heard_sound(timeout=_ENDS)
    await asyncio.sleep(1.0)
    await call.hang_up()


async def caller_hangs_up_in_the_words(bench: Bench, call: Call, scenario: str) -> None:
    struck = await bench.worker.wait("fault", scenario, deadline=_ENDS)
    await call.heard_sound(struck, timeout=_ENDS, new=True)
    await asyncio.sleep(1.5)
    await call.hang_up()


async def agent_deletes_the_room(bench: Bench, call: Call, scenario: str) -> None:
    """End the call by the API, as the agent's own code does."""
    room = await bench.ready({"id": scenario})
    async with bench.api() as server:
        await server.room.delete_room(api.DeleteRoomRequest(room=room))


def failing(name: str, fault: str, record: str, direction: str = "inbound") -> Kind:
    return Kind(
        name, lambda bench: guarded(bench, fault, direction=direction), EndedBy.ONHOOK, record
    )


KINDS: Sequence[Kind] = (
    Kind(
        "the caller hangs up",
        lambda b: guarded(b, "is_healthy", then=caller_hangs_up),
        EndedBy.CALLER,
    ),
    failing("the job is killed", "is_killed", "job.died"),
    Kind("the caller gives up", ringing, EndedBy.CALLER),
    failing("the entrypoint raises", "raises_after_answer", "entrypoint.raised"),
    Kind(
        "the agent deletes the room",
        lambda b: guarded(b, "raises_on_signal", then=agent_deletes_the_room),
        EndedBy.AGENT,
    ),
    Kind(
        "the caller hangs up in the words",
        lambda b: guarded(b, "raises_after_answer", then=caller_hangs_up_in_the_words),
        EndedBy.CALLER,
        "entrypoint.raised",
    ),
    failing("it raises while ringing", "raises_while_ringing", "entrypoint.raised"),
    failing("the callee's job is killed", "is_killed", "job.died", direction="outbound"),
    Kind(
        "the callee hangs up",
        lambda b: guarded(b, "is_healthy", direction="outbound", then=caller_hangs_up),
        EndedBy.CALLER,
    ),
    failing("the job exits in C", "exits_without_cleanup", "job.died"),
    failing("the agent shuts down", "shuts_down", "agent.shutdown"),
    failing("it crashes", "segfaults", "job.died"),
)


@pytest.mark.timeout(max(600, 60 * CALLS))
async def test_each_record_says_what_its_phone_has_heard(recorded: Recorded) -> None:
    kinds = [KINDS[n % len(KINDS)] for n in range(CALLS or 6)]
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(kind: Kind) -> str:
        async with slots:
            return await compared(kind, recorded)

    found = await asyncio.gather(*(one(kind) for kind in kinds), return_exceptions=True)
    wrong = [f"{k.name}: {why!r}" for k, why in zip(kinds, found, strict=True) if why != ""]
    logger.info(
        "%d of %d records say what their phones have heard", len(kinds) - len(wrong), len(kinds)
    )
    assert not wrong, "\n".join(wrong) + "\n" + recorded.sentinel.tail()


async def compared(kind: Kind, recorded: Recorded) -> str:
    """Hold a call; return what its record says wrongly, or an empty text."""
    held = await kind.hold(recorded.bench)
    record = await record_of(held, recorded)
    heard = 0.0 if held.struck is None else dead_air_heard(held.report, held.struck)
    if not kind.fault:
        heard = 0.0
    logger.info(
        "%-34s by %-8s fault %-18s silent %5.2f s, heard %5.2f s, %s",
        *(kind.name, record.ended_by, record.fault or "-", record.silent, heard, record.rescue),
    )
    wrong = []
    if record.ended_by is not kind.ended_by:
        wrong.append(f"ended by {record.ended_by}, and not {kind.ended_by}")
    if record.fault != kind.fault:
        wrong.append(f"fault {record.fault!r}, and not {kind.fault!r}")
    if abs(record.silent - heard) > EXACT:
        wrong.append(f"silent {record.silent:.2f} s, and {heard:.2f} s were heard")
    if (record.answered_at is None) is held.report.answered:
        wrong.append(f"answered at {record.answered_at}, by the phone {held.report.answered_at}")
    return "; ".join(wrong)


async def record_of(held: Held, recorded: Recorded) -> CallRecord:
    path = recorded.sentinel.path.parent / "calls.db"
    with contextlib.closing(RecordStore(path)) as store:
        async with asyncio.timeout(_RECORD):
            while True:
                for record in await asyncio.to_thread(store.newest, 50):
                    if held.number and record.number == held.number:
                        return record
                    if not held.number and record.room == held.room:
                        return record
                await asyncio.sleep(0.1)
