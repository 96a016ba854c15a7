"""Further API keys by which webhooks and leases are believed, while keys are rotated.

LiveKit reads its own keys as lines `KEY: SECRET` (`LIVEKIT_KEYS`, and `key_file` in its
`config-sample.yaml`): the same file, or a part of it, can be given here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from onhook import settings
from onhook.errors import ConfigurationError
from onhook.livekit.credentials import Credentials

__all__ = ["believed_keys", "read_webhook_keys"]

_NAME = settings.WEBHOOK_KEYS
_MOST_KEYS = 16
_LONGEST = 65_536
"""Bytes of a file."""


def read_webhook_keys(told: str) -> Mapping[str, str]:
    """Return the keys that `ONHOOK_WEBHOOK_KEYS` gives: API key → secret.

    Args:
        told: Pairs `KEY:SECRET`, one a line or separated by commas; or the path of a file with one
            pair a line. A path begins with `/`, `~` or `.`, or has no colon.

    Raises:
        ConfigurationError: Says which line is wrong, and never shows its text: it is a secret.
    """
    told = told.strip()
    if not told:
        return {}
    if told[0] in "/~." or ":" not in told:
        path = settings.expanded(told)
        where, lines = f"the file {path}", _lines_of(path)
    else:
        where, lines = _NAME, re.split(r"[,\n]", told)
    keys: dict[str, str] = {}
    for number, key, secret in _pairs(lines, where):
        if keys.setdefault(key, secret) != secret:
            raise ConfigurationError(
                f"{where} gives two secrets for the key {key!r}, the second in entry {number}: "
                "leave the one that counts"
            )
    if len(keys) > _MOST_KEYS:
        raise ConfigurationError(
            f"{where} gives {len(keys)} keys; {_MOST_KEYS} are the most: take away those that "
            "nobody signs with any more (`onhook sentinel status` tells)"
        )
    return keys


def believed_keys(credentials: Credentials, further: Mapping[str, str]) -> Mapping[str, str]:
    """Return all keys by which webhooks and leases are believed: API key → secret.

    Args:
        credentials: The key that is in use.
        further: Those of `ONHOOK_WEBHOOK_KEYS`.

    Raises:
        ConfigurationError: One key has two secrets.
    """
    if further.get(credentials.key, credentials.secret) != credentials.secret:
        raise ConfigurationError(
            f"{_NAME} and LIVEKIT_API_SECRET give different secrets for the key "
            f"{credentials.key!r}: a new secret needs a new key in LiveKit's configuration"
        )
    return {**further, credentials.key: credentials.secret}


def _lines_of(path: Path | None) -> list[str]:
    try:
        if path is None:
            raise OSError("its home is none")  # noqa: TRY301 - one way to tell
        with path.open("rb") as file:
            read = file.read(_LONGEST + 1)
        text = read.decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror or str(error) if isinstance(error, OSError) else "it is no text"
        raise ConfigurationError(
            f"{_NAME} names the file {path}, which cannot be read ({why}): give a file that this "
            "user may read, with a line KEY: SECRET for each key, or the pairs themselves"
        ) from None  # the decoder's error has the text in it
    if len(read) > _LONGEST:
        raise ConfigurationError(f"{_NAME}: the file {path} is longer than {_LONGEST} bytes")
    return text.splitlines()


def _pairs(lines: list[str], where: str) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(lines, 1):
        if not (plain := line.strip()) or plain.startswith("#"):
            continue
        key, colon, secret = (part.strip().strip("\"'") for part in plain.partition(":"))
        if not (key and colon and secret) or any(map(str.isspace, key + secret)):
            raise ConfigurationError(
                f"{where}, entry {number}: this is no pair KEY: SECRET. What it says is not shown, "
                "because it may be a secret"
            )
        yield number, key, secret
