"""Whom to dial, and where."""

from __future__ import annotations

import re

from sipmessage import URI

from onhook.bench.phone.message import Host, parse_uri
from onhook.bench.phone.phone_errors import NumberError

__all__ = ["address", "check_user"]

_USER = re.compile(r"[A-Za-z0-9+*#._-]{1,64}")


def address(to: str, server: str | None) -> tuple[URI, Host | None]:
    """Return whom to dial, and where to send it when that is not the host of the address.

    Raises:
        NumberError: One of them cannot be used, or a number came without a server.
    """
    proxy: Host | None = None
    if server is not None:
        host, _, port = server.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise NumberError(f"cannot reach the server {server!r}: give HOST:PORT, 127.0.0.1:5060")
        proxy = (host, int(port))
    if to.startswith(("sip:", "sips:", "tel:")):
        return parse_uri(to), proxy
    if proxy is None:
        raise NumberError(
            f"no server for the number {to!r}: give server='HOST:PORT', or 'sip:{to}@HOST:PORT'"
        )
    return parse_uri(f"sip:{check_user(to)}@{proxy[0]}:{proxy[1]}"), proxy


def check_user(number: str) -> str:
    """Return a number, or another name, that can stand before the @ of a SIP address.

    Raises:
        NumberError: It cannot.
    """
    if not _USER.fullmatch(number):
        raise NumberError(
            f"{number!r} is no number: give digits, or letters, and + * # . _ -, as in '+15550100'"
        )
    return number
