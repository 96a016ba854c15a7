"""To which addresses a caller can be sent, and to which not."""

from __future__ import annotations

import pytest

from onhook.errors import PolicyError
from onhook.rungs import Transfer
from onhook.sentinel.phone_numbers import by_key, fallback_address, leads_back


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("+15550123", "tel:+15550123"),
        (" +1 (555) 01-23 ", "tel:+15550123"),
        ("tel:+1-555-0123", "tel:+15550123"),
        ("tel:+15550123;ext=5", "tel:+15550123;ext=5"),
        ("sip:desk@pbx.example", "sip:desk@pbx.example"),
        ("sips:+15550123@10.0.0.1:5061;transport=tls", None),
        ("sip:desk@[2001:db8::1]:5060", None),
    ],
)
def test_what_a_caller_can_be_sent_to(given: str, address: str | None) -> None:
    found = fallback_address(given)
    assert found == (address or given)
    assert fallback_address(found) == found
    Transfer(found)


@pytest.mark.parametrize(
    "given",
    [
        *("", "5550123", "+0555012345", "+1555", "+1234567890123456", "0015550123", "desk"),
        *("tel:100", "tel:5550123;phone-context=+1", "tel:", "tel:+1555", "tel:+15550123 x"),
        *("sip:", "sip:pbx", "sip:@pbx", "sip:desk@", "sip:a b@pbx", "sip:<desk@pbx>"),
        *("http://x", "+1555\n0123x", "+1\uff15\uff15\uff15\uff10123"),
    ],
)
def test_what_not_is_told_with_what_is(given: str) -> None:
    with pytest.raises(PolicyError, match=r"tel:\+15550123|sip:USER@HOST"):
        fallback_address(given)


@pytest.mark.parametrize(
    ("address", "back"),
    [
        ("tel:+15550100", "15550100"),
        ("tel:+15550100;ext=3", "15550100"),
        ("sip:+15550100@carrier.example", "15550100"),
        ("sip:0015550100:secret@carrier.example;user=phone", "15550100"),
        ("tel:+15550199", ""),
        ("sip:desk@pbx", ""),
        ("", ""),
    ],
)
def test_an_own_number_in_any_spelling(address: str, back: str) -> None:
    assert leads_back(address, by_key(["15550100", "+15550101", ""])) == back
