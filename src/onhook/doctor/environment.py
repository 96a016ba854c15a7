"""The variables from which onhook learns server and key, judged without asking anybody."""

from __future__ import annotations

import base64
import binascii
import difflib
import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from onhook import settings
from onhook.doctor.findings import Finding, Kind, Level
from onhook.errors import ConfigurationError
from onhook.sentinel.webhook_keys import read_webhook_keys

__all__ = ["KINDS", "judge_environment", "token_claims"]

MISSING = Kind(
    "env.missing",
    Level.ERROR,
    "`LIVEKIT_URL`, `LIVEKIT_API_KEY` or `LIVEKIT_API_SECRET` is not set",
    "onhook can release no caller from a silent line, and the worker takes no calls",
    "set it where the worker, the watchdog and the sentinel are started",
)
UNTRIMMED = Kind(
    "env.untrimmed",
    Level.ERROR,
    "a variable has quotes or white space around its value",
    "the server is not found, or refuses the key: no agent comes, and nobody is rescued",
    "take them away: env files of Docker and systemd take quotes and spaces as part of the value",
)
PLACEHOLDER = Kind(
    "env.placeholder",
    Level.ERROR,
    "a variable still has the text of an example",
    "the server refuses the key: no agent comes, and nobody is rescued",
    "set the value of your own project (LiveKit Cloud: Settings, API keys)",
)
URL = Kind(
    "env.url",
    Level.ERROR,
    "`LIVEKIT_URL` is no address of a server",
    "no agent reaches the server: callers hear it ring until their carrier gives up",
    "write wss://HOST, or ws://HOST:PORT for a server of your own",
)
INSECURE = Kind(
    "env.insecure",
    Level.WARNING,
    "`LIVEKIT_URL` leads over the internet without TLS",
    "tokens that can end or overhear a call can be read on the way",
    "write wss:// (or https://), and give the server a certificate",
)
SWAPPED = Kind(
    "env.swapped",
    Level.ERROR,
    "key and secret are in each other's place",
    "the server refuses every request: no agent comes, and nobody is rescued",
    "exchange LIVEKIT_API_KEY (it begins with API) and LIVEKIT_API_SECRET (it is the longer one)",
)
SHORT_SECRET = Kind(
    "env.secret-short",
    Level.WARNING,
    "the secret is one that can be guessed",
    "whoever guesses it can join every call, and end it",
    "make a key with a secret of 32 characters or more: `livekit-server generate-keys`",
)
TOKEN_ALONE = Kind(
    "env.token-alone",
    Level.WARNING,
    "there is a token in place of key and secret",
    "callers are released, but hear no word: a token cannot sign the one that joins their room",
    "set LIVEKIT_API_KEY and LIVEKIT_API_SECRET",
)
TOKEN_EXPIRED = Kind(
    "env.token-expired",
    Level.ERROR,
    "`LIVEKIT_TOKEN` has expired, or is none",
    "the server refuses every request: nobody is rescued",
    "make a new one, or set LIVEKIT_API_KEY and LIVEKIT_API_SECRET",
)
SETTING = Kind(
    "env.setting",
    Level.ERROR,
    "a variable of onhook's has a value that it does not know",
    "the guard refuses it when the agent's module is loaded, or does something else than was meant",
    "give one of the values of the README's table of the environment",
)
UNKNOWN = Kind(
    "env.unknown",
    Level.WARNING,
    "a variable looks like one of onhook's, and is none",
    "what it was to change is as before",
    "correct its name; the README has the table of all of them",
)
GUARDS_OFF = Kind(
    "env.guards-off",
    Level.WARNING,
    "`ONHOOK_ACTIVE` turns every guard off",
    "a caller whose agent fails is left on a silent line",
    "take ONHOOK_ACTIVE away once it has served its purpose",
)
OBSERVES = Kind(
    "env.observes",
    Level.NOTE,
    "`ONHOOK_MODE=observe`: everything is judged, nothing is done",
    "a caller whose agent fails is left on a silent line; it is recorded",
    "after the first week: `onhook incidents list`, then ONHOOK_MODE=act",
)

KINDS: Sequence[Kind] = (
    *(MISSING, UNTRIMMED, PLACEHOLDER, URL, INSECURE, SWAPPED, SHORT_SECRET, TOKEN_ALONE),
    *(TOKEN_EXPIRED, SETTING, UNKNOWN, GUARDS_OFF, OBSERVES),
)

_URL, _KEY, _SECRET, _TOKEN = (
    *("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_TOKEN"),
)
_READ = (_URL, _KEY, _SECRET, _TOKEN)
_QUOTES = "\"'`\u2018\u2019\u201c\u201d"
_EXAMPLE = re.compile(
    r"(?i)^(<.*>|\{.*\}|\$\{?\w+\}?|x{3,}|\*{3,}|\.{3}|your[-_ ]?\w*[-_ ]?"
    r"(key|secret|url|token|project)\w*|changeme|change[-_]me|todo|api[-_]?(key|secret))$"
)
_EXAMPLE_HOST = re.compile(r"(?i)[/.]your[-_.]|//my-?(project|app)\.livekit\.cloud|<|\.\.\.")
_CLOUD_KEY = re.compile(r"API[A-Za-z0-9]{8,20}")
_LEAST_SECRET = 32
"""Characters; livekit-server warns below that (`cmd/server/main.go`)."""
_OWN_PATHS = ("/rtc", "/twirp")
_WATCHDOG = ("auto", "external", "off", "0", "")


def judge_environment(env: Mapping[str, str], *, now: float) -> Iterator[Finding]:
    """Judge the environment.

    Args:
        env: The variables, those of this process: onhook's own are read by `onhook.settings`.
        now: Seconds since 1970.
    """
    plain = {name: env.get(name, "").strip().strip(_QUOTES).strip() for name in _READ}
    yield from _missing(plain)
    for name in _READ:
        given = env.get(name, "")
        if given and given != plain[name]:
            around = "quotes" if given.strip() != plain[name] else "white space"
            yield UNTRIMMED.found(name, f"{name} has {around} around its value")
        elif _is_example(name, plain[name]):
            yield PLACEHOLDER.found(name, f"{name} still has the text of an example")
    if plain[_URL]:
        yield from _url(plain[_URL])
    yield from _secrets(plain)
    yield from _token(plain, now)
    yield from _settings(env)


def token_claims(token: str) -> Mapping[str, Any]:
    """Return what a token says, unverified; nothing for one that is none."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return claims if isinstance(claims, dict) else {}


def _missing(plain: Mapping[str, str]) -> Iterator[Finding]:
    needed = (_URL,) if plain[_TOKEN] else (_URL, _KEY, _SECRET)
    for name in needed:
        if not plain[name]:
            yield MISSING.found(name, f"{name} is not set")


def _is_example(name: str, value: str) -> bool:
    if _EXAMPLE.match(value):
        return True
    return name == _URL and bool(_EXAMPLE_HOST.search(value))


def _url(url: str) -> Iterator[Finding]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        yield URL.found(_URL, f"{_URL} is no address ({error})")
        return
    if parts.scheme not in ("ws", "wss", "http", "https") or not parts.hostname:
        # its value may be anything, the secret too: it is not shown
        known = parts.scheme in ("ws", "wss", "http", "https")
        what = "has no host" if known else "does not begin with wss://, ws://, https:// or http://"
        yield URL.found(_URL, f"{_URL} {what}")
        return
    if port == 0:
        yield URL.found(_URL, f"{_URL} has the port 0")
    if parts.username or parts.password:
        yield URL.found(
            _URL, f"{_URL} has a user or a password in it", mend="key and secret are variables"
        )
    if parts.query or parts.fragment or parts.path.rstrip("/").endswith(_OWN_PATHS):
        yield URL.found(_URL, f"{_URL} leads below the server's own address: {parts.path!r}")
    if parts.scheme in ("ws", "http") and _is_public(parts.hostname):
        yield INSECURE.found(_URL, f"{_URL} is {parts.scheme}://{parts.hostname}")


def _is_public(host: str) -> bool:
    """Return whether a host is somewhere in the internet, as far as its name tells."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        inner = (".local", ".internal", ".lan", ".svc", ".localhost", ".test", ".home.arpa")
        return "." in host.rstrip(".") and not host.endswith(inner) and ".svc." not in host


def _is_here(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _secrets(plain: Mapping[str, str]) -> Iterator[Finding]:
    key, secret = plain[_KEY], plain[_SECRET]
    if not (key and secret):
        return
    if _CLOUD_KEY.fullmatch(secret) and not _CLOUD_KEY.fullmatch(key):
        yield SWAPPED.found(_SECRET, f"{_SECRET} looks like a key, and {_KEY} like a secret")
    elif key == secret:
        yield SWAPPED.found(
            _SECRET, f"{_SECRET} is the same as {_KEY}", mend=f"set {_SECRET} to the key's secret"
        )
    elif len(secret) < _LEAST_SECRET and not _is_example(_SECRET, secret):
        here = _is_here(plain[_URL])  # `livekit-server --dev` on a developer's own machine
        yield SHORT_SECRET.found(
            _SECRET,
            f"{_SECRET} has {len(secret)} characters",
            level=Level.NOTE if here else None,
        )


def _token(plain: Mapping[str, str], now: float) -> Iterator[Finding]:
    if not plain[_TOKEN] or (plain[_KEY] and plain[_SECRET]):
        return
    claims = token_claims(plain[_TOKEN])
    expires = claims.get("exp")
    if not claims:
        yield TOKEN_EXPIRED.found(_TOKEN, f"{_TOKEN} is no token")
    elif isinstance(expires, int | float) and expires < now:
        yield TOKEN_EXPIRED.found(_TOKEN, f"{_TOKEN} has expired {_ago(now - expires)} ago")
    yield TOKEN_ALONE.found(_TOKEN, f"{_TOKEN} is set, and no key and secret")


def _ago(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _settings(env: Mapping[str, str]) -> Iterator[Finding]:
    readers: Sequence[tuple[str, Callable[[], object]]] = (
        (settings.MODE, settings.mode),
        (settings.ATTRIBUTES, settings.attributes),
        (settings.SENTINEL, settings.sentinel),
        (settings.NUMBERS, settings.numbers),
        (settings.WEBHOOK_KEYS, lambda: read_webhook_keys(settings.webhook_keys())),
    )
    for name, read in readers:
        try:
            read()
        except ConfigurationError as error:
            yield SETTING.found(name, str(error))
    word = env.get(settings.WATCHDOG, "").strip().lower()
    if word not in _WATCHDOG:
        yield SETTING.found(settings.WATCHDOG, f"{settings.WATCHDOG}={word!r} is not known")
    if not settings.is_on():
        yield GUARDS_OFF.found(settings.ACTIVE, f"{settings.ACTIVE} turns every guard off")
    if env.get(settings.MODE, "").strip().lower() == "observe":
        yield OBSERVES.found(settings.MODE, f"{settings.MODE}=observe")
    known = [str(getattr(settings, name)) for name in settings.__all__ if name.isupper()]
    for name in sorted(env):
        if name.startswith("ONHOOK") and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if near:
                yield UNKNOWN.found(name, f"{name} is no setting: did you mean {near[0]}?")
