"""Which plan is for a call: that of the most specific rule, with the ladder that the call brings.

Pure, without clock or I/O; `plans_file` reads the rules from a file.
"""

from __future__ import annotations

import functools
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from onhook.errors import LadderError
from onhook.ladder import Ladder
from onhook.outages import Outage, number_key
from onhook.policy import Policy
from onhook.rungs import APOLOGY, ONE_MOMENT, HangUp, Say, Transfer
from onhook.sentinel.call_key import CallKey, Match, tags_of
from onhook.sentinel.limits import Limits

__all__ = ["CallKey", "Match", "Plan", "Plans", "Rule", "built_ladder", "tags_of"]

Mode: TypeAlias = Literal["act", "observe"]

logger = logging.getLogger("onhook")

_LONGEST_LADDER = 16_384
"""Characters of a ladder that a call brings; a guard sends none above 4 KB."""
_LIMITS = Limits()


def built_ladder(address: str = "", text: str = "", audio: str | None = None) -> Ladder:
    """Return the ladder for calls of which only the fallback is known.

    Words come first: only an answered line can be transferred, and a release while it rings
    reaches the carrier as 486, on which most do not fail over. Who cannot be transferred is told.

    Args:
        address: A `tel:` or `sip:` address; empty where nobody else can answer.
        text: The words; when omitted "One moment please." before a transfer, else the apology.
        audio: A WAV file to play in their place.
    """
    if not address:
        return Ladder((Say(text or APOLOGY, audio=audio), HangUp()))
    words = Say(text or ONE_MOMENT, audio=audio)
    return Ladder((words, Transfer(address), Say(APOLOGY), HangUp()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is done for a call, and after how long.

    Args:
        name: The rule that it is of, for the log.
        ladder: The rungs; it ends the call.
        fallback: The address of who answers in the place of the agents; empty for nobody.
        text: The words of a ladder that is built; see `built_ladder`.
        audio: A WAV file with them.
        mode: Whether anything is done.
        ringing: What to do with a line that rings: speak, which answers it, or release it.
        agent: The agent's name for a second dispatch; empty for that of the first one.
        limits: How long things may last.
    """

    name: str = "default"
    ladder: Ladder = field(default_factory=built_ladder)
    fallback: str = ""
    text: str = ""
    audio: str | None = None
    mode: Mode = "act"
    ringing: Literal["say", "reject"] = "say"
    agent: str = ""
    limits: Limits = _LIMITS

    def __post_init__(self) -> None:
        if self.limits.absent is None:  # no agent is expected, and none is sent
            object.__setattr__(self, "limits", replace(self.limits, second_dispatch=None))

    @property
    def second_dispatch(self) -> float | None:
        """Seconds after which a line that rings gets a second dispatch; `None` for never."""
        return self.limits.second_dispatch

    @property
    def policy(self) -> Policy:
        """The plan as the engine reads it."""
        return Policy(
            lost=self.ladder, max_call=self.limits.max_call, ringing=self.ringing, watchdog="off"
        )

    def in_outage(self, outage: Outage) -> Plan:
        """Return the plan for a call that comes while an outage is on.

        It goes to the outage's fallback, else the plan's; where there is none, it is told so and
        released. No other agent is sent.
        """
        address = outage.fallback or self.fallback
        return replace(
            self,
            name=f"{self.name}, outage of {outage.what}",
            ladder=built_ladder(address, self.text, self.audio),
            fallback=address,
            ringing="say",
            limits=replace(self.limits, second_dispatch=None),
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """A plan, and the calls that it is for."""

    match: Match
    plan: Plan


@dataclass(frozen=True, slots=True)
class Plans:
    """All plans. The order of the rules does not matter.

    Args:
        default: For calls that no rule is for.
        rules: No two are for the same calls.
    """

    default: Plan = field(default_factory=Plan)
    rules: tuple[Rule, ...] = ()
    _by_number: dict[str, list[Rule]] = field(init=False, repr=False, compare=False)
    _by_trunk: dict[str, list[Rule]] = field(init=False, repr=False, compare=False)
    _others: list[Rule] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_number: dict[str, list[Rule]] = defaultdict(list)
        by_trunk: dict[str, list[Rule]] = defaultdict(list)
        others: list[Rule] = []
        for rule in sorted(self.rules, key=lambda rule: rule.match.order):
            if rule.match.number:
                by_number[rule.match.number].append(rule)
            elif rule.match.trunk:
                by_trunk[rule.match.trunk].append(rule)
            else:
                others.append(rule)
        object.__setattr__(self, "_by_number", dict(by_number))
        object.__setattr__(self, "_by_trunk", dict(by_trunk))
        object.__setattr__(self, "_others", others)

    def for_call(self, key: CallKey) -> Plan:
        """Return the plan for a call.

        Args:
            key: The call. A ladder that it brings takes the place of the plan's; one that cannot
                be read is logged once, and left.
        """
        plan = next((r.plan for r in self._likely(key) if r.match.holds(key)), self.default)
        travelled = _travelled(key.ladder) if key.ladder else None
        return plan if travelled is None else replace(plan, ladder=travelled)

    def _likely(self, key: CallKey) -> Iterator[Rule]:
        """Return the rules that may be for a call, the most specific first."""
        buckets: Iterable[Iterable[Rule]] = (
            self._by_number.get(number_key(key.number), ()) if key.number else (),
            self._by_trunk.get(key.trunk, ()) if key.trunk else (),
            self._others,
        )
        for bucket in buckets:
            yield from bucket


@functools.lru_cache(maxsize=512)
def _travelled(text: str) -> Ladder | None:
    try:
        if len(text) > _LONGEST_LADDER:
            raise LadderError(f"it has {len(text)} characters")  # noqa: TRY301 - one way to log
        return Ladder.from_json(text).ended_by(HangUp())
    except LadderError as error:
        logger.warning("a ladder that came with a call is left, the plan's is climbed: %s", error)
        return None
