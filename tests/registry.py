"""Stands in for `onhook.ring1.registry` where that is not there: no job is guarded."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

if importlib.util.find_spec("onhook.ring1.registry") is None:
    standing_in = ModuleType("onhook.ring1.registry")
    standing_in.guarded = lambda _: None  # type: ignore[attr-defined]
    sys.modules["onhook.ring1.registry"] = standing_in
