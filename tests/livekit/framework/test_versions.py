"""What a version lacks is what the table says, and a newer one is named once."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from onhook.livekit.framework import versions
from onhook.livekit.framework.versions import (
    FEATURES,
    Feature,
    framework_version,
    loop_monitor_may_crash,
    tell_of_version,
)


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3])


@pytest.fixture(autouse=True)
def as_if_first() -> None:
    tell_of_version.cache_clear()


@pytest.mark.parametrize("feature", FEATURES, ids=lambda each: each.name)
def test_a_feature_is_there_since_the_version_that_the_table_names(feature: Feature) -> None:
    assert feature.there() is (numbers(framework_version()) >= numbers(feature.since))


def test_the_readme_has_the_same_table() -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    for feature in FEATURES:
        assert f"| {feature.name} | {feature.since} | {feature.without} |" in readme


def test_what_this_version_lacks_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "onhook")
    for _ in range(2):
        tell_of_version()
    lacking = [each for each in FEATURES if not each.there()]
    assert len(caplog.messages) == bool(lacking)
    assert all(each.name in caplog.text for each in lacking)


@pytest.mark.parametrize(("version", "warns"), [("1.9.0", True), ("1.12.3rc1", True), ("", False)])
def test_a_newer_version_is_named_once(
    version: str, warns: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(versions, "framework_version", lambda: version)
    for _ in range(2):
        tell_of_version()
    assert caplog.text.count("newer than 1.8") == warns


@pytest.mark.parametrize(("limit", "runs"), [(None, True), ("100", True), ("0", False)])
def test_a_monitor_of_the_loop_that_python_may_not_survive(
    limit: str | None, runs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "LIVEKIT_AGENTS_LOOP_BLOCK_WARN_MS"
    monkeypatch.delenv(name, raising=False)
    if limit is not None:
        monkeypatch.setenv(name, limit)
    has_it = numbers(framework_version()) >= (1, 8, 1)
    assert loop_monitor_may_crash() is (runs and has_it and sys.version_info < (3, 12))
