"""From an incident and a picture of the call to a plan: pure, without clock or I/O."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from onhook.call import Call, Direction
from onhook.errors import LadderError, PolicyError
from onhook.faults import Fault, Severity
from onhook.incident import Incident
from onhook.ladder import Ladder
from onhook.rungs import ONE_MOMENT, TIME_LIMIT, HangUp, Keep, Rung, Say
from onhook.validation import require_seconds

__all__ = ["TWO_LEGS", "Policy", "RescuePolicy", "plan"]

TWO_LEGS: Final = "two_legs"
"""Evidence that two callers have been left with each other for longer than was meant."""
_PATIENCE = Keep("the agent may recover")
_ENDS = (Fault.AGENT_SHUTDOWN, Fault.SESSION_ENDED)
"""Ends without an error: whoever keeps the caller company has them now."""
_NO_INCIDENT: Mapping[Fault, str] = {
    Fault.TRANSFER_FAILED: "put what is to follow a transfer below it, as the ladder's next rung",
    Fault.OUTBOUND_UNANSWERED: "onhook.dial() returns it, and the agent decides",
    Fault.OUTBOUND_LATE_ANSWER: "onhook.dial() returns it, and has released the callee",
    Fault.CLEANUP_FAILED: "it is told where no rung has released the line, and is retried",
}
"""Faults that open no incident: a ladder for them would never be climbed."""
_TIME_IS_UP = Ladder((Say(TIME_LIMIT), HangUp()))


def _default_ladder() -> Ladder:
    return Ladder((Say(), HangUp()))


def _soft_ladder() -> Ladder:
    return Ladder((Say(ONE_MOMENT), _PATIENCE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What shall be done, and when.

    Args:
        lost: The ladder for an agent that cannot speak any more; it gets a `HangUp()` where its
            last rung would not end the call.
        impaired: The ladder for a turn that failed, climbed at most once a turn, and never while
            the line rings. It stops as soon as the agent is heard again; it gets a `Keep` where
            its last rung would not end the call.
        on: Ladders for single faults, by `Fault` or its word (`"agent.shutdown"`), like `lost`.
        setup: Seconds that a caller's line may ring until the agent is up; `None` for ever.
        first_audio: Seconds from the answer until the agent's session runs or its voice is heard;
            `None` for an agent that never speaks.
        dead_air: Seconds that a caller to whom the agent owes sound may hear nothing: then the
            turn is impaired. It is lost when the caller speaks again into as long a silence, or
            after `give_up`. `None` for an agent that may be silent as long as it likes.
        tool_limit: Seconds that a turn may last while one of its tools still runs: silent from its
            start, or since the caller last heard the agent. `onhook.busy` gives a tool more.
        give_up: Seconds after the soft words for which an agent that still owes the caller sound
            is waited for, where the caller does not speak again.
        hang_limit: Seconds for which an event loop may stand still: the watchdog tells the caller
            after 3 s that it takes a moment, and takes the call over after so many.
        max_call: Seconds that a call may last from its answer on; `None` for ever.
        ringing: What to do with a line that still rings. Publishing audio answers it, which may
            start billing: `"say"` does that, `"reject"` releases the line unanswered (486), for
            carriers that route onward.
        watchdog: Who rescues a job that is killed or hangs: `"auto"` starts a watchdog where none
            runs, `"external"` leaves that to systemd or a sidecar, `"off"` is without.
        api_timeout: Seconds for one request to the LiveKit server.
        late_caller: Seconds that a leg which is just joining gets to appear after a failure.
        cancel_grace: Seconds for releasing the line once the rescue itself is cancelled.

    Raises:
        PolicyError: Names the setting, what was got and what is allowed.
    """

    lost: Ladder | Iterable[Rung] = field(default_factory=_default_ladder)
    impaired: Ladder | Iterable[Rung] = field(default_factory=_soft_ladder)
    on: Mapping[Fault | str, Ladder | Iterable[Rung]] = field(default_factory=dict)
    setup: float | None = 20.0
    first_audio: float | None = 8.0
    dead_air: float | None = 6.0
    tool_limit: float = 30.0
    give_up: float = 15.0
    hang_limit: float = 15.0
    max_call: float | None = None
    ringing: Literal["say", "reject"] = "say"
    watchdog: Literal["auto", "external", "off"] = "auto"
    api_timeout: float = 5.0
    late_caller: float = 2.0
    cancel_grace: float = 2.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "lost", _ladder("lost", self.lost).ended_by(HangUp()))
        soft = _ladder("impaired", self.impaired).ended_by(_PATIENCE)
        object.__setattr__(self, "impaired", soft)
        if not isinstance(self.on, Mapping):
            raise PolicyError(f"Policy(on={self.on!r}): give a dict of fault to ladder")
        ladders = {
            _fault(name): _ladder(f"on[{name!r}]", rungs).ended_by(HangUp())
            for name, rungs in self.on.items()
        }
        object.__setattr__(self, "on", ladders)
        for name in ("setup", "first_audio", "dead_air", "max_call"):
            if getattr(self, name) is not None:
                require_seconds("Policy", name, getattr(self, name))
        if self.ringing not in ("say", "reject"):
            raise PolicyError(f"Policy(ringing={self.ringing!r}): give 'say' or 'reject'")
        if self.watchdog not in ("auto", "external", "off"):
            raise PolicyError(
                f"Policy(watchdog={self.watchdog!r}): give 'auto', 'external' or 'off'"
            )
        require_seconds("Policy", "tool_limit", self.tool_limit)
        require_seconds("Policy", "give_up", self.give_up)
        require_seconds("Policy", "hang_limit", self.hang_limit)
        require_seconds("Policy", "api_timeout", self.api_timeout)
        require_seconds("Policy", "late_caller", self.late_caller, zero=True)
        require_seconds("Policy", "cancel_grace", self.cancel_grace)

    @property
    def ladders(self) -> tuple[Ladder, ...]:
        """Every ladder of the policy."""
        return tuple(Ladder.of(rungs) for rungs in (self.lost, self.impaired, *self.on.values()))

    def ladder_for(self, fault: Fault) -> Ladder:
        """Return the ladder that the policy gives for a fault."""
        return Ladder.of(self.on.get(fault, self.lost))


class RescuePolicy(Protocol):
    """What planning and rescuing read of a policy; see `Policy`."""

    @property
    def impaired(self) -> Ladder | Iterable[Rung]:
        """The ladder for a turn that failed."""

    @property
    def on(self) -> Container[object]:
        """The faults that have a ladder of their own."""

    @property
    def ringing(self) -> Literal["say", "reject"]:
        """What to do with a line that still rings."""

    @property
    def api_timeout(self) -> float:
        """Seconds for one request to the LiveKit server."""

    @property
    def cancel_grace(self) -> float:
        """Seconds for releasing the line once the rescue itself is cancelled."""

    def ladder_for(self, fault: Fault) -> Ladder:
        """Return the ladder for a fault."""


def plan(policy: RescuePolicy, incident: Incident, call: Call) -> Ladder:
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
    if incident.severity is Severity.IMPAIRED:
        return _soften(policy, call)
    meant = incident.fault is Fault.CALL_OVERLONG or TWO_LEGS in incident.failure.evidence
    if call.colleagues and not meant:
        return _keep(f"{call.colleagues[0].identity!r} is on the line too: the two hear each other")
    return _rescue(policy, incident, call)


def _soften(policy: RescuePolicy, call: Call) -> Ladder:
    if call.ringing:
        return _keep("the line still rings: soft words would answer it")
    ladder = Ladder.of(policy.impaired)
    if call.deaf:
        return _mute(ladder)
    if call.colleagues:
        words = tuple(rung for rung in ladder.rungs if isinstance(rung, Say))
        return Ladder((*words, _PATIENCE))
    return ladder


def _rescue(policy: RescuePolicy, incident: Incident, call: Call) -> Ladder:
    asked = incident.failure.evidence.get("by") == "agent"
    if incident.fault in _ENDS and asked and incident.fault not in policy.on:
        return Ladder((HangUp(),))  # it has said what it wanted
    ladder = policy.ladder_for(incident.fault)
    if incident.fault is Fault.CALL_OVERLONG and incident.fault not in policy.on:
        return _TIME_IS_UP
    # who may not hear, and a callee who has not answered, would hear no announcement
    unanswered = call.ringing and call.direction is Direction.OUTBOUND
    if call.deaf or unanswered or (call.ringing and policy.ringing == "reject"):
        return _mute(ladder)
    return ladder


def _who_stays_with_the_caller(incident: Incident, call: Call) -> str:
    """Say who makes it right to leave the call alone, or return an empty string."""
    if any(leg.audible for leg in call.other_agents):
        return "another agent is speaking with the caller"
    if len(call.humans) > 1:
        return f"{len(call.humans)} people are in the room: a meeting goes on without its agent"
    if incident.fault in _ENDS and call.company:
        return f"the agent left the caller with {call.company[0].identity!r}"
    return ""


def _keep(reason: str) -> Ladder:
    return Ladder((Keep(reason),))


def _mute(ladder: Ladder) -> Ladder:
    return Ladder(tuple(rung for rung in ladder.rungs if not isinstance(rung, Say)))


def _ladder(name: str, rungs: Ladder | Iterable[Rung]) -> Ladder:
    try:
        return Ladder.of(rungs)
    except LadderError as error:
        raise LadderError(f"Policy({name}=...): {error}") from error


def _fault(name: Fault | str) -> Fault:
    try:
        fault = Fault(name)
    except ValueError:
        known = ", ".join(fault for fault in Fault if fault not in _NO_INCIDENT)
        raise PolicyError(
            f"Policy(on={{{name!r}: ...}}): no such fault; known are {known}"
        ) from None
    if instead := _NO_INCIDENT.get(fault):
        raise PolicyError(
            f"Policy(on={{{str(fault)!r}: ...}}): no incident ever has this fault: {instead}"
        )
    return fault
