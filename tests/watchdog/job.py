"""A light job: nothing but its link. `python -m tests.watchdog.job ROOM JOB MODE STORY`.

Says `covered` once a watchdog has taken it on, and tells the story of a guard's rescue so far.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from onhook.call import Call, Leg, LegKind, LineState
from onhook.faults import Fault
from onhook.incident import Failure, Incident, Outcome, Result, RungReport
from onhook.ladder import Ladder
from onhook.livekit.credentials import Credentials
from onhook.policy import Policy
from onhook.rungs import HangUp, Say
from onhook.watchdog import Link
from onhook.watchdog.protocol.job_policy import JobPolicy
from onhook.watchdog.protocol.messages import Hello
from tests.rescue.telling import climbed, closed, intent, opened

AGENT = "agent-1"
POLICY = Policy(lost=[Say(deadline=10.0), HangUp()], late_caller=0, api_timeout=2.0)
HASTY = Policy(lost=[HangUp(deadline=0.5)], late_caller=0, api_timeout=0.5)
"""For a guard that stalls in its rescue: 2 s are all it gets."""
QUIET = Policy(lost=[HangUp()], hang_limit=5.0, late_caller=0, api_timeout=2.0)


async def main(room: str, job: str, mode: str, story: str) -> None:
    policy = POLICY if story == "said" or os.environ.get("ONHOOK_TEST_SAY") else QUIET
    policy = HASTY if story == "stalls" else policy
    hello = Hello(room, job, AGENT, os.getppid(), JobPolicy.of(policy))
    link = Link(hello, Credentials.from_env(), mode=mode)  # type: ignore[arg-type]
    await link.start()
    while not link.covered:  # noqa: ASYNC110 - the link has no event for its owner
        await asyncio.sleep(0.01)
    link.up()
    tell(link, room, story, policy)
    sys.stdout.write("covered\n")
    sys.stdout.flush()
    if story == "bye":
        await link.bye("done")
        await link.aclose()
        return
    told = asyncio.Event()
    if story == "ends":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    await told.wait()
    await link.bye("the caller has hung up")
    await link.aclose()


def tell(link: Link, room: str, story: str, policy: Policy) -> None:
    """The guard's rescue, until it was cut off."""
    if story not in ("said", "released", "handed_outward", "stalls"):
        return
    caller = Leg("sip_1", LegKind.CALLER, LineState.ACTIVE, call_id="SCL_1")
    call = Call(room, (Leg(AGENT, LegKind.AGENT), caller), AGENT)
    failure = Failure(Fault.ENTRYPOINT_RAISED, "it broke", 0.0, RuntimeError("broken"))
    incident = Incident(failure, call, "inc_test")
    link.handle(opened(incident, Ladder.of(policy.lost)))
    if story == "said":
        link.handle(intent(incident.id, "say"))
        said = RungReport("say", Result.DONE, "said it", 0.0, 1.0)
        link.handle(climbed(incident.id, said))
        link.handle(intent(incident.id, "hang_up", 1.0))
        return
    link.handle(intent(incident.id, "hang_up"))
    if story == "stalls":
        return
    result = Result.DONE if story == "released" else Result.FAILED
    link.handle(climbed(incident.id, RungReport("hang_up", result, "tried", 0.0, 1.0)))
    link.handle(closed(Outcome("inc_test", story, "told")))  # type: ignore[arg-type]


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
