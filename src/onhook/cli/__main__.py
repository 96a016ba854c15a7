"""`python -m onhook.cli`."""

from __future__ import annotations

from onhook.cli import main

main()
