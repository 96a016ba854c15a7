"""What livekit-server answers to `RoomService.PerformRpc`: which error it was, by its words.

The Twirp code and the HTTP status do not tell the cases apart; the text does. Seen with
livekit-server 1.13.5 and livekit's rtc 1.1 (`protocol/utils/data_channel_rpc.go`,
`rtc/participant.go`), for an agent whose process

- lives: 400 `RpcError 1400: Method not supported at destination` at once, as its link answers for
  a method that it does not know, also while its event loop is blocked;
- lives and knows the method, with a blocked event loop: 408 `RpcError 1502: Response timeout` at
  the response time-out that was asked for;
- was killed or stopped, or whose host is cut off: 408 `RpcError 1501: Connection timeout` after
  2.0 s; from 16 to 18 s on 500 `transport failure` at once, until it leaves the room's list;

and for a participant or a room that is not there 503 `no response from servers` after 3 s.
"""

from __future__ import annotations

import re
from enum import Enum

from livekit import api

__all__ = ["RpcError", "rpc_error"]

_NUMBERED = re.compile(r"\bRpcError (\d{4})\b")


class RpcError(Enum):
    """What became of a method call that did not succeed."""

    ANSWERED = "answered"
    """The participant's process has answered: with an error, or that it knows no such method."""
    NO_RESPONSE = "no response"
    """It was acknowledged, and nothing came."""
    NO_ACKNOWLEDGEMENT = "no acknowledgement"
    """Nothing came at all, or the server has no way to the participant any more."""
    NOBODY = "nobody"
    """None of the servers knows the participant, whatever the list says: a server that was killed
    leaves those who were on it in the list, which is Redis'."""
    UNKNOWN = "unknown"
    """Nothing that proves anything of the participant."""


_BY_NUMBER = {
    1400: RpcError.ANSWERED,  # method not supported at destination
    1404: RpcError.ANSWERED,  # unsupported version: of the destination's making
    1500: RpcError.ANSWERED,  # application error in the method's handler
    1501: RpcError.NO_ACKNOWLEDGEMENT,  # connection timeout
    1502: RpcError.NO_RESPONSE,  # response timeout
    1504: RpcError.ANSWERED,  # response payload too large
}
_BY_WORDS = {
    "method not supported at destination": RpcError.ANSWERED,
    "connection timeout": RpcError.NO_ACKNOWLEDGEMENT,
    "response timeout": RpcError.NO_RESPONSE,
    "transport failure": RpcError.NO_ACKNOWLEDGEMENT,
}
_ABOUT_IT = (400, 408, 500, 504)
"""Statuses of answers about the participant; 401 or 429 say nothing of anybody."""
_NOBODY, _UNAVAILABLE = "no response from servers", 503
"""What the server says where nobody has taken its question (psrpc `ErrNoResponse`). Another 503 is
of a proxy, or of a server that is overloaded."""


def rpc_error(error: api.ServerError) -> RpcError:
    """Return which error it was.

    Args:
        error: What `perform_rpc` raised.
    """
    if error.status == _UNAVAILABLE and _NOBODY in error.message.lower():
        return RpcError.NOBODY
    if error.status not in _ABOUT_IT:
        return RpcError.UNKNOWN
    if found := _NUMBERED.search(error.message):
        return _BY_NUMBER.get(int(found[1]), RpcError.UNKNOWN)
    said = error.message.lower()
    return next((e for words, e in _BY_WORDS.items() if words in said), RpcError.UNKNOWN)
