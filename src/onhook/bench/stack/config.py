"""The servers' configuration files. They are JSON, which every YAML reader reads."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from onhook.bench.stack.ports import HOST, Ports

__all__ = ["Keys", "livekit_server", "livekit_sip", "redis_arguments", "write"]


@dataclass(frozen=True, slots=True)
class Keys:
    """The API key and secret of one stack, made for it."""

    key: str = field(default_factory=lambda: f"API{secrets.token_hex(6)}")
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(36), repr=False)


def redis_arguments(ports: Ports, kept: Path | None = None) -> list[str]:
    """Return redis-server's arguments: loopback, in memory, nothing on disk unless it is told to.

    Args:
        ports: Where it listens.
        kept: The folder where it keeps every command, so that a restart loses none.
    """
    listening = ["--bind", HOST, "--port", str(ports.redis), "--save", ""]
    if kept is None:
        return [*listening, "--appendonly", "no"]
    return [*listening, "--appendonly", "yes", "--appendfsync", "always", "--dir", str(kept)]


def livekit_server(
    ports: Ports,
    *keys: Keys,
    webhooks: Sequence[str] = (),
    also_at: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return livekit-server's configuration (its `config-sample.yaml`).

    Args:
        ports: Where it listens.
        keys: The keys that it knows; the first one signs its webhooks.
        webhooks: Addresses that it sends webhooks to.
        also_at: Further interfaces where it can be reached, and their addresses.
    """
    # with an address of its own it would tell of no other interface's
    node = {} if also_at else {"node_ip": HOST}
    notified = {"api_key": keys[0].key, "urls": list(webhooks)}
    return {
        "port": ports.http,
        "bind_addresses": [HOST, *also_at.values()],
        "rtc": {
            **node,
            "use_external_ip": False,
            "enable_loopback_candidate": True,
            "interfaces": {"includes": ["lo", *also_at]},
            "tcp_port": 0,  # it would listen on every interface; UDP is enough on loopback
            "udp_port": ports.rtc_udp,
        },
        "redis": {"address": f"{HOST}:{ports.redis}"},
        "keys": {each.key: each.secret for each in keys},
        **({"webhook": notified} if webhooks else {}),
        "logging": {"level": "info", "json": False},
    }


def livekit_sip(ports: Ports, keys: Keys) -> dict[str, Any]:
    """Return livekit-sip's configuration (its `pkg/config/config.go`).

    Its health and metrics ports would listen on every interface, so they stay closed.
    """
    return {
        "api_key": keys.key,
        "api_secret": keys.secret,
        "ws_url": f"ws://{HOST}:{ports.http}",
        "redis": {"address": f"{HOST}:{ports.redis}"},
        "sip_port": ports.sip,
        "sip_port_listen": ports.sip,
        "rtp_port": f"{ports.rtp}-{ports.rtp_last}",
        "listen_ip": HOST,
        "nat_1_to_1_ip": HOST,
        "local_net": "127.0.0.0/8",
        "use_external_ip": False,
        "max_cpu_utilization": 1.0,
        "logging": {"level": "info", "json": False},
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a file that only its owner can read: it holds secrets."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=1)
