"""Whether the agents that rules send are there to be sent.

No API of LiveKit lists workers. What can be known: what a worker tells at its own address, what
the agent's file registers, which dispatches of the calls of now nobody has taken, and, where the
operator asks for it, what a canary finds.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import aiohttp

from onhook.doctor.findings import Finding, Kind, Level
from onhook.redaction import bounded
from onhook.sentinel.canary import Canaries, CanaryResult, CanaryState
from onhook.sentinel.canary_settings import CanarySettings

__all__ = [
    "KINDS",
    "Waiting",
    "WorkerAnswer",
    "canary_answers",
    "judge_canaries",
    "judge_names",
    "judge_unnamed",
    "judge_waiting",
    "judge_workers",
    "worker_answer",
]

UNREGISTERED = Kind(
    "agent.unregistered",
    Level.ERROR,
    "an agent that a dispatch rule sends is one that no worker has",
    "the caller hears it ring, and nobody comes",
    "start its workers, or write the same `agent_name` in both; the letters' case counts",
)
NOT_JOINED = Kind(
    "agent.not-joined",
    Level.ERROR,
    "a worker takes an agent's calls, and the agent does not come",
    "the caller hears it ring, and nobody comes",
    "look at the worker's log: the job's process does not start, or its set-up takes too long",
)
UNGUARDED = Kind(
    "agent.unguarded",
    Level.WARNING,
    "an agent that takes calls has no guard that answers",
    "a caller whose agent fails is left on a silent line",
    "put @onhook.guard below its rtc_session, and deploy it",
)
UNTAKEN = Kind(
    "agent.untaken",
    Level.ERROR,
    "a call of now waits for an agent that no worker has taken on",
    "this caller hears it ring, or silence",
    "start the agent's workers, or more of them: at their load threshold they take no calls",
)
WORKER = Kind(
    "worker.unreachable",
    Level.ERROR,
    "a worker does not answer at its address",
    "it may take no calls",
    "start it, or correct the address: workers listen at port 8081 unless told otherwise",
)
UNNAMED = Kind(
    "worker.unnamed",
    Level.WARNING,
    "a worker has no `agent_name`",
    "it is sent into every room, also into those that are no calls, and never by a rule's name",
    "give rtc_session an `agent_name`, and name it in the dispatch rule",
)

KINDS: Sequence[Kind] = (UNREGISTERED, NOT_JOINED, UNGUARDED, UNTAKEN, WORKER, UNNAMED)

_LARGEST = 100_000
"""Bytes of a worker's answer."""
_TAKEN_WITHIN = 8.0
"""Seconds; the server tells up to 5 s late that a worker has taken a call."""
_BY_STATE: Mapping[CanaryState, Kind] = {
    CanaryState.NOT_TAKEN: UNREGISTERED,
    CanaryState.NOT_JOINED: NOT_JOINED,
    CanaryState.UNGUARDED: UNGUARDED,
}


@dataclass(frozen=True, slots=True)
class WorkerAnswer:
    """What a worker told.

    Args:
        address: Where it was asked.
        name: The name that it has registered its agent under.
        wrong: What went wrong.
    """

    address: str
    name: str = ""
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A dispatch of a call of now that has no job.

    Args:
        room: The room.
        agent: The agent's name.
        seconds: For how long.
    """

    room: str
    agent: str
    seconds: float


async def worker_answer(address: str, *, timeout: float) -> WorkerAnswer:
    """Ask a worker of livekit-agents what it is (`worker.py`, its HTTP server's `/worker`).

    Args:
        address: `http://HOST:PORT`, or HOST:PORT.
        timeout: Seconds.
    """
    base = address if "://" in address else f"http://{address}"
    try:
        async with (
            asyncio.timeout(timeout),
            aiohttp.ClientSession() as session,
            session.get(f"{base.rstrip('/')}/worker", allow_redirects=False) as response,
        ):
            told = json.loads(await response.content.read(_LARGEST))
            if response.status != 200 or not isinstance(told, dict) or "agent_name" not in told:
                return WorkerAnswer(address, wrong="what answers is no worker of livekit-agents")
            return WorkerAnswer(address, str(told["agent_name"]))
    except TimeoutError:
        return WorkerAnswer(address, wrong=f"no answer within {timeout:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return WorkerAnswer(address, wrong=bounded(str(error), 200))


def judge_workers(answers: Sequence[WorkerAnswer], wanted: Sequence[str]) -> Iterator[Finding]:
    """Judge what workers told, beside the agents that rules send.

    Args:
        answers: What they told.
        wanted: The names of the agents that rules send.
    """
    for answer in answers:
        if answer.wrong:
            yield WORKER.found(answer.address, f"{answer.address}: {answer.wrong}")
        elif not answer.name:
            yield UNNAMED.found(answer.address, f"{answer.address} has no agent_name")
    if answers and not any(answer.wrong for answer in answers):
        names = [answer.name for answer in answers if answer.name]
        yield from judge_names(names, wanted, "the workers that were named have")


def judge_names(names: Sequence[str], wanted: Sequence[str], source: str) -> Iterator[Finding]:
    """Judge the agents that rules send beside those that are known.

    Args:
        names: The agents that are known.
        wanted: Those that rules send.
        source: Who knows them: "the file registers".
    """
    for agent in wanted:
        if names and agent not in names:
            there = ", ".join(map(repr, dict.fromkeys(names)))
            yield UNREGISTERED.found(agent, f"rules send {agent!r}, and {source} {there}")


def judge_unnamed(places: Sequence[str], wanted: Sequence[str]) -> Iterator[Finding]:
    """Judge entrypoints without a name, beside the agents that rules send by theirs.

    Args:
        places: Where they are registered.
        wanted: The names of the agents that rules send.
    """
    for place in places if wanted else ():
        sent = ", ".join(map(repr, wanted[:3]))
        yield UNNAMED.found(place, f"no agent_name is given, and rules send {sent}")


def judge_waiting(waiting: Sequence[Waiting]) -> Iterator[Finding]:
    """Judge the dispatches of the calls of now.

    Args:
        waiting: Those without a job.
    """
    for each in waiting:
        if each.seconds >= _TAKEN_WITHIN:
            yield UNTAKEN.found(
                each.room, f"{each.room} waits for {each.agent!r} since {each.seconds:.0f} s"
            )


async def canary_answers(canaries: Canaries, agents: Sequence[str]) -> Sequence[CanaryResult]:
    """Ask agents whether they take calls, one after the other; each room is deleted at once.

    Who does not come is asked once more: a single dispatch may be lost (livekit-server gives one
    to a worker that is slow to accept it, and to no other after that).

    Args:
        canaries: Asks them.
        agents: Their names.
    """
    results = []
    for agent in agents:
        result = await canaries.ask(agent)
        if result.state in (CanaryState.NOT_TAKEN, CanaryState.NOT_JOINED):
            result = await canaries.ask(agent)
        results.append(result)
    return results


def judge_canaries(results: Sequence[CanaryResult]) -> Iterator[Finding]:
    """Judge what canaries found.

    Args:
        results: It.
    """
    bound = CanarySettings().bound
    for result in results:
        if kind := _BY_STATE.get(result.state):
            asked = f" within {bound:g} s, asked twice" if kind is not UNGUARDED else ""
            yield kind.found(result.agent, f"{result.agent!r}: {result.state}{asked}")
