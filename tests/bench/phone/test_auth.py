from __future__ import annotations

import pytest
from sipmessage import URI, Request, Response

from onhook.bench.phone import Credentials, PhoneError
from onhook.bench.phone.auth import authorize


def invite() -> Request:
    request = Request("INVITE", URI.parse("sip:100@127.0.0.1"))
    request.headers.set("Via", "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKa;rport")
    request.headers.set("CSeq", "1 INVITE")
    return request


def test_the_challenge_is_answered_in_a_new_transaction() -> None:
    refusal = Response(401, "Unauthorized")
    challenge = 'Digest realm="a, b", nonce="n", opaque="o", algorithm=SHA-256, qop="auth"'
    refusal.headers.set("WWW-Authenticate", challenge)
    again = authorize(invite(), refusal, Credentials("joe", "secret"))
    assert again.cseq.sequence == 2
    assert again.headers["Via"] != invite().headers["Via"]
    proof = again.headers["Authorization"]
    for part in ('username="joe"', 'realm="a, b"', 'opaque="o"', "nc=00000001", "qop="):
        assert part in proof
    assert "secret" not in proof


@pytest.mark.parametrize("challenge", ["", 'Basic realm="x"', 'Digest nonce="n", algorithm=AKAv1'])
def test_what_we_cannot_do(challenge: str) -> None:
    refusal = Response(407, "Proxy Authentication Required")
    refusal.headers.set("Proxy-Authenticate", challenge)
    with pytest.raises(PhoneError, match="an authentication that we do not know"):
        authorize(invite(), refusal, Credentials("joe", "secret"))


def test_the_password_is_never_shown() -> None:
    assert "secret" not in repr(Credentials("joe", "secret"))
