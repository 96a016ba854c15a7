"""Trunks: who may call, how long it rings, how long a call may last, whose a number is."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence

from livekit.protocol.sip import SIPInboundTrunkInfo, SIPOutboundTrunkInfo

from onhook.doctor.findings import Finding, Kind, Level

__all__ = [
    "KINDS",
    "e164",
    "judge_inbound",
    "judge_outbound",
    "normalized",
    "trunk_label",
]

NO_RINGING = Kind(
    "trunk.ringing-timeout",
    Level.WARNING,
    "an inbound trunk has no ringing time-out, or a long one",
    "a call that no agent takes rings for three minutes, or until the caller gives up",
    "set `ringing_timeout` to 20 to 30 s: a final response comes, and carriers can route onward",
)
SHORT_RINGING = Kind(
    "trunk.ringing-short",
    Level.WARNING,
    "an inbound trunk's ringing time-out is shorter than an agent's start",
    "calls are refused while their agent is still starting",
    "set `ringing_timeout` to 20 to 30 s",
)
NO_LIMIT = Kind(
    "trunk.max-duration",
    Level.WARNING,
    "an inbound trunk has no limit to a call's duration, or one that is hardly one",
    "a line that nobody hangs up is billed for up to 24 hours",
    "set `max_call_duration` to a little more than your longest call, for example 2 h",
)
OPEN = Kind(
    "trunk.open",
    Level.ERROR,
    "an inbound trunk takes calls from everybody, to every number",
    "scanners fill your agents and your bill, and callers find them busy",
    "set `allowed_addresses` to your carrier's, or `auth_username` and `auth_password`",
)
NUMBERS_ALONE = Kind(
    "trunk.numbers-alone",
    Level.NOTE,
    "an inbound trunk is protected by its numbers alone",
    "whoever knows a number and the SIP address can call past the carrier, under any name",
    "set `allowed_addresses` to your carrier's, or `auth_username` and `auth_password`",
)
BAD_ADDRESS = Kind(
    "trunk.address",
    Level.ERROR,
    "an allowed address of an inbound trunk matches nobody, or is left out by livekit",
    "your carrier's calls are not taken; or, where no other address is left, everybody's are",
    "write 203.0.113.7, or 203.0.113.0/24: no scheme, port or white space",
)
HALF_AUTH = Kind(
    "trunk.auth",
    Level.ERROR,
    "a trunk has a user without a password, or a password without a user",
    "calls are refused, or taken without any check",
    "set both `auth_username` and `auth_password`, or neither",
)
NUMBER_FORMAT = Kind(
    "trunk.number-format",
    Level.WARNING,
    "a number of a trunk is not written as E.164",
    "calls to it, or from it, may match no trunk: the caller hears it ring, or the carrier refuses",
    "write + and the country: +15550100",
)
DUPLICATE = Kind(
    "trunk.duplicate-number",
    Level.ERROR,
    "a number is on several inbound trunks",
    "livekit refuses the call, or its trunk is a matter of chance, and with it who answers",
    "leave the number on one trunk, or tell the trunks apart by `allowed_numbers`",
)
SEVERAL_DEFAULTS = Kind(
    "trunk.several-defaults",
    Level.ERROR,
    "several inbound trunks have no numbers",
    "a call to a number of none matches them all, and is refused",
    "keep one trunk without numbers",
)
CARRIER_ADDRESS = Kind(
    "outbound.address",
    Level.ERROR,
    "an outbound trunk's address is none",
    "no call goes out by it: an agent that dials, or a fallback, reaches nobody",
    "write the carrier's host alone, or HOST:PORT",
)

KINDS: Sequence[Kind] = (
    *(NO_RINGING, SHORT_RINGING, NO_LIMIT, OPEN, NUMBERS_ALONE, BAD_ADDRESS, HALF_AUTH),
    *(NUMBER_FORMAT, DUPLICATE, SEVERAL_DEFAULTS, CARRIER_ADDRESS),
)

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_NUMBER = re.compile(r"\+?[\d\- ()]+")
"""What livekit takes for a number, and compares without its separators (`livekit/sip.go`)."""
_SEPARATORS = str.maketrans("", "", "- ()")
_HOST = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?"
)
_ADDRESS = re.compile(
    r"(?:\[(?P<inner>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:\[\]]+))(?::(?P<port>\d{1,5}))?"
)
_LONG_RINGING, _SHORT_RINGING = 60.0, 5.0
_LONG_CALL = 12 * 3600.0


def e164(number: str) -> bool:
    """Return whether a number is written as E.164, or is a wildcard or an extension by name."""
    return bool(_E164.fullmatch(number)) or not re.search(r"\d", number)


def normalized(number: str) -> str:
    """Return a number as livekit compares it (`NormalizeNumber` in livekit-protocol)."""
    if not _NUMBER.fullmatch(number):
        return number
    return "+" + number.translate(_SEPARATORS).lstrip("+")


def trunk_label(trunk: SIPInboundTrunkInfo | SIPOutboundTrunkInfo) -> str:
    """Name a trunk for people."""
    return f"trunk {trunk.name!r} ({trunk.sip_trunk_id})" if trunk.name else trunk.sip_trunk_id


def judge_inbound(
    trunks: Sequence[SIPInboundTrunkInfo], *, refusing: Iterable[str] = ()
) -> Iterator[Finding]:
    """Judge the trunks of calls that come in.

    Args:
        trunks: All of them.
        refusing: The ids of those that exist to refuse calls; see `onhook.doctor.rules`.
    """
    refused = frozenset(refusing)
    for trunk in trunks:
        yield from _limits(trunk, refuses=trunk.sip_trunk_id in refused)
        yield from _access(trunk)
        yield from _formats(trunk)
    yield from _duplicates(trunks)


def judge_outbound(trunks: Sequence[SIPOutboundTrunkInfo]) -> Iterator[Finding]:
    """Judge the trunks of calls that go out.

    Args:
        trunks: All of them.
    """
    for trunk in trunks:
        label = trunk_label(trunk)
        if not _is_host(trunk.address):
            yield CARRIER_ADDRESS.found(label, f"{label} leads to {trunk.address!r}")
        if bool(trunk.auth_username) < bool(trunk.auth_password):
            yield HALF_AUTH.found(label, f"{label} has a password, and no user")
        yield from _formats(trunk)


def _limits(trunk: SIPInboundTrunkInfo, *, refuses: bool) -> Iterator[Finding]:
    label = trunk_label(trunk)
    ringing = trunk.ringing_timeout.ToTimedelta().total_seconds()
    if ringing <= 0:
        yield NO_RINGING.found(label, f"{label} has no ringing_timeout")
    elif ringing > _LONG_RINGING:
        yield NO_RINGING.found(label, f"{label} rings for {ringing:g} s")
    elif ringing < _SHORT_RINGING and not refuses:
        yield SHORT_RINGING.found(label, f"{label} rings for {ringing:g} s")
    longest = trunk.max_call_duration.ToTimedelta().total_seconds()
    if longest <= 0 and not refuses:
        yield NO_LIMIT.found(label, f"{label} has no max_call_duration")
    elif longest > _LONG_CALL:
        yield NO_LIMIT.found(label, f"{label} lets a call last {longest / 3600:g} h")


def _access(trunk: SIPInboundTrunkInfo) -> Iterator[Finding]:
    label = trunk_label(trunk)
    user, password = bool(trunk.auth_username), bool(trunk.auth_password)
    if password and not user:
        yield HALF_AUTH.found(label, f"{label} has a password, and no user")
    wrong = [each for each in trunk.allowed_addresses if not _matches_somebody(each)]
    for address in wrong:
        yield BAD_ADDRESS.found(label, f"{label} allows {address!r}, which is nobody's address")
    # masks that livekit cannot read are left out; with none left, all are allowed
    kept = [each for each in trunk.allowed_addresses if _is_read(each)]
    limited = bool(kept) and not any(map(_is_everybody, kept))
    if limited or user:
        return
    if not trunk.numbers:
        callers = " from some numbers" if trunk.allowed_numbers else ""
        yield OPEN.found(label, f"{label} takes calls{callers} to every number, from any address")
    else:
        yield NUMBERS_ALONE.found(label, f"{label} takes calls to its numbers from any address")


def _is_read(mask: str) -> bool:
    """Return whether livekit keeps an address (`isValidMask` in livekit-protocol `sip/sip.go`)."""
    return not re.search(r"[()+*;,\s]|://", mask)


def _matches_somebody(mask: str) -> bool:
    """Return whether an address can match: an address, a network, or the name in a From."""
    if not _is_read(mask):
        return False
    try:
        ipaddress.ip_network(mask.strip("[]"), strict=False)
    except ValueError:
        return "/" not in mask and not _is_numeric(mask) and bool(_HOST.fullmatch(mask))
    return "[" not in mask


def _is_numeric(text: str) -> bool:
    return bool(re.fullmatch(r"[\d.:]+", text))


def _is_everybody(mask: str) -> bool:
    try:
        return ipaddress.ip_network(mask, strict=False).prefixlen == 0
    except ValueError:
        return False


def _is_host(address: str) -> bool:
    found = _ADDRESS.fullmatch(address)
    if found is None or (found["port"] and not 0 < int(found["port"]) < 65536):
        return False
    host = found["inner"] or found["host"]
    if found["inner"] or _is_numeric(host):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return True
    return bool(_HOST.fullmatch(host))


def _formats(trunk: SIPInboundTrunkInfo | SIPOutboundTrunkInfo) -> Iterator[Finding]:
    label = trunk_label(trunk)
    for number in dict.fromkeys(trunk.numbers):
        if not e164(number):
            yield NUMBER_FORMAT.found(label, f"{label} has the number {number!r}")


def _duplicates(trunks: Sequence[SIPInboundTrunkInfo]) -> Iterator[Finding]:
    by_number: dict[str, list[SIPInboundTrunkInfo]] = {}
    for trunk in trunks:
        for number in {normalized(each) for each in trunk.numbers} or {""}:
            by_number.setdefault(number, []).append(trunk)
    for number, having in sorted(by_number.items()):
        shared = [trunk for trunk in having if _overlaps(trunk, having)]
        if len(shared) < 2:
            continue
        labels = " and ".join(trunk_label(trunk) for trunk in shared)
        if number:
            yield DUPLICATE.found(labels, f"{number} is on {labels}")
        else:
            yield SEVERAL_DEFAULTS.found(labels, f"{labels} have no numbers")


def _overlaps(trunk: SIPInboundTrunkInfo, others: Sequence[SIPInboundTrunkInfo]) -> bool:
    """Return whether a caller of one trunk could be another's, by `allowed_numbers`."""
    mine = {normalized(each) for each in trunk.allowed_numbers}
    for other in others:
        theirs = {normalized(each) for each in other.allowed_numbers}
        if other is not trunk and (bool(mine) == bool(theirs)) and (not mine or mine & theirs):
            return True
    return False
