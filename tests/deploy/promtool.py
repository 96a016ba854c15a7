"""Prometheus' own tool, and which metrics an expression names."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from onhook.sentinel.metrics.definitions import METRICS

__all__ = ["needs_promtool", "promtool", "unknown_metrics"]

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool (apt install prometheus)"
)
_NAME = re.compile(r"\b(onhook_\w+)\s*(?:\{([^}]*)\})?")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")
_LABEL = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
_OF_PROMETHEUS = {"job", "instance", "le"}


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it."""
    return subprocess.run(
        ["promtool", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def unknown_metrics(expression: str) -> list[str]:
    """Return the metrics and labels in an expression that no sentinel tells."""
    found = []
    for name, selector in _NAME.findall(expression):
        metric = METRICS.get(name)
        if metric is None and (histogram := METRICS.get(_SUFFIX.sub("", name))) is not None:
            metric = histogram if histogram.kind == "histogram" else None
        if metric is None:
            found.append(name)
            continue
        labels = set(_LABEL.findall(selector)) - {*metric.labels} - _OF_PROMETHEUS
        found += sorted(f"{name}{{{label}}}" for label in labels)
    for grouped in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression):
        known = {label for metric in METRICS.values() for label in metric.labels}
        named = {label.strip() for label in grouped.split(",")} - {""}
        found += sorted(named - known - _OF_PROMETHEUS)
    return found
