"""How often an address has given a wrong token: who guesses must wait."""

from __future__ import annotations

import ipaddress
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable

__all__ = ["MOST", "WINDOW", "WrongTokens"]

logger = logging.getLogger("onhook")

MOST = 5
"""Wrong tokens of one address within `WINDOW`; then even the right one must wait."""
WINDOW = 60.0
"""Seconds."""
_ADDRESSES = 4_096


class WrongTokens:
    """Counts wrong tokens by address, bounded; the addresses that were quiet longest go first.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Return for how many seconds an address is not listened to; 0 for not at all.

        Args:
            address: That of the client.
        """
        times = self._at.get(_network(address))
        if times is None or len(times) < MOST:
            return 0.0
        return max(0.0, times[0] + WINDOW - self._clock())

    def add(self, address: str) -> None:
        """Count a wrong token, and say so in the log.

        Args:
            address: That of the client.
        """
        key = _network(address)
        times = self._at.setdefault(key, deque(maxlen=MOST))
        self._at.move_to_end(key)
        times.append(self._clock())
        logger.warning(
            "the sentinel's page: a wrong token from %s%s",
            address,
            f"; it must wait for {WINDOW:g} s" if self.wait(address) else "",
        )
        while len(self._at) > _ADDRESSES:
            self._at.popitem(last=False)


def _network(address: str) -> str:
    """Return an address as guesses are counted: one host has a whole /64 of IPv6 (RFC 6177)."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False))
