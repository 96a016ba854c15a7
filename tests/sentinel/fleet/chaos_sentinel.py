"""A stand-in sentinel: it suspects every call there is, and rescues those that it may.

`python -m tests.sentinel.fleet.chaos_sentinel URL FLEET PORT OWNER CALLS AT_ONCE TTL FILE`
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from pathlib import Path

from onhook.errors import OnhookError
from onhook.faults import Fault
from onhook.incident import Failure, Incident
from onhook.policy import Policy
from onhook.rescue.engine import Engine
from onhook.rescue.events import Ring
from onhook.rungs import HangUp, Say
from onhook.sentinel.fleet.claimed_line import ClaimedLine
from onhook.sentinel.fleet.claims import Claim, Claims, Refused
from onhook.sentinel.fleet.fleet import Fleet
from onhook.sentinel.fleet.held_claim import HeldClaim
from tests.fakes import call_of, caller
from tests.sentinel.fleet.chaos_line import API_TIMEOUT, ChaosLine, LineClient

POLICY = Policy(lost=[Say("one"), Say("two"), HangUp()], api_timeout=API_TIMEOUT)


def names(count: int) -> list[str]:
    return [f"RM_{number}" for number in range(count)]


async def rescue(claims: Claims, claim: Claim, client: LineClient, ttl: float) -> None:
    async with HeldClaim(claims, claim, ttl=ttl, margin=API_TIMEOUT) as held:
        line = ClaimedLine(ChaosLine(client, claim.call, held), held)
        engine = Engine(line, policy=POLICY, sinks=[held.sink()], ring=Ring.SENTINEL)
        if held.events:
            await client.ask("takeover", claim.call)
            outcome = await engine.resume(held.events, "its rescuer is gone")
        else:
            failure = Failure(Fault.WORKER_DIED, "nobody came", time.monotonic())
            outcome = await engine.handle(Incident(failure, call_of(caller())))
        await held.finish(outcome)
    await client.ask("finished", claim.call, ending=outcome.ending)


async def suspected(claims: Claims, client: LineClient, call: str) -> bool:
    """Look at the call again: the caller waits, or somebody has died before telling the outcome."""
    found = await client.ask("picture", call)
    return found["there"] or call in await claims.lapsed(1000)


async def work(
    claims: Claims, client: LineClient, calls: list[str], done: set[str], ttl: float
) -> None:
    """Take calls at random, like every other sentinel, until all of them have an outcome."""
    while open_ := [call for call in calls if call not in done]:
        call = random.choice(open_)  # noqa: S311 - no secret
        with contextlib.suppress(OnhookError):  # lost to another, or it is asked again
            if not await suspected(claims, client, call):
                if await claims.done(call) is not None:
                    done.add(call)
                await asyncio.sleep(0.02)
                continue
            answer = await claims.claim(call, client.owner, ttl)
            if isinstance(answer, Refused):
                if answer.finished is not None:
                    done.add(call)
                else:
                    await asyncio.sleep(0.02)
                continue
            await rescue(claims, answer, client, ttl)


async def main(arguments: list[str]) -> None:
    url, fleet, port, owner, count, at_once, ttl, file = arguments
    shared = Fleet(redis=url, name=fleet, owner=owner, file=Path(file))
    async with LineClient(int(port), owner) as client, shared as fleet_:
        calls, done = names(int(count)), set[str]()
        async with asyncio.TaskGroup() as group:
            for _ in range(int(at_once)):
                group.create_task(work(fleet_.claims, client, calls, done, float(ttl)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
