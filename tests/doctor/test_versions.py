from __future__ import annotations

import pytest

from onhook.doctor.versions import Installed, installed, judge_versions


def packages(*given: Installed) -> dict[str, Installed]:
    return {each.name: each for each in given}


def codes(*given: Installed, **more: object) -> list[str]:
    found = judge_versions(packages(*given), newest=(1, 8), **more)  # type: ignore[arg-type]
    return [each.code for each in found]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        *(("1.5.0", []), ("1.8.9", []), ("1.8.0rc1", []), ("1.4.9", ["version.unsupported"])),
        *(("2.0.0", ["version.unsupported"]), ("1.9.0", ["version.untested"])),
        ("0.12.3", ["version.unsupported"]),
    ],
)
def test_the_version_of_the_framework(version: str, expected: list[str]) -> None:
    assert codes(Installed("livekit-agents", version)) == expected


@pytest.mark.parametrize(
    ("requirement", "met"),
    [
        *(("livekit-agents>=1.8.9", True), ("livekit-agents[codecs]>=1.9", False)),
        *(("livekit-agents (>=1.5,<2)", True), ("livekit-agents~=1.8.0", True)),
        *(("livekit-agents~=1.7.0", False), ("livekit-agents==1.8.9", True)),
        *(("livekit-agents!=1.8.9", False), ("livekit-agents<1.8.9", False)),
        *(("livekit-agents>=1.9; extra == 'x'", True), ("livekit-agents", True)),
        *(("somebody-else>=9", True), ("livekit-agents==1.7.*", True)),
    ],
)
def test_what_packages_need_of_each_other(requirement: str, met: bool) -> None:
    agents = Installed("livekit-agents", "1.8.9")
    plugin = Installed("livekit-plugins-x", "1.8.9", (requirement,))
    assert codes(agents, plugin) == ([] if met else ["version.unmet"])


def test_what_is_installed_here_is_supported() -> None:
    here = installed()
    assert {"livekit", "livekit-api", "livekit-agents", "onhook"} <= here.keys()
    codes = {found.code for found in judge_versions(here, newest=(1, 8))}
    assert "version.unsupported" not in codes


def test_what_is_lacking_is_a_note() -> None:
    agents = Installed("livekit-agents", "1.5.0")
    lacking = [("`x`", "1.6", "y is looked for")]
    (found,) = judge_versions(packages(agents), newest=(1, 8), lacking=lacking)
    assert (found.code, found.level, found.why) == ("version.lacks", "note", "y is looked for")
    assert codes(attributes=False) == ["version.no-dispatch-attributes"]


def test_a_monitor_that_may_crash_jobs_is_a_note() -> None:
    agents = Installed("livekit-agents", "1.8.9")
    (found,) = judge_versions(packages(agents), newest=(1, 8), loop_monitor=True)
    assert (found.code, found.level) == ("version.loop-monitor", "note")
    assert "LIVEKIT_AGENTS_LOOP_BLOCK_WARN_MS=0" in found.mend
