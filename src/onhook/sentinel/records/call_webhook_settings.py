"""Where `call.ended` webhooks go, and by which secrets they are signed."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from onhook import settings
from onhook.errors import ConfigurationError

__all__ = ["CallWebhookSettings"]

_PREFIX = "whsec_"
_LEAST, _MOST = 24, 64
"""Bytes of a secret (Standard Webhooks specification, "Signature scheme")."""


@dataclass(frozen=True, slots=True)
class CallWebhookSettings:
    """Where webhooks go.

    Args:
        url: The receiver.
        secrets: At least one, as bytes; each signs.
    """

    url: str
    secrets: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def from_env(cls) -> CallWebhookSettings | None:
        """Return what `ONHOOK_WEBHOOK_URL` and `ONHOOK_WEBHOOK_SECRET` say; `None` without a URL.

        Raises:
            ConfigurationError: One of them cannot be used; the secret itself is not told.
        """
        url, secret = settings.call_webhook()
        return cls.of(url, secret) if url else None

    @classmethod
    def of(cls, url: str, secret: str) -> CallWebhookSettings:
        """Read an address and secrets.

        Args:
            url: `https://HOST/PATH`.
            secret: `whsec_` and base64; several with blanks or commas between while they change.

        Raises:
            ConfigurationError: One of them cannot be used.
        """
        return cls(_checked(url.strip()), tuple(_secret(part) for part in _parts(secret)))

    def __post_init__(self) -> None:
        if not self.secrets:
            raise ConfigurationError(
                f"{settings.WEBHOOK_URL} is set and {settings.WEBHOOK_SECRET} is not: webhooks are "
                f"signed. Give {_PREFIX} and 24 to 64 random bytes in base64, as "
                f"`printf {_PREFIX}; head -c 32 /dev/urandom | base64` makes them"
            )

    @property
    def shown(self) -> str:
        """The receiver, without what may be secret in its address."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"

    def signed(self, message: str, body: bytes, now: int) -> Mapping[str, str]:
        """Return the headers that sign a body.

        Args:
            message: The id of the webhook.
            body: As it is sent.
            now: Seconds since 1970.
        """
        signed = f"{message}.{now}.".encode() + body
        digests = (hmac.new(secret, signed, hashlib.sha256).digest() for secret in self.secrets)
        return {
            "webhook-id": message,
            "webhook-timestamp": str(now),
            "webhook-signature": " ".join(f"v1,{base64.b64encode(d).decode()}" for d in digests),
        }


def _checked(url: str) -> str:
    with contextlib.suppress(ValueError):  # a port that is none
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        if known and "@" not in parts.netloc and not parts.fragment:
            return url
    raise ConfigurationError(
        f"{settings.WEBHOOK_URL}={url[:200]!r} is no address: give https://HOST/PATH, "
        "without a name and password in it"
    )


def _parts(secret: str) -> list[str]:
    return [part for part in re.split(r"[\s,]+", secret) if part]


def _secret(text: str) -> bytes:
    try:
        found = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not (text.startswith(_PREFIX) and _LEAST <= len(found) <= _MOST):
        raise ConfigurationError(
            f"{settings.WEBHOOK_SECRET} is none of Standard Webhooks ({len(text)} characters): "
            f"give {_PREFIX} and {_LEAST} to {_MOST} random bytes in base64"
        )
    return found
