"""What a rescue from outside needs of a job's policy, and nothing that it would have to guess."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from onhook.errors import PolicyError
from onhook.faults import Fault
from onhook.ladder import Ladder
from onhook.policy import Policy
from onhook.rungs import HangUp
from onhook.validation import require_seconds

__all__ = ["JobPolicy"]


class JobPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part of a `Policy` that travels to the watchdog; every field is told, none has a default.

    Args:
        lost: See `Policy`, as all others.
        impaired: Its words are said while a loop stands still.
        on: Ladders for single faults.
        setup: Seconds, or `None` for ever.
        hang_limit: Seconds.
        ringing: What to do with a line that still rings.
        api_timeout: Seconds.
        late_caller: Seconds.
        cancel_grace: Seconds.

    Raises:
        PolicyError: A number is none, or a ladder would leave a caller who has lost the agent.
    """

    lost: Ladder
    impaired: Ladder
    on: Mapping[Fault, Ladder]
    setup: float | None
    hang_limit: float
    ringing: Literal["say", "reject"]
    api_timeout: float
    late_caller: float
    cancel_grace: float

    def __post_init__(self) -> None:
        for ladder in (self.lost, *self.on.values()):
            if ladder.ended_by(HangUp()) != ladder:
                raise PolicyError(f"the ladder {ladder.to_json()[:200]} does not end the call")
        if self.setup is not None:
            require_seconds("JobPolicy", "setup", self.setup)
        for name in ("hang_limit", "api_timeout", "cancel_grace"):
            require_seconds("JobPolicy", name, getattr(self, name))
        require_seconds("JobPolicy", "late_caller", self.late_caller, zero=True)

    @classmethod
    def of(cls, policy: Policy) -> JobPolicy:
        """Return what the watchdog is told of a policy."""
        return cls(
            lost=Ladder.of(policy.lost),
            impaired=Ladder.of(policy.impaired),
            on={Fault(fault): Ladder.of(rungs) for fault, rungs in policy.on.items()},
            setup=policy.setup,
            hang_limit=policy.hang_limit,
            ringing=policy.ringing,
            api_timeout=policy.api_timeout,
            late_caller=policy.late_caller,
            cancel_grace=policy.cancel_grace,
        )

    def ladder_for(self, fault: Fault) -> Ladder:
        """Return the ladder for a fault."""
        return self.on.get(fault, self.lost)
