"""Things that one sentinel of a fleet does for a call, once, and that are no rescue."""

from __future__ import annotations

from onhook.incident import Outcome
from onhook.sentinel.fleet.claims import ClaimLostError, Claims, Refused

__all__ = ["once"]

_TTL = 10.0


async def once(claims: Claims, call: str, what: str, owner: str) -> bool:
    """Return whether this sentinel is the one that does it; of all that ask, one hears yes.

    It is done afterwards: who dies before doing it leaves it undone.

    Args:
        claims: Where the sentinels agree.
        call: Key of the call.
        what: What is to be done, such as `second-dispatch`.
        owner: This sentinel's name.

    Raises:
        FleetUnavailableError: Nobody can tell.
    """
    name = f"{call}/{what}"
    answer = await claims.claim(name, owner, _TTL)
    if isinstance(answer, Refused):
        return False
    try:
        await claims.release(answer, Outcome(what, "kept", "done once"))
    except ClaimLostError:
        return False
    return True
