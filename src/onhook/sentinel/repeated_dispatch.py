"""Which dispatch may be repeated, and which of two is one too many. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onhook.call import Call
from onhook.line import Dispatch
from onhook.sentinel.plans import Plan
from onhook.takeover import SECOND_DISPATCH

__all__ = ["Superfluous", "superfluous", "to_repeat"]


def to_repeat(sent: Sequence[Dispatch], plan: Plan) -> tuple[str, str] | None:
    """Choose which dispatch is repeated: name and metadata, or `None` where none may be.

    Args:
        sent: All dispatches of the room.
        plan: The call's plan; its agent counts where none was sent.
    """
    if any(dispatch.jobs or SECOND_DISPATCH in dispatch.attributes for dispatch in sent):
        return None  # a worker has taken it, so that the agent is on its way; or repeated already
    wanted = {(dispatch.agent_name, dispatch.metadata) for dispatch in sent}
    if len(wanted) != len(sent) or len(wanted) > 1:
        return None  # nobody can tell which of them is missing
    if plan.agent:
        return plan.agent, next((metadata for _, metadata in wanted), "")
    return next(iter(wanted), None)


@dataclass(frozen=True, slots=True)
class Superfluous:
    """A dispatch that is taken back.

    Args:
        dispatch: Its id; empty for none.
        agents: Identities of its agents, which may still come: a job that is told to end while it
            sets itself up goes on with that for 15 s at most (livekit-agents `ipc`).
        settled: Whether there is nothing more to decide.
    """

    dispatch: str = ""
    agents: tuple[str, ...] = ()
    settled: bool = False


def superfluous(
    call: Call, sent: Sequence[Dispatch], ours: str, came: Mapping[str, float]
) -> Superfluous:
    """Decide which of two dispatches of the same agent is one too many.

    Whoever is heard stays; of two who are, or are not, the one who came first.

    Args:
        call: The call as it is now.
        sent: All dispatches of the room.
        ours: Id of the second dispatch.
        came: When each agent came, by its identity; those who are not in it came first.
    """
    there = {leg.identity: leg.audible for leg in call.legs}
    first = [dispatch for dispatch in sent if dispatch.id != ours]
    second = next((dispatch for dispatch in sent if dispatch.id == ours), None)
    if second is None or not call.callers:
        return Superfluous(settled=True)
    first_here = [agent for d in first for agent in d.agents if agent in there]
    second_here = [agent for agent in second.agents if agent in there]
    if not second_here:
        taken = any(dispatch.jobs for dispatch in first)
        return Superfluous(ours, second.agents, settled=True) if taken else Superfluous()
    if not first_here:
        return Superfluous()

    def rank(agent: str) -> tuple[bool, float]:
        return not there[agent], came.get(agent, 0.0)

    if min(map(rank, second_here)) < min(map(rank, first_here)):
        late = next(d for d in first for agent in d.agents if agent in there)
        return Superfluous(late.id, late.agents, settled=True)
    return Superfluous(ours, second.agents, settled=True)
