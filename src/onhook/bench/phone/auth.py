"""Digest authentication, as SIP trunks ask for it (RFC 3261, section 22; RFC 7616)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from urllib.request import parse_http_list, parse_keqv_list

from sipmessage import AuthCredentials, AuthParameters, CSeq, Request, Response, Via

from onhook.bench.phone.message import token
from onhook.bench.phone.phone_errors import PhoneError

__all__ = ["Credentials", "authorize"]

_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_COUNT = "00000001"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are, for a server that asks.

    Args:
        username: The user.
        password: The secret; never shown.
    """

    username: str
    password: str = field(repr=False)


def authorize(request: Request, refusal: Response, credentials: Credentials) -> Request:
    """Return the request again, with the answer to the challenge of a 401 or 407.

    Raises:
        PhoneError: The server asks for what we cannot do.
    """
    kind = "Proxy-Authenticate" if refusal.code == 407 else "WWW-Authenticate"
    scheme, _, parameters = (refusal.headers.get(kind) or "").partition(" ")
    challenge = parse_keqv_list(parse_http_list(parameters))
    algorithm = challenge.get("algorithm", "MD5").upper()
    offered = [quality.strip() for quality in challenge.get("qop", "").split(",")]
    if scheme.lower() != "digest" or algorithm not in _HASHES or "nonce" not in challenge:
        raise PhoneError(
            f"the server wants an authentication that we do not know: {scheme} {parameters}"
        )
    answer = {
        "username": credentials.username,
        "realm": challenge.get("realm", ""),
        "nonce": challenge["nonce"],
        "uri": str(request.uri),
        "algorithm": algorithm,
    }
    if "auth" in offered:
        answer |= {"qop": "auth", "nc": _COUNT, "cnonce": token()}
    if "opaque" in challenge:
        answer["opaque"] = challenge["opaque"]
    answer["response"] = _response(answer, request.method, credentials.password)
    again = _repeat(request)
    name = "Proxy-Authorization" if refusal.code == 407 else "Authorization"
    again.headers.set(name, str(AuthCredentials("Digest", AuthParameters(**answer))))
    return again


def _response(answer: dict[str, str], method: str, password: str) -> str:
    """Return the proof of RFC 7616, section 3.4.1."""

    def digest(*parts: str) -> str:
        return _HASHES[answer["algorithm"]](":".join(parts).encode()).hexdigest()

    who = digest(answer["username"], answer["realm"], password)
    what = digest(method, answer["uri"])
    if "qop" in answer:
        return digest(who, answer["nonce"], answer["nc"], answer["cnonce"], "auth", what)
    return digest(who, answer["nonce"], what)


def _repeat(request: Request) -> Request:
    """Return the same request as a new transaction (RFC 3261, section 22.2)."""
    again = Request(request.method, request.uri, request.body)
    for name in list(request.headers.keys()):
        again.headers.setlist(name, list(request.headers.getlist(name)))
    again.cseq = CSeq(request.cseq.sequence + 1, request.method)
    via = Via.parse(request.headers["Via"])
    branch = f"z9hG4bK{token()}"
    again.headers.set("Via", f"SIP/2.0/{via.transport} {via.host}:{via.port};branch={branch};rport")
    return again
