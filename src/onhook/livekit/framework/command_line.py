"""How a worker is started; `cli.run_app` is deprecated since livekit-agents 1.6."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from onhook.livekit.framework.versions import framework_version

__all__ = ["start_command"]


def start_command(module: str) -> list[str]:
    """Return the command that starts the server of a module.

    Args:
        module: A module's full name; under the older way it calls `cli.run_app` as `__main__`.
    """
    found = find_spec(module)
    minor = tuple(int(part) for part in framework_version().split(".")[:2] if part.isdigit())
    if found is None or found.origin is None or (1, 0) <= minor < (1, 6):
        return [sys.executable, "-m", module, "start"]
    return [sys.executable, "-m", "livekit.agents", "start", found.origin]
