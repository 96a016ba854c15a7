"""From an incident and a picture of the call to a plan: pure, without clock or I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from onhook.errors import LadderError, PolicyError
from onhook.faults import Fault
from onhook.ladder import Ladder
from onhook.limits import require_seconds
from onhook.rungs import HangUp, Keep, Rung, Say
from onhook.types import Call, Direction, Incident

__all__ = ["Plan", "Policy", "plan"]


def _default_ladder() -> Ladder:
    return Ladder((Say(), HangUp()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What shall be done, and when.

    Args:
        lost: The ladder for an agent that cannot speak any more.
        on: Ladders for single faults, by `Fault` or its word (`"agent.shutdown"`).
        first_audio: Seconds that a caller may wait for the agent to publish audio; `None` for an
            agent that never speaks.
        ringing: What to do with a line that still rings. Publishing audio answers it, which may
            start billing: `"say"` does that, `"reject"` releases the line unanswered (486), for
            carriers that route onward.
        api_timeout: Seconds for one request to the LiveKit server.
        late_caller: Seconds that a leg which is just joining gets to appear after a failure.
        cancel_grace: Seconds for releasing the line once the rescue itself is cancelled.

    Raises:
        PolicyError: Names the setting, what was got and what is allowed.
    """

    lost: Ladder | Iterable[Rung] = field(default_factory=_default_ladder)
    on: Mapping[Fault | str, Ladder | Iterable[Rung]] = field(default_factory=dict)
    first_audio: float | None = 8.0
    ringing: Literal["say", "reject"] = "say"
    api_timeout: float = 5.0
    late_caller: float = 2.0
    cancel_grace: float = 2.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "lost", _ladder("lost", self.lost))
        if not isinstance(self.on, Mapping):
            raise PolicyError(f"Policy(on={self.on!r}): give a dict of fault to ladder")
        ladders = {_fault(name): _ladder(f"on[{name!r}]", rungs) for name, rungs in self.on.items()}
        object.__setattr__(self, "on", ladders)
        if self.first_audio is not None:
            require_seconds("Policy", "first_audio", self.first_audio)
        if self.ringing not in ("say", "reject"):
            raise PolicyError(f"Policy(ringing={self.ringing!r}): give 'say' or 'reject'")
        require_seconds("Policy", "api_timeout", self.api_timeout)
        require_seconds("Policy", "late_caller", self.late_caller, zero=True)
        require_seconds("Policy", "cancel_grace", self.cancel_grace)

    @property
    def ladders(self) -> tuple[Ladder, ...]:
        """Every ladder of the policy."""
        return tuple(Ladder.of(rungs) for rungs in (self.lost, *self.on.values()))

    def ladder_for(self, fault: Fault) -> Ladder:
        """Return the ladder that the policy gives for a fault."""
        return Ladder.of(self.on.get(fault, self.lost))


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done for an incident, and why.

    Args:
        ladder: The rungs.
        reason: One sentence for the journal.
    """

    ladder: Ladder
    reason: str


def plan(policy: Policy, incident: Incident, call: Call) -> Plan:
    """Decide what to do about an incident.

    Args:
        policy: What the developer wants.
        incident: What happened.
        call: The call as it is now.
    """
    if call.complete and not call.callers:
        return _keep("no caller is on the line")
    if stays := _who_stays_with_the_caller(incident, call):
        return _keep(stays)
    asked = incident.failure.evidence.get("by") == "agent"
    if incident.fault is Fault.AGENT_SHUTDOWN and asked and incident.fault not in policy.on:
        return Plan(Ladder((HangUp(),)), "the agent ended the job: it has said what it wanted")
    ladder = policy.ladder_for(incident.fault)
    if call.ringing and policy.ringing == "reject":
        return Plan(_mute(ladder), "the line is released unanswered")
    if call.ringing and call.direction is Direction.OUTBOUND:
        return Plan(_mute(ladder), "the callee has not answered: nobody would hear an announcement")
    return Plan(ladder, f"the ladder for {incident.fault}")


def _who_stays_with_the_caller(incident: Incident, call: Call) -> str:
    """Say who makes it right to leave the call alone, or return an empty string."""
    if any(leg.audible for leg in call.other_agents):
        return "another agent is speaking with the caller"
    if len(call.humans) > 1:
        return f"{len(call.humans)} people are in the room: a meeting goes on without its agent"
    company = (*call.humans, *call.other_agents, *call.callers[1:])
    if incident.fault is Fault.AGENT_SHUTDOWN and company:
        return f"the agent left the caller with {company[0].identity!r}"
    return ""


def _keep(reason: str) -> Plan:
    return Plan(Ladder((Keep(reason),)), reason)


def _mute(ladder: Ladder) -> Ladder:
    return Ladder(tuple(rung for rung in ladder.rungs if not isinstance(rung, Say)))


def _ladder(name: str, rungs: Ladder | Iterable[Rung]) -> Ladder:
    try:
        return Ladder.of(rungs)
    except LadderError as error:
        raise LadderError(f"Policy({name}=...): {error}") from error


def _fault(name: Fault | str) -> Fault:
    try:
        return Fault(name)
    except ValueError:
        known = ", ".join(Fault)
        raise PolicyError(
            f"Policy(on={{{name!r}: ...}}): no such fault; known are {known}"
        ) from None
