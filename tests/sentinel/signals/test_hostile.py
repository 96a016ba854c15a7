"""Whatever is sent, it is refused with a reason, or understood: nothing else comes out."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onhook.sentinel.signals.leases import Leases
from onhook.sentinel.signals.refusals import Reason, RefusedError
from onhook.sentinel.signals.signed_bodies import SignedBodies
from onhook.sentinel.signals.webhooks import Webhooks
from tests.sentinel.signals.events import KEY, SECRET, event, lease, lease_token, signed

KEYS = SignedBodies({KEY: SECRET})
FIELDS = ("room", "participant", "track", "job", "id", "createdAt")
NAMES = ["room_started", "participant_joined", "participant_left", "track_published", "x"]

words = st.sampled_from(
    ["name", "sid", "identity", "kind", "state", "attributes", "tracks", "permission", "version",
     "joinedAt", "metadata", "creationTime", "creation_time_ms", "disconnectReason", "type"]
) | st.text(max_size=6)  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


def encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


def assembled(header: bytes, payload: bytes, secret: str = SECRET) -> str:
    """Sign parts that no library would."""
    content = encoded(header) + b"." + encoded(payload)
    digest = hmac.new(secret.encode(), content, hashlib.sha256).digest()
    return (content + b"." + encoded(digest)).decode()


@settings(max_examples=80, deadline=None)
@given(st.text() | st.binary().map(lambda b: b.decode("latin-1")))
def test_any_header_is_refused(header: str) -> None:
    with pytest.raises(RefusedError):
        KEYS.token(header, 0.0)


@pytest.mark.parametrize("deep", [b"[" * 3000, b'{"a":' * 1000, b"[" * 3000 + b"]" * 3000])
def test_a_token_of_a_thousand_brackets_is_malformed(deep: bytes) -> None:
    good = b'{"alg":"HS256","typ":"JWT"}'
    ours = json.dumps({"iss": KEY}).encode()
    for token in (assembled(deep, ours), assembled(good, deep), assembled(good, b"\xff")):
        with pytest.raises(RefusedError) as caught:
            KEYS.token(token, 0.0)
        assert caught.value.reason in (Reason.MALFORMED, Reason.OVERSIZED)


@settings(max_examples=80, deadline=None)
@given(
    st.fixed_dictionaries(
        {"iss": st.just(KEY)},
        optional=dict.fromkeys(("exp", "nbf", "iat", "sha256", "sub", "video"), anything),
    )
)
def test_any_signed_claims_are_refused_or_understood(claims: dict[str, Any]) -> None:
    token = assembled(b'{"alg":"HS256"}', json.dumps(claims).encode())
    with contextlib.suppress(RefusedError):
        KEYS.check(KEYS.token(token, 0.0), b"body")
        pytest.fail("nobody has signed this body")


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("room", "participant", "track", "job", "id", "createdAt"), anything
        ),
    ),
)
def test_any_signed_event_is_refused_or_understood(name: str, fields: dict[str, Any]) -> None:
    body = event(name, **fields)
    webhooks = Webhooks(KEYS)
    with contextlib.suppress(RefusedError):
        webhooks.receive(webhooks.token(signed(body)), body)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60) | anything.map(lambda x: json.dumps(x).encode()))
def test_any_signed_body_is_refused_or_understood(body: bytes) -> None:
    webhooks, leases = Webhooks(KEYS), Leases(KEYS)
    for verifier, token in ((webhooks, signed(body)), (leases, lease_token(body))):
        with contextlib.suppress(RefusedError):
            verifier.receive(verifier.token(token), body)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["host", "ttl", "jobs"]), anything))
def test_any_signed_lease_is_refused_or_understood(fields: dict[str, Any]) -> None:
    body = lease("r", **fields)
    leases = Leases(KEYS)
    with contextlib.suppress(RefusedError):
        leases.receive(leases.token(lease_token(body)), body)
