"""Free ports on loopback, chosen outside the range from which the kernel lends its own."""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass

from onhook.bench.stack.stack_errors import StackError

__all__ = ["HOST", "Ports", "choose_ports"]

HOST = "127.0.0.1"
_FIRST, _LAST = 10_000, 32_000
"""Linux lends 32768 and up for outgoing connections (ip_local_port_range)."""
_RTP_BLOCK = 200
_SINGLES = 4
_TRIES = 200


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one stack. RTP is a block, `rtp` to `rtp_last`."""

    redis: int
    http: int
    rtc_udp: int
    sip: int
    rtp: int

    @property
    def rtp_last(self) -> int:
        """The last port of the RTP block."""
        return self.rtp + _RTP_BLOCK - 1


def choose_ports() -> Ports:
    """Choose ports that are free now; whoever binds them may still lose a race and try again.

    Raises:
        StackError: Hardly any port is free.
    """
    for _ in range(_TRIES):
        first = random.randrange(_FIRST, _LAST - _RTP_BLOCK - _SINGLES, 2)  # noqa: S311 - no secret
        singles = range(first + _RTP_BLOCK, first + _RTP_BLOCK + _SINGLES)
        if all(map(_free, (*singles, first, first + 1, singles[0] - 1))):
            redis, http, udp, sip = singles
            return Ports(redis, http, udp, sip, first)
    raise StackError(f"found no free ports between {_FIRST} and {_LAST}: stop other servers")


def _free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                return False
    return True
