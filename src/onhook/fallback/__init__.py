"""Providers that fail over: the framework's fallback adapters, with deadlines that are enforced."""

from __future__ import annotations

from onhook.fallback.build import providers
from onhook.fallback.deadlines import Deadlines
from onhook.fallback.watch import ProviderChange

__all__ = ["Deadlines", "ProviderChange", "providers"]
