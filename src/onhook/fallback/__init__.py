"""Providers that fail over: the framework's fallback adapters, with deadlines that are enforced."""

from __future__ import annotations

from onhook.fallback.adapters import providers
from onhook.fallback.availability import ProviderChange
from onhook.fallback.deadlines import Deadlines

__all__ = ["Deadlines", "ProviderChange", "providers"]
