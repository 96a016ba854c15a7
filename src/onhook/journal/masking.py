"""Secrets do not belong in evidence: what stands in the environment as one is masked in a text."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlsplit

__all__ = ["masked"]

_SECRET_NAME = re.compile(
    r"(_KEY|APIKEY|SECRET|TOKEN|PASSWORD|PASSWD|_PASS|_PWD|CREDENTIALS?)(_?\d+)?$", re.IGNORECASE
)
_SHORTEST = 6
"""A shorter value is no secret, and masking it would tear ordinary words apart."""
_SHAPES = (
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+"), "[JWT]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 [masked]"),
    (re.compile(r"\b([a-z][a-z0-9+.-]*://[^\s/@:]*):[^\s/@]+@"), r"\1:[masked]@"),
)
"""Secrets that are known by their shape: tokens of LiveKit, headers, passwords in addresses."""


def masked(text: str, env: Mapping[str, str] | None = None) -> str:
    """Return a text in which every secret is replaced by the name of its variable.

    Args:
        text: For example a traceback.
        env: Where the secrets stand: `*_API_KEY`, `*_SECRET`, `*_TOKEN`, `*PASSWORD` and the like,
            and passwords in `*_URL`; `os.environ` when omitted.
    """
    if not text:
        return text
    secrets = dict(_secrets(os.environ if env is None else env))
    for value in sorted(secrets, key=len, reverse=True):  # one may contain another
        text = text.replace(value, f"[{secrets[value]}]")
    for shape, replacement in _SHAPES:
        text = shape.sub(replacement, text)
    return text


def _secrets(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in env.items():
        secret = value if _SECRET_NAME.search(name) else _password_of(value)
        for form in {secret, secret.strip(), quote(secret, safe=""), repr(secret)[1:-1]}:
            if len(form) >= _SHORTEST:
                yield form, name


def _password_of(value: str) -> str:
    if "://" not in value or "@" not in value:
        return ""
    try:
        return urlsplit(value).password or ""
    except ValueError:  # no address after all
        return ""
