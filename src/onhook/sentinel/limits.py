"""How long things may last before a sentinel suspects a fault; a plan may give a call its own."""

from __future__ import annotations

from dataclasses import dataclass

from onhook.validation import require_count, require_seconds

__all__ = ["Limits"]

_FOR_EVER = ("absent", "second_dispatch", "abandoned", "two_legs", "max_call", "zombie")
"""What a plan may switch off with `None`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long things may last, in seconds of the sentinel's own clock.

    Args:
        absent: A caller without any agent: then words; `None` where no agent is expected.
        second_dispatch: A caller without any agent: then the agent is dispatched again, once;
            `None` for never.
        retrying: For how long the server's word that it is still trying is believed.
        abandoned: A phone's leg that everybody else has left; `None` for as long as it likes.
        unanswered_leg: A caller whom everybody has left but a leg that still rings.
        two_legs: Two answered legs that are alone with each other; `None` for as long as they
            like, since they are company.
        late_answer: A callee who answers when the agent has gone.
        lapsed: Seconds after the end of a host's lease.
        rescue_overdue: Seconds after a rescue's own deadline, where no host answers for it.
        rescue_overdue_covered: The same, where a host does: its watchdog comes first.
        zombie: An agent that has not acknowledged any of `zombie_probes` questions; `None` where
            unguarded agents are not to be probed.
        zombie_blocked: An agent that acknowledges, and answers none: a blocked event loop; or one
            that no server knows, which may be about to join again.
        zombie_probes: How many questions must have gone unanswered; one proves nothing.
        proof_valid: For how long an agent that has answered needs no other proof.
        max_call: The whole call, from its answer on; `None` for ever.
        stale: How old the last list of rooms may be: a sentinel that cannot ask judges nothing.

    Raises:
        PolicyError: Names the limit, what was got and what is allowed.
    """

    absent: float | None = 8.0
    second_dispatch: float | None = 2.5
    retrying: float = 30.0
    abandoned: float | None = 8.0
    unanswered_leg: float = 30.0
    two_legs: float | None = None
    late_answer: float = 0.5
    lapsed: float = 0.5
    rescue_overdue: float = 1.0
    rescue_overdue_covered: float = 10.0
    zombie: float | None = 3.5
    zombie_blocked: float = 15.0
    zombie_probes: int = 2
    proof_valid: float = 8.0
    max_call: float | None = None
    stale: float = 10.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if name == "zombie_probes":
                require_count("Limits", name, value)
            elif value is not None or name not in _FOR_EVER:
                require_seconds("Limits", name, value)
