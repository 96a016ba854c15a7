"""How a job comes by its watchdog: the policy's word, and the environment's."""

from __future__ import annotations

import os
from typing import Literal, TypeAlias

__all__ = ["Mode", "override"]

Mode: TypeAlias = Literal["auto", "external", "off"]


def override() -> Mode | None:
    """Return what `ONHOOK_WATCHDOG` says for every job of this environment."""
    match os.environ.get("ONHOOK_WATCHDOG", "").strip().lower():
        case "auto":
            return "auto"
        case "external":
            return "external"
        case "off" | "0":
            return "off"
    return None
