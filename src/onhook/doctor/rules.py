"""Dispatch rules: whether each number leads to an agent, and only to the one that was meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from livekit.protocol.sip import SIPDispatchRuleInfo, SIPInboundTrunkInfo

from onhook.doctor.findings import Finding, Kind, Level
from onhook.doctor.trunks import e164, normalized, trunk_label

__all__ = ["KINDS", "agents_of", "judge_rules", "refusing_trunks", "rule_label"]

NO_TRUNK = Kind(
    "trunk.none",
    Level.WARNING,
    "there is no inbound trunk",
    "ringing time-outs, limits and allowed addresses do not exist; strangers' calls are like yours",
    "make a trunk for each carrier, with your numbers: `lk sip inbound create`",
)
NO_RULE = Kind(
    "trunk.no-rule",
    Level.ERROR,
    "no dispatch rule takes a trunk's calls",
    "livekit-sip drops the call without an answer: it rings until the carrier gives up",
    "make a dispatch rule with this trunk in `trunk_ids`: `lk sip dispatch create`",
)
ANY_TRUNK = Kind(
    "rule.any-trunk",
    Level.WARNING,
    "a dispatch rule is open to any trunk, and to calls of none",
    "SIP scanners become rooms with an agent that speaks to them, without a ringing time-out",
    "name the trunks in `trunk_ids`, or ask for a PIN",
)
MISSING_TRUNK = Kind(
    "rule.missing-trunk",
    Level.ERROR,
    "a dispatch rule names a trunk that does not exist",
    "calls by the trunk that was meant ring until the carrier gives up",
    "name the trunk's present id: `lk sip inbound list`",
)
NO_AGENT = Kind(
    "rule.no-agent",
    Level.WARNING,
    "a dispatch rule sends no agent",
    "workers with an `agent_name` are never asked: the caller hears it ring, and nobody comes",
    "put the agent into the rule's `dispatch_rule.room_config.agents`; a `room_config` beside "
    "`dispatch_rule` in the same request is ignored",
)
SPELLING = Kind(
    "rule.agent-spelling",
    Level.ERROR,
    "an agent's name in a dispatch rule has white space around it",
    "no worker has that name: the caller hears it ring, and nobody comes",
    "write the name as in the worker's `agent_name`",
)
TWICE = Kind(
    "rule.agent-twice",
    Level.WARNING,
    "a dispatch rule sends the same agent more than once",
    "two agents speak at the same time",
    "leave it in `room_config.agents` once",
)
RULE_NUMBER = Kind(
    "rule.number",
    Level.ERROR,
    "a number of a dispatch rule is spelled so that it matches no call",
    "the rule is never chosen: the call rings until the carrier gives up, or another agent comes",
    "write it exactly as the trunk's, as E.164: rules compare letter by letter",
)
PRESET = Kind(
    "rule.preset",
    Level.NOTE,
    "a dispatch rule leaves its agents to a room preset of the server's",
    "whether an agent comes is decided by the server's configuration, which nobody can ask for",
    "check `room.room_configurations` of the server, or name the agents in the rule",
)
SHARED_ROOM = Kind(
    "rule.shared-room",
    Level.NOTE,
    "a dispatch rule puts all its callers into one room",
    "callers who call at the same time hear each other, and two with the same number "
    "take each other's place",
    "unless it is a conference: use `dispatch_rule_individual`",
)

KINDS: Sequence[Kind] = (
    *(NO_TRUNK, NO_RULE, ANY_TRUNK, MISSING_TRUNK, NO_AGENT, SPELLING, TWICE),
    *(RULE_NUMBER, PRESET, SHARED_ROOM),
)


def rule_label(rule: SIPDispatchRuleInfo) -> str:
    """Name a rule for people."""
    key = rule.sip_dispatch_rule_id
    return f"rule {rule.name!r} ({key})" if rule.name else key


def agents_of(rules: Sequence[SIPDispatchRuleInfo]) -> Sequence[str]:
    """Return the names of the agents that rules send, each once."""
    return tuple(
        dict.fromkeys(
            agent.agent_name
            for rule in rules
            for agent in rule.room_config.agents
            if agent.agent_name
        )
    )


def refusing_trunks(
    trunks: Sequence[SIPInboundTrunkInfo], rules: Sequence[SIPDispatchRuleInfo]
) -> frozenset[str]:
    """Return the trunks that give a final response to calls of no other trunk, and nothing else.

    Without them such a call rings on: livekit-sip drops what no rule takes without an answer. They
    have no numbers, and rules of their own that send nobody.

    Args:
        trunks: The inbound trunks.
        rules: All rules.
    """
    return frozenset(
        trunk.sip_trunk_id
        for trunk in trunks
        if not trunk.numbers
        and (own := [rule for rule in rules if trunk.sip_trunk_id in rule.trunk_ids])
        and not any(map(_sends, own))
    )


def judge_rules(
    trunks: Sequence[SIPInboundTrunkInfo],
    rules: Sequence[SIPDispatchRuleInfo],
    *,
    explicit: bool = False,
) -> Iterator[Finding]:
    """Judge where calls go.

    Args:
        trunks: The inbound trunks.
        rules: All rules.
        explicit: Whether agents are known to have names; rules that name some tell it too.
    """
    if rules and not trunks:
        yield NO_TRUNK.found(
            "inbound trunks", f"there are {len(rules)} rules, and no inbound trunk"
        )
    known = {trunk.sip_trunk_id for trunk in trunks}
    refusing = refusing_trunks(trunks, rules)
    named = explicit or bool(agents_of(rules))
    for rule in rules:
        yield from _reach(rule, known)
        yield from _numbers(rule, trunks)
        yield from _agents(rule, refusing, explicit=named)
        shared = rule.rule.HasField("dispatch_rule_direct") and not _pin(rule)
        if shared and _sends(rule):
            label = rule_label(rule)
            yield SHARED_ROOM.found(label, f"{label} has one room for all callers")
    for trunk in trunks:
        yield from _untaken(trunk, rules)


def _reach(rule: SIPDispatchRuleInfo, known: Collection[str]) -> Iterator[Finding]:
    label = rule_label(rule)
    if not rule.trunk_ids and not _pin(rule):
        yield ANY_TRUNK.found(label, f"{label} has no trunk_ids")
    gone = [key for key in rule.trunk_ids if key not in known]
    if gone:
        yield MISSING_TRUNK.found(label, f"{label} names {', '.join(gone)}, which does not exist")


def _agents(
    rule: SIPDispatchRuleInfo, refusing: Collection[str], *, explicit: bool
) -> Iterator[Finding]:
    label = rule_label(rule)
    names = [agent.agent_name for agent in rule.room_config.agents]
    for name in dict.fromkeys(names):
        if name != name.strip():
            yield SPELLING.found(label, f"{label} sends {name!r}")
    for name, count in Counter(names).items():
        if count > 1:
            yield TWICE.found(label, f"{label} sends {name!r} {count} times")
    if names or (rule.trunk_ids and set(rule.trunk_ids) <= set(refusing)):
        return
    if rule.room_preset:
        yield PRESET.found(label, f"{label} has the preset {rule.room_preset!r}, and no agents")
        return
    # with other rules that name agents, the workers are named: none comes by itself
    level = Level.ERROR if explicit else None
    yield NO_AGENT.found(label, f"{label} has no agents in its room_config", level=level)


def _numbers(rule: SIPDispatchRuleInfo, trunks: Sequence[SIPInboundTrunkInfo]) -> Iterator[Finding]:
    """Rules compare numbers letter by letter, trunks do not (livekit-protocol `sip/sip.go`)."""
    label = rule_label(rule)
    own = [t for t in trunks if not rule.trunk_ids or t.sip_trunk_id in rule.trunk_ids]
    spelled = {number for trunk in own for number in trunk.numbers}
    keys = {normalized(number): number for number in spelled}
    for number in rule.numbers:
        there = keys.get(normalized(number), "")
        if not e164(number):
            yield RULE_NUMBER.found(label, f"{label} is for {number!r}, which is no E.164")
        elif keys and not there and all(trunk.numbers for trunk in own):
            yield RULE_NUMBER.found(
                label,
                f"{label} is for {number!r}, which none of its trunks has",
                mend="add the number to the trunk, or correct it in the rule",
            )
    for number in rule.inbound_numbers:
        if not e164(number):
            yield RULE_NUMBER.found(label, f"{label} is for callers {number!r}, which is no E.164")


def _untaken(trunk: SIPInboundTrunkInfo, rules: Sequence[SIPDispatchRuleInfo]) -> Iterator[Finding]:
    label = trunk_label(trunk)
    taking = [r for r in rules if not r.trunk_ids or trunk.sip_trunk_id in r.trunk_ids]
    if not taking:
        yield NO_RULE.found(label, f"no rule takes the calls of {label}")
        return
    open_ = [rule for rule in taking if not rule.inbound_numbers]
    if not open_ or any(not rule.numbers for rule in open_):
        return  # rules for some callers alone are meant so
    ruled = {normalized(number) for rule in open_ for number in rule.numbers}
    for number in trunk.numbers:
        if normalized(number) not in ruled:
            yield NO_RULE.found(
                label,
                f"no rule takes the calls of {label} to {number}",
                mend="name the number in a rule's `numbers`, or leave that empty for all of them",
            )


def _pin(rule: SIPDispatchRuleInfo) -> str:
    kind = rule.rule.WhichOneof("rule")
    return getattr(rule.rule, kind).pin if kind else ""


def _sends(rule: SIPDispatchRuleInfo) -> bool:
    return bool(rule.room_config.agents or rule.room_preset)
