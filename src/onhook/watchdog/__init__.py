"""Ring 2: the watchdog, one small process a host that outlives the jobs it watches over."""

from __future__ import annotations

from onhook.watchdog.client.link import Link, Mode

__all__ = ["Link", "Mode"]
