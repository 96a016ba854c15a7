"""Whether the server is there, believes the key, allows what a rescue needs, and has our time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onhook.doctor.api_probe import Answer, Outcome
from onhook.doctor.findings import Finding, Kind, Level

__all__ = ["KINDS", "Grant", "judge_clock", "judge_connection", "judge_grants"]

UNREACHABLE = Kind(
    "server.unreachable",
    Level.ERROR,
    "the LiveKit server cannot be reached from here",
    "no agent takes calls from here, and nobody is rescued from here",
    "is it running? Check LIVEKIT_URL, its port, the firewall and HTTPS_PROXY of this host",
)
UNKNOWN_HOST = Kind(
    "server.unknown-host",
    Level.ERROR,
    "the host of `LIVEKIT_URL` has no address",
    "no agent takes calls from here, and nobody is rescued from here",
    "correct the host's name, or this host's DNS",
)
CERTIFICATE = Kind(
    "server.certificate",
    Level.ERROR,
    "the server's certificate is not accepted",
    "no agent takes calls from here, and nobody is rescued from here",
    "renew it, send its whole chain, or install its authority here (SSL_CERT_FILE)",
)
SILENT = Kind(
    "server.silent",
    Level.ERROR,
    "the server takes the connection and does not answer",
    "a rescue waits for it as long as its deadline, while the caller hears nothing",
    "look at the server's load and log, and at its Redis: it answers nothing without that",
)
NO_LIVEKIT = Kind(
    "server.no-livekit",
    Level.ERROR,
    "what answers at `LIVEKIT_URL` is no LiveKit server",
    "no agent reaches the server: callers hear it ring until their carrier gives up",
    "correct LIVEKIT_URL, or let the proxy before the server forward /twirp and /rtc",
)
FAILS = Kind(
    "server.fails",
    Level.ERROR,
    "the server answers with an error of its own",
    "calls are not dispatched, and cannot be released",
    "look at its log, and at the Redis behind it",
)
SLOW = Kind(
    "server.slow",
    Level.WARNING,
    "the server takes long to answer",
    "each step of a rescue takes as long, while the caller hears nothing",
    "look at its load, or run workers and sentinel nearer to it",
)
UNKNOWN_KEY = Kind(
    "key.unknown",
    Level.ERROR,
    "the server does not know the key",
    "no agent takes calls with it, and nobody is rescued",
    "is it the key of this project, at this LIVEKIT_URL? Was it revoked? Set the right one",
)
WRONG_SECRET = Kind(
    "key.secret",
    Level.ERROR,
    "the secret is not the key's",
    "no agent takes calls with it, and nobody is rescued",
    "set LIVEKIT_API_SECRET to the secret that was shown with this key, or make a new key",
)
REFUSED = Kind(
    "key.refused",
    Level.ERROR,
    "the server refuses the key or token",
    "no agent takes calls with it, and nobody is rescued",
    "make a new key for this project, and set LIVEKIT_API_KEY and LIVEKIT_API_SECRET",
)
NO_GRANT = Kind(
    "grant.missing",
    Level.ERROR,
    "the key or token does not allow something that a rescue needs",
    "that step of a rescue is refused",
    "give the token this grant, or set LIVEKIT_API_KEY and LIVEKIT_API_SECRET in its place",
)
CLOCK = Kind(
    "clock.skew",
    Level.WARNING,
    "the clocks of this host and of the server differ",
    "tokens, webhooks and leases count for a minute only: beyond that the server refuses them",
    "set the clock by NTP on both (`timedatectl set-ntp true`)",
)
NO_SIP = Kind(
    "sip.not-connected",
    Level.ERROR,
    "the server has no SIP",
    "no phone call ever comes in or goes out",
    "give livekit-server a `redis.address`, the same as livekit-sip's, and run livekit-sip",
)

KINDS: Sequence[Kind] = (
    *(UNREACHABLE, UNKNOWN_HOST, CERTIFICATE, SILENT, NO_LIVEKIT, FAILS, SLOW),
    *(UNKNOWN_KEY, WRONG_SECRET, REFUSED, NO_GRANT, CLOCK, NO_SIP),
)

_BY_OUTCOME: Mapping[Outcome, Kind] = {
    Outcome.UNREACHABLE: UNREACHABLE,
    Outcome.UNKNOWN_HOST: UNKNOWN_HOST,
    Outcome.BAD_CERTIFICATE: CERTIFICATE,
    Outcome.TIMEOUT: SILENT,
    Outcome.NO_LIVEKIT: NO_LIVEKIT,
    Outcome.FAILED: FAILS,
}
_NOTICED, _REFUSED = 10.0, 55.0
"""Seconds by which clocks may differ; verifiers allow a minute (`auth/verifier.go`)."""
_TIMES = ("not valid yet", "not before", "nbf", "expired", "used before")
_SLOW = 2.5
"""Seconds; a rescue's request has five."""
_NO_SIP = "sip not connected"


@dataclass(frozen=True, slots=True)
class Grant:
    """Something that a rescue needs to be allowed.

    Args:
        name: As LiveKit calls it.
        purpose: What it is needed for.
        answer: What came of asking for it.
    """

    name: str
    purpose: str
    answer: Answer[Any]


def judge_connection(server: str, answer: Answer[Any]) -> Iterator[Finding]:
    """Judge the first request, which lists no room.

    Args:
        server: The server's address.
        answer: What came of it.
    """
    if answer.outcome is Outcome.REFUSED:
        kind = _refusal(answer)
        if kind is None:  # it is about the token's times: the clock's finding says that
            return
        # it repeats the key that it does not know, which may be the secret in the key's place
        words = "" if kind is UNKNOWN_KEY else f": {answer.words}"
        yield kind.found(server, f"{server} refuses LIVEKIT_API_KEY or its secret{words}")
    elif kind := _BY_OUTCOME.get(answer.outcome):
        yield kind.found(server, f"{server}: {answer.words}")


def judge_clock(server: str, answers: Iterable[Answer[Any]]) -> Iterator[Finding]:
    """Judge the clock by the times in the answers, and by what tokens were refused for.

    Args:
        server: The server's address.
        answers: Some answers.
    """
    told = list(answers)
    skews = sorted((each.skew for each in told if each.skew is not None), key=abs)
    refused = [each for each in told if each.outcome is Outcome.REFUSED and _about_time(each)]
    skew = skews[0] if skews else 0.0
    if refused or abs(skew) >= _REFUSED:
        words = f": {refused[0].words}" if refused else ""
        yield CLOCK.found(server, f"{_by(skew)}{words}", level=Level.ERROR)
    elif abs(skew) >= _NOTICED:
        yield CLOCK.found(server, _by(skew))


def judge_grants(server: str, grants: Sequence[Grant]) -> Iterator[Finding]:
    """Judge what is allowed, where the key itself is believed.

    Args:
        server: The server's address.
        grants: What was asked for.
    """
    for grant in grants:
        if _NO_SIP in grant.answer.words:
            continue
        if grant.answer.permitted is False:
            yield NO_GRANT.found(
                grant.name,
                f"{grant.name} is refused: {grant.answer.words}",
                why=f"onhook cannot {grant.purpose}",
            )
        elif kind := _BY_OUTCOME.get(grant.answer.outcome):
            yield kind.found(server, f"asked for {grant.name}: {grant.answer.words}")
    if any(_NO_SIP in grant.answer.words for grant in grants):
        yield NO_SIP.found(server, f"{server} has no SIP: {_NO_SIP}")
    times = sorted(grant.answer.seconds for grant in grants)
    if times and times[len(times) // 2] >= _SLOW:
        yield SLOW.found(server, f"half of the answers took {times[len(times) // 2]:.1f} s or more")


def _refusal(answer: Answer[Any]) -> Kind | None:
    if "invalid API key" in answer.words:
        return UNKNOWN_KEY
    if _about_time(answer):
        return None
    return WRONG_SECRET if "invalid token" in answer.words else REFUSED


def _about_time(answer: Answer[Any]) -> bool:
    return any(word in answer.words for word in _TIMES)


def _by(skew: float) -> str:
    if abs(skew) < 1:
        return "the server takes this host's tokens for those of another time"
    side = "ahead of" if skew > 0 else "behind"
    return f"this host's clock is {abs(skew):.0f} s {side} the server's"
