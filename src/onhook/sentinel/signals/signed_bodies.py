"""Requests whose body is signed: a JWT of the LiveKit API secret with the body's hash in it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import jwt
import msgspec
from jwt.utils import base64url_decode

from onhook.errors import ConfigurationError
from onhook.sentinel.signals.refusals import Reason, RefusedError

__all__ = ["SignedBodies", "Token"]

_LONGEST_TOKEN = 8_192
"""Characters. One of livekit-server's has about 350."""
_BEARER = "bearer "
_ALGORITHMS = ["HS256"]
"""The only one that LiveKit signs with (livekit-protocol `auth/verifier.go`); never `none`."""
_NO_TOKEN = (jwt.PyJWTError, msgspec.MsgspecError, ValueError, IndexError, RecursionError)
"""Raised where something else is read as a token."""


class _Claims(msgspec.Struct, frozen=True):
    iss: str = ""
    exp: float | None = None
    nbf: float | None = None
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A token whose signature and times are good.

    Args:
        sha256: Hash of the body that was signed, in base64.
        expires: When it stops counting, in seconds since 1970 by the signer's clock.
        signature: Its last part, in hexadecimal: no two tokens have the same, while one signature
            can be written in base64 in several ways.
    """

    sha256: str
    expires: float
    signature: str


class SignedBodies:
    """Verifies tokens and bodies, with any of several keys: while keys are rotated both count.

    `livekit.api.WebhookReceiver` is not used. It knows one key, wants the body as text (it is
    bytes that were signed), compares the hashes with `!=`, knows neither age nor size nor
    repetition, and raises a bare `Exception`. The signature itself is PyJWT's in both, and compared
    in constant time there. Tokens are checked before a body is read: who has no key of ours costs
    one HMAC.

    Args:
        keys: API key → secret.
        tolerance: Seconds by which the signer's clock and ours may differ; LiveKit's own verifiers
            allow the same minute.
        max_age: Seconds for which a token counts after it was signed, whatever it says itself.

    Raises:
        ConfigurationError: There is no key, or one without a secret.
    """

    def __init__(
        self, keys: Mapping[str, str], *, tolerance: float = 60.0, max_age: float = 300.0
    ) -> None:
        if not keys or not all(key and secret for key, secret in keys.items()):
            raise ConfigurationError(
                "webhooks and leases are signed with the LiveKit API key, and there is "
                f"{'one without a secret' if keys else 'none'}: "
                "set LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
            )
        self._secrets = {key: secret.encode() for key, secret in keys.items()}
        self._tolerance = tolerance
        self._max_age = max_age
        self._jws = jwt.PyJWS()
        self.signed_at: dict[str, float | None] = dict.fromkeys(keys)
        """When each key last signed a good token, in seconds since 1970: one that signs none any
        more need not be believed any more."""

    def token(self, header: str | None, now: float) -> Token:
        """Verify the `Authorization` header.

        Args:
            header: The raw token, as livekit-server sends it, or `Bearer` and the token.
            now: Seconds since 1970.

        Raises:
            RefusedError: It is forged, stale, oversized or malformed.
        """
        if not header:
            _refuse(Reason.FORGED, "it has no Authorization header")
        if len(header) > _LONGEST_TOKEN:
            _refuse(Reason.OVERSIZED, f"its token is longer than {_LONGEST_TOKEN} characters")
        raw = header.strip()
        if raw[: len(_BEARER)].lower() == _BEARER:
            raw = raw[len(_BEARER) :].strip()
        claims, signature = self._verified(raw)
        if claims.exp is None:
            _refuse(Reason.MALFORMED, "its token never expires")
        self._check_times(claims.exp, claims.nbf, now)
        self.signed_at[claims.iss] = now
        return Token(claims.sha256, claims.exp, signature.hex())

    def check(self, token: Token, body: bytes) -> None:
        """Verify that a body is the one that was signed.

        Args:
            token: Its token.
            body: As it came, byte for byte.

        Raises:
            RefusedError: It is another one.
        """
        digest = base64.b64encode(hashlib.sha256(body).digest())
        if not hmac.compare_digest(digest, token.sha256.encode()):
            _refuse(
                Reason.FORGED,
                "its body is not the one that was signed. A proxy between LiveKit and here must "
                "not change it"
                if token.sha256
                else "its token signs no body: it is a token for something else",
            )

    def _verified(self, raw: str) -> tuple[_Claims, bytes]:
        try:
            # whose it is must be known to verify it; nothing else of this reading is used. PyJWT's
            # own, without a signature, takes almost as long as to verify it
            issuer = _decoded(base64url_decode(raw.split(".")[1])).iss
            secret = self._secrets.get(issuer)
            if secret is None:
                _refuse(
                    Reason.FORGED,
                    f"it is signed with the API key {issuer[:7]!r}..., which is none of ours. "
                    "livekit-server signs with `webhook.api_key` of its configuration",
                )
            parts = self._jws.decode_complete(raw, secret, algorithms=_ALGORITHMS)
            return _decoded(parts["payload"]), parts["signature"]
        except jwt.InvalidSignatureError:
            _refuse(Reason.FORGED, "its signature is not one of our API secret")
        except jwt.InvalidAlgorithmError:
            _refuse(Reason.FORGED, f"it is not signed by {_ALGORITHMS[0]}")
        except _NO_TOKEN as error:
            raise RefusedError(Reason.MALFORMED, "its Authorization header is no JWT") from error

    def _check_times(self, expires: float, not_before: float | None, now: float) -> None:
        clocks = "Are the clocks of LiveKit's host and of this one right?"
        if expires + self._tolerance < now:
            _refuse(Reason.STALE, f"its token expired {now - expires:.0f} s ago. {clocks}")
        if not_before is None:
            return
        age = now - not_before
        if age < -self._tolerance:
            _refuse(Reason.STALE, f"its token counts only {-age:.0f} s from now on. {clocks}")
        if age > self._max_age + self._tolerance:
            _refuse(Reason.STALE, f"its token was signed {age:.0f} s ago. {clocks}")


def _decoded(payload: bytes) -> _Claims:
    return msgspec.json.decode(payload, type=_Claims)


def _refuse(reason: Reason, detail: str) -> NoReturn:
    raise RefusedError(reason, detail)
