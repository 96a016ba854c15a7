"""Ring 3: a service beside a LiveKit deployment that saves calls nobody on the agent's host can.

Signals come in as `sightings`; `calls` folds them into what is known of each call; `detectors`
judge that, purely; the rescuer climbs a plan; `fleet` keeps several sentinels out of each other's
way.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onhook.sentinel.canary_settings import CanarySettings
    from onhook.sentinel.sentinel_app import SentinelApp
    from onhook.sentinel.sentinel_settings import SentinelSettings

__all__ = ["CanarySettings", "SentinelApp", "SentinelSettings"]

# `onhook --help` needs none of the libraries of the extra.
_MODULE_OF = {
    "CanarySettings": "canary_settings",
    "SentinelApp": "sentinel_app",
    "SentinelSettings": "sentinel_settings",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'onhook.sentinel' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"onhook.sentinel.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
