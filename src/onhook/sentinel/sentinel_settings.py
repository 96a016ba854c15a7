"""What a sentinel is started with: which plans, where it listens, and what it may spend."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onhook import settings
from onhook.errors import PolicyError
from onhook.sentinel.canary_settings import CanarySettings
from onhook.sentinel.page_settings import require_token, worker_addresses
from onhook.sentinel.records.call_webhook_settings import CallWebhookSettings
from onhook.sentinel.webhook_keys import read_webhook_keys
from onhook.validation import require_count, require_seconds

__all__ = ["HOST", "PORT", "Address", "SentinelSettings"]

HOST = "127.0.0.1"
PORT = 7899
_LEAST_BUDGET = 10
"""Requests a minute; with fewer not even the list of rooms and one suspect can be asked for."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the sentinel listens for webhooks and leases, and tells its status.

    Args:
        host: A name or address of this machine.
        port: TCP port; 0 for one that is free.

    Raises:
        PolicyError: It is none.
    """

    host: str = HOST
    port: int = PORT

    def __post_init__(self) -> None:
        if not self.host or not 0 <= self.port <= 65535:
            raise PolicyError(f"{self}: give HOST:PORT, for example {HOST}:{PORT}")

    @classmethod
    def of(cls, text: str) -> Address:
        """Read `HOST:PORT`, also `[::1]:7899`; a port alone is one on loopback.

        Raises:
            PolicyError: Says what was got, and what is right.
        """
        host, _, port = text.strip().rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        plain = host[1:-1] if bracketed else host
        if not port.isascii() or not port.isdigit() or (bracketed and not plain):
            raise PolicyError(f"{text!r} is no address: give HOST:PORT, for example {HOST}:{PORT}")
        if ":" in plain and not bracketed:
            raise PolicyError(f"{text!r} is no address: an IPv6 one is written [{host}]:{port}")
        return cls(plain or HOST, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelSettings:
    """What `onhook sentinel run` was told; server and key come from the environment.

    Args:
        observe: Judge, plan and record everything, and do nothing, whatever the plans say.
        plans: The file of plans; `None` for the built-in default for every call.
        own: The project's own numbers, by its trunks: no plan falls back to one of them.
        webhook: Where it listens.
        poll: Seconds between two lists of all rooms.
        budget: Requests to the LiveKit API a minute, everything counted.
        redis: Address of the Redis that several sentinels share; empty for a single one.
        journal: The file of incidents; as `onhook.settings` says when omitted.
        outages: The file of the outage switch; as `onhook.settings` says when omitted.
        records: The file of call records; `calls.db` beside the journal when omitted.
        whole_numbers: Whether phone numbers are kept and shown as they are, and not masked.
        call_webhook: Where `call.ended` webhooks go; nowhere when omitted.
        reload: Seconds between two looks whether plans or outages have changed.
        canary: Which agents are asked whether they take calls; none when omitted, nor with
            `observe`.
        webhook_keys: Further API keys, and their secrets, by which webhooks and leases are
            believed.
        token: What whoever looks into it must bring; empty for nothing.
        workers: HTTP ports of LiveKit Agents workers, `http://HOST:8081`, for the page.

    Raises:
        PolicyError: Names the setting, what was got and what is allowed.
    """

    observe: bool = False
    plans: Path | None = None
    own: frozenset[str] = frozenset()
    webhook: Address = Address()
    poll: float = 2.0
    budget: int = 300
    redis: str = field(default="", repr=False)
    journal: Path | None = None
    outages: Path | None = None
    records: Path | None = None
    whole_numbers: bool = False
    call_webhook: CallWebhookSettings | None = None
    reload: float = 2.0
    canary: CanarySettings = field(default_factory=CanarySettings)
    webhook_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: str = field(default="", repr=False)
    workers: tuple[str, ...] = ()

    @classmethod
    def from_env(
        cls, *, observe: bool = False, plans: Path | None = None, redis: str = "", **others: Any
    ) -> SentinelSettings:
        """Return settings that are as given, and else as the environment says.

        Args:
            observe: As above; `ONHOOK_MODE=observe` has the last word.
            plans: As above; else `ONHOOK_PLANS`.
            redis: As above; else `ONHOOK_REDIS`.
            others: As above.

        Raises:
            OnhookError: Something that was given, or is in the environment, is wrong.
        """
        return cls(
            observe=observe or settings.mode() == "observe",
            plans=plans if plans is not None else settings.plans(),
            redis=redis or settings.redis(),
            **{
                "webhook_keys": read_webhook_keys(settings.webhook_keys()),
                "token": settings.sentinel_token(),
                "workers": settings.workers(),
                "whole_numbers": settings.numbers() == "whole",
                "call_webhook": CallWebhookSettings.from_env(),
                **others,
            },
        )

    def __post_init__(self) -> None:
        require_seconds("SentinelSettings", "poll", self.poll)
        require_seconds("SentinelSettings", "reload", self.reload)
        require_count("SentinelSettings", "budget", self.budget)
        require_token(self.token)
        object.__setattr__(self, "workers", worker_addresses(self.workers))
        least = max(_LEAST_BUDGET, round(2 * 60 / self.poll))
        if self.budget < least:
            raise PolicyError(
                f"SentinelSettings(budget={self.budget!r}): a poll every {self.poll:g} s needs "
                f"{60 / self.poll:.0f} requests a minute, and suspects need some too: give at "
                f"least {least}, or poll more rarely"
            )
