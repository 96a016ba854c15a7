"""What breaks when the server changes its words: `tests/sentinel/line/test_probes.py` asks it."""

from __future__ import annotations

import pytest
from livekit import api

from onhook.livekit.framework.rpc_answers import RpcError, rpc_error

SAID = "twirp error unknown: "


@pytest.mark.parametrize(
    ("status", "said", "meant"),
    [
        (400, "RpcError 1400: Method not supported at destination", RpcError.ANSWERED),
        (500, "RpcError 1500: Application error in method handler", RpcError.ANSWERED),
        (408, "RpcError 1501: Connection timeout", RpcError.NO_ACKNOWLEDGEMENT),
        (408, "RpcError 1502: Response timeout", RpcError.NO_RESPONSE),
        (500, "transport failure", RpcError.NO_ACKNOWLEDGEMENT),
        (503, "RpcError 1503: Recipient disconnected", RpcError.UNKNOWN),
        (503, "no response from servers", RpcError.NOBODY),
        (503, "no healthy upstream", RpcError.UNKNOWN),
        (500, "RpcError 1505: Failed to send", RpcError.UNKNOWN),
        (408, "the connection timeout of another kind of server", RpcError.NO_ACKNOWLEDGEMENT),
        (408, "something that nobody has seen yet", RpcError.UNKNOWN),
        (408, "", RpcError.UNKNOWN),
        (401, "RpcError 1501: Connection timeout", RpcError.UNKNOWN),
        (429, "connection timeout", RpcError.UNKNOWN),
    ],
)
def test_only_words_that_are_known_say_something_of_an_agent(
    status: int, said: str, meant: RpcError
) -> None:
    assert rpc_error(api.ServerError("unknown", SAID + said, status=status)) is meant
