"""The table of everything that can be found; docs/doctor.md is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from onhook.doctor import (
    environment,
    host,
    placed_call,
    plans,
    rules,
    sentinel,
    server,
    sip_options,
    trunks,
    versions,
    webhooks,
    workers,
)
from onhook.doctor.findings import Group, Kind
from onhook.doctor.source import kinds as source

__all__ = ["GROUPS", "KINDS"]

GROUPS: Mapping[Group, Sequence[Kind]] = MappingProxyType(
    {
        Group.ENVIRONMENT: environment.KINDS,
        Group.VERSIONS: versions.KINDS,
        Group.HOST: (*host.KINDS, *plans.KINDS, *sentinel.KINDS),
        Group.SERVER: server.KINDS,
        Group.ROUTES: (*trunks.KINDS, *rules.KINDS, *sip_options.KINDS),
        Group.AGENTS: workers.KINDS,
        Group.WEBHOOKS: webhooks.KINDS,
        Group.CALL: placed_call.KINDS,
        Group.SOURCE: source.KINDS,
    }
)
"""Every kind of finding, by what is looked at."""

KINDS: Mapping[str, Kind] = MappingProxyType(
    {kind.code: kind for some in GROUPS.values() for kind in some}
)
"""Every kind of finding, by its code."""
