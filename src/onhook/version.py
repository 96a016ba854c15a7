"""Which onhook this is; the package's metadata has it from here."""

from __future__ import annotations

__all__ = ["VERSION"]

VERSION = "0.1.0"
