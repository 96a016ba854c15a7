"""Claims in Redis, for several sentinels."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from onhook.incident import Ending, Outcome
from onhook.redaction import bounded
from onhook.rescue.event_codec import encode
from onhook.rescue.events import RescueEvent
from onhook.sentinel.fleet import redis_scripts as scripts
from onhook.sentinel.fleet.claims import (
    Claim,
    ClaimLostError,
    Finished,
    Refused,
    require_claimable,
)
from onhook.sentinel.fleet.kept_events import read
from onhook.sentinel.fleet.redis_client import RedisClient

__all__ = ["RedisClaims"]

_DAY = 86_400.0
_LOST = {
    "gone": "nothing is known of this claim any more; Redis may have lost its data",
    "finished": "{owner!r} has finished it",
    "taken": "{owner!r} has taken it over",
}


class RedisClaims:
    """Claims in Redis; see `Claims`, and `redis_scripts` for what is where.

    Args:
        client: The server.
        fleet: Name of the fleet; one Redis may serve several, for example staging beside
            production. Every sentinel of one LiveKit deployment has the same.
        clock: Seconds of this host's monotonic clock; only for what is told to the caller.
        keep_days: Days for which an incident is kept.
        limit: Calls that are kept in the index.
    """

    def __init__(
        self,
        client: RedisClient,
        *,
        fleet: str = "default",
        clock: Callable[[], float] = time.monotonic,
        keep_days: float = 2.0,
        limit: int = 10_000,
    ) -> None:
        self._client = client
        self._prefix = f"{{onhook:{fleet}}}:"
        self._clock = clock
        self._keep = _ms(keep_days * _DAY)
        self._limit = limit

    async def claim(self, call: str, owner: str, ttl: float, *, beyond: int = 0) -> Claim | Refused:
        """See `Claims.claim`."""
        require_claimable(call, owner, ttl)
        now = self._clock()  # before it is sent: the lease ends here no later than there
        answer = await self._client.run(
            scripts.CLAIM,
            self._keys(call),
            *(call, owner, uuid.uuid4().hex),
            *(_ms(ttl), beyond, self._keep, self._limit),
        )
        match [_text(part) for part in answer]:
            case ["claim", token]:
                return Claim(call, owner, int(token), now + ttl)
            case ["held", holder, left]:
                return Refused(holder, self._clock() + int(left) / 1000)
        finished = _finished(answer)
        return Refused(finished.owner, self._clock(), finished)

    async def renew(self, claim: Claim, ttl: float, events: Sequence[RescueEvent] = ()) -> Claim:
        """See `Claims.renew`."""
        require_claimable(claim.call, claim.owner, ttl)
        now = self._clock()
        answer = await self._client.run(
            scripts.RENEW,
            self._keys(claim.call)[:3],
            claim.call,
            *(claim.token, _ms(ttl), self._keep),
            *map(encode, events),
        )
        _require_held(claim, answer)
        return replace(claim, until=now + ttl)

    async def release(
        self, claim: Claim, outcome: Outcome | None, events: Sequence[RescueEvent] = ()
    ) -> None:
        """See `Claims.release`."""
        told = ("", "", "")
        if outcome is not None:
            told = (outcome.incident, outcome.ending, bounded(outcome.detail))
        answer = await self._client.run(
            scripts.RELEASE,
            self._keys(claim.call),
            claim.call,
            *(claim.token, self._keep),
            *told,
            *map(encode, events),
        )
        _require_held(claim, answer)

    async def done(self, call: str) -> Finished | None:
        """See `Claims.done`."""
        answer = await self._client.run(scripts.DONE, self._keys(call)[:1])
        return _finished(answer) if _text(answer[0]) == "finished" else None

    async def events(self, call: str) -> Sequence[RescueEvent]:
        """See `Claims.events`."""
        return read(call, await self._client.command("LRANGE", self._keys(call)[1], 0, -1))

    async def lapsed(self, limit: int) -> Sequence[str]:
        """See `Claims.lapsed`."""
        keys = [self._prefix + "open"]
        return _texts(await self._client.run(scripts.LAPSED, keys, limit, self._keep))

    async def recent(self, limit: int) -> Sequence[str]:
        """See `Claims.recent`."""
        last = limit - 1
        return _texts(await self._client.command("ZREVRANGE", self._prefix + "index", 0, last))

    async def members(self, owner: str, ttl: float) -> Sequence[str]:
        """See `Claims.members`."""
        keys = [self._prefix + "members"]
        found = await self._client.run(scripts.MEMBERS, keys, owner, _ms(ttl), self._keep)
        return tuple(sorted(_texts(found)))

    async def forget(self, call: str) -> None:
        """See `LocalClaims.forget`."""
        await self._client.run(scripts.FORGET, self._keys(call), call)

    def _keys(self, call: str) -> Sequence[str]:
        places = (f"call:{call}", f"events:{call}", "open", "index")
        return [self._prefix + place for place in places]


def _require_held(claim: Claim, answer: Sequence[Any]) -> None:
    word, *rest = map(_text, answer)
    if word == "lost":
        owner, why = rest
        raise ClaimLostError(f"{claim.call}: {_LOST[why].format(owner=owner)}")


def _finished(answer: Sequence[Any]) -> Finished:
    _, incident, ending, detail, owner, token, ago = map(_text, answer)
    # `Ending` is a closed set of words; a newer sentinel's is shown as it is
    return Finished(
        incident, cast("Ending", ending), detail, owner, int(token), max(0, int(ago)) / 1000
    )


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _text(part: Any) -> str:
    return part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part)


def _texts(parts: Sequence[Any]) -> Sequence[str]:
    return tuple(map(_text, parts))
