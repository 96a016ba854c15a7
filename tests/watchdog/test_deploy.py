"""The files in examples/deploy say what their readers will run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

DEPLOY = Path(__file__).parents[2] / "examples" / "deploy"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "onhook-watchdog.service"
    unit.write_text((DEPLOY / unit.name).read_text())
    got = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert unit.name not in got.stderr, got.stderr


def test_the_pod_shares_the_socket_and_the_user() -> None:
    spec = yaml.safe_load((DEPLOY / "pod.yaml").read_text())["spec"]
    (watchdog,), (worker,) = spec["initContainers"], spec["containers"]
    assert watchdog["restartPolicy"] == "Always"
    assert watchdog["command"][:3] == ["onhook", "watchdog", "run"]
    for key in ("env", "volumeMounts", "envFrom", "image"):
        assert watchdog[key] == worker[key]
    assert spec["securityContext"]["runAsUser"]
