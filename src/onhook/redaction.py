"""Texts that are kept and sent as evidence: bounded, and with every secret masked."""

from __future__ import annotations

import functools
import os
import re
import traceback
from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlsplit

__all__ = ["bounded", "described", "masked", "masked_number", "masked_numbers", "traceback_of"]

_LONGEST_TRACEBACK = 16_000
"""Characters; of a longer one the beginning and the end are kept."""
_LONGEST_TEXT = 4_000
"""Characters of one sentence or fact; an exception may bring megabytes."""
_GAP = "\n... {} characters left out ...\n"

_SECRET_NAME = re.compile(
    r"(_KEY|APIKEY|SECRET|TOKEN|PASSWORD|PASSWD|_PASS|_PWD|CREDENTIALS?)(_?\d+)?$", re.IGNORECASE
)
_SHORTEST = 6
"""A shorter value is no secret, and masking it would tear ordinary words apart."""
_SHAPES = (
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+"), "[JWT]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 [masked]"),
    (re.compile(r"\b([a-z][a-z0-9+.-]{0,30}://[^\s/@:]*):[^\s/@]+@"), r"\1:[masked]@"),
)
"""Secrets that are known by their shape: tokens of LiveKit, headers, passwords in addresses."""

_HEAD, _TAIL = 2, 3
"""Characters of a number that stay, at most: about the country, and what tells two apart."""
_NOBODY = frozenset(("", "anonymous", "restricted", "unavailable", "unknown", "private"))
"""What carriers send in place of a number that is withheld (RFC 3323, 4.1.1.3)."""
_NUMBER_IN_TEXT = re.compile(
    r"\+[0-9](?:[ ().-]{0,2}[0-9]){6,14}(?![0-9])|(?<![0-9A-Za-z+])[0-9]{7,15}(?![0-9A-Za-z])"
)
"""With +, or 7 digits and more in a row; at most 15 (ITU-T E.164, 6)."""


def masked(text: str, env: Mapping[str, str] | None = None) -> str:
    """Return a text in which every secret is replaced by the name of its variable.

    Args:
        text: For example a traceback.
        env: Where the secrets stand: `*_API_KEY`, `*_SECRET`, `*_TOKEN`, `*PASSWORD` and the like,
            and passwords in `*_URL`; `os.environ` when omitted.
    """
    if not text:
        return text
    for value, name in _secrets(tuple((os.environ if env is None else env).items())):
        text = text.replace(value, f"[{name}]")
    for shape, replacement in _SHAPES:
        text = shape.sub(replacement, text)
    return text


def masked_number(number: str) -> str:
    """Return a phone number of which only the beginning and the end are shown: `+49*******567`.

    A quarter of it stays at either end, and no more than 2 and 3 characters. Two numbers of one
    length whose ends are alike look alike. Doing it again changes nothing.

    Args:
        number: As a trunk tells it; a SIP user's name is masked likewise, and what says that the
            number is withheld stays.
    """
    if number.strip().lower() in _NOBODY:
        return number
    places = [i for i, letter in enumerate(number) if letter.isalnum() or letter == "*"]
    head, tail = min(_HEAD, len(places) // 4), min(_TAIL, len(places) // 4)
    hidden = frozenset(places[head : len(places) - tail])
    return "".join("*" if i in hidden else letter for i, letter in enumerate(number))


def masked_numbers(text: str) -> str:
    """Return a text, such as the name of a room, with every phone number in it masked.

    LiveKit's individual dispatch rules put the caller's number into the room's name.

    Args:
        text: It; digits count as a number where they begin with +, or are 7 to 15 in a row with no
            letter beside them.
    """
    return _NUMBER_IN_TEXT.sub(lambda found: masked_number(found[0]), text)


def bounded(text: str, longest: int = _LONGEST_TEXT) -> str:
    """Return a text as it may be kept and sent: short, without secrets, and valid UTF-8.

    Doing it again changes nothing.

    Args:
        text: For example the message of an exception.
        longest: Characters; of a longer text the beginning and the end are kept.
    """
    # first to what can be searched in no time, so that no secret is cut in two in what is kept
    text = _shortened(text, 4 * longest).encode("utf-8", "backslashreplace").decode()
    return _shortened(masked(text), longest)


def described(error: BaseException) -> str:
    """Return what an exception says of itself, bounded; nothing that it does comes out of here.

    Args:
        error: The exception.
    """
    try:
        return bounded(repr(error))
    except Exception:  # noqa: BLE001 - what an exception says of itself may raise anything
        return f"{type(error).__name__}, which cannot be printed"


def traceback_of(error: BaseException | None) -> str:
    """Return an exception with its traceback; an empty string for none.

    Args:
        error: The exception; nothing keeps it alive.
    """
    if error is None:
        return ""
    try:
        text = "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - what an exception says of itself may raise anything
        return f"{type(error).__name__}, which cannot be printed\n"
    return bounded(text, _LONGEST_TRACEBACK)


def _shortened(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    half = (longest - len(_GAP) - 10) // 2
    return f"{text[:half]}{_GAP.format(len(text) - 2 * half)}{text[-half:]}"


@functools.lru_cache(maxsize=1)
def _secrets(env: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return every form of every secret with its name; the longest first: one may hold another."""
    found = dict(_forms(env))
    return tuple((value, found[value]) for value in sorted(found, key=len, reverse=True))


def _forms(env: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str]]:
    for name, value in env:
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
