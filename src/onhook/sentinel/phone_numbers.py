"""Numbers and addresses: when two are the same, and to which a caller may be sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from onhook.errors import PolicyError
from onhook.outages import number_key

__all__ = ["by_key", "fallback_address", "leads_back"]

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
"""At most 15 digits, after the + (ITU-T E.164, 6)."""
_TEL = re.compile(r"tel:(\+[0-9.()-]+)((?:;[\w%.=+-]+)*)")
"""A global number with its separators, and parameters (RFC 3966, 3)."""
_SIP = re.compile(
    r"sips?:([^\s@<>;:/?\[\]]+(?::[^\s@<>\[\]]*)?)@(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)"
    r"(?::[0-9]{1,5})?((?:[;?&][^\s<>]*)?)"
)
"""A user at a host (RFC 3261, 19.1.1)."""
_SEPARATORS = re.compile(r"[\s.()-]")
_RIGHT = "give +15550123, 'tel:+15550123' or 'sip:desk@HOST'"


def fallback_address(text: str) -> str:
    """Return the address to which a caller is transferred, as a REFER takes it.

    Args:
        text: An E.164 number, or a `tel:`, `sip:` or `sips:` address.

    Raises:
        PolicyError: It is none; says what is right.
    """
    given = text.strip()
    if given.startswith(("sip:", "sips:")):
        if _SIP.fullmatch(given) is None:
            raise PolicyError(f"{text!r} is no SIP address: write 'sip:USER@HOST'")
        return given
    if given.startswith("tel:"):
        found = _TEL.fullmatch(given)
        if found is None or not _E164.fullmatch(_SEPARATORS.sub("", found[1])):
            raise PolicyError(
                f"{text!r} is no international number: write it with + and the country, as in "
                "'tel:+15550123'; an extension is 'sip:100@HOST'"
            )
        return f"tel:{_SEPARATORS.sub('', found[1])}{found[2]}"
    plain = _SEPARATORS.sub("", given)
    if _E164.fullmatch(plain) is None:
        raise PolicyError(f"{text!r} is no number that a caller can be sent to: {_RIGHT}")
    return f"tel:{plain}"


def leads_back(address: str, own: Mapping[str, str]) -> str:
    """Return the number of the project's own to which an address leads; empty if to none.

    A caller who is sent to one of them comes back as a new call, and is sent on again.

    Args:
        address: What `fallback_address` returned, or the target of a `Transfer`.
        own: The numbers of the project's trunks; see `by_key`.
    """
    _, _, rest = address.partition(":")
    user = re.split(r"[@;?]", rest, maxsplit=1)[0].partition(":")[0]
    return own.get(number_key(user), "")


def by_key(numbers: Iterable[str]) -> dict[str, str]:
    """Return numbers by what all their spellings have in common."""
    return {number_key(number): number for number in numbers if number}
