"""Webhooks and leases as LiveKit and a watchdog send them, signed as they sign them."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import time
from typing import Any

import jwt
from livekit import api

KEY, SECRET = "APIkey", "a-secret-of-at-least-thirty-two-characters"
NEXT_KEY, NEXT_SECRET = "APInext", "another-secret-of-thirty-two-characters-or-more"
ROOM = {"sid": "RM_1", "name": "call-1", "creationTime": "1764000000", "numParticipants": 1}
SIP = {
    "sid": "PA_1",
    "identity": "sip_1",
    "state": "ACTIVE",
    "version": 3,
    "joinedAt": "1764000001",
    "joinedAtMs": "1764000001250",
    "kind": "SIP",
    "permission": {"canPublish": True, "canSubscribe": True},
    "attributes": {"sip.callID": "SCL_1", "sip.callStatus": "ringing", "mood": "good"},
}


def event(name: str, number: int = 1, **fields: Any) -> bytes:
    """Write an event of now, of the room and the caller where nothing else is given."""
    whole: dict[str, Any] = {
        "event": name,
        "id": f"EV_{number}",
        "createdAt": str(int(time.time())),
        "room": ROOM,
        **({"participant": SIP} if name.startswith(("participant", "track")) else {}),
        **fields,
    }
    return json.dumps({k: v for k, v in whole.items() if v is not None}).encode()


def signed(body: bytes, key: str = KEY, secret: str = SECRET, **claims: Any) -> str:
    """Sign a body as livekit-server does (livekit-protocol `webhook/resource_url_notifier.go`)."""
    now = int(time.time())
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    whole = {"iss": key, "nbf": now, "exp": now + 300, "sha256": digest, **claims}
    whole = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode(whole, secret, algorithm="HS256")


def lease_token(body: bytes, *, ttl: float = 60.0) -> str:
    """Sign a lease as a watchdog does, with livekit-api."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    token = api.AccessToken(KEY, SECRET).with_sha256(digest).with_ttl(dt.timedelta(seconds=ttl))
    return f"Bearer {token.to_jwt()}"


def lease(*rooms: str, **fields: Any) -> bytes:
    jobs = [{"room": r, "agent": f"agent-{r}", "job": f"AJ_{r}", "released": ""} for r in rooms]
    return json.dumps({"host": "h1", "ttl": 3.0, "jobs": jobs, **fields}).encode()
