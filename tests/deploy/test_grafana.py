"""The dashboard: of what sentinels tell, in expressions that Prometheus takes."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from onhook.sentinel.metrics.definitions import METRICS
from tests.deploy.deploy_files import DEPLOY
from tests.deploy.promtool import needs_promtool, promtool, unknown_metrics

DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "onhook.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
SHOWN = [panel for panel in PANELS if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in SHOWN for target in panel["targets"]]


def test_it_can_be_imported_anywhere() -> None:
    assert DASHBOARD["schemaVersion"] >= 36
    assert "id" not in DASHBOARD, "Grafana gives one"
    ids = [panel["id"] for panel in PANELS]
    assert len(set(ids)) == len(ids)
    names = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert names == {"datasource", "job"}
    for panel in SHOWN:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)


def test_each_panel_has_a_title_a_unit_and_a_place_of_its_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        assert panel["title"]
        assert place["x"] + place["w"] <= 24
        cells = set(
            itertools.product(
                range(place["x"], place["x"] + place["w"]),
                range(place["y"], place["y"] + place["h"]),
            )
        )
        assert not cells & taken, panel["title"]
        taken |= cells
    assert all(panel["fieldConfig"]["defaults"]["unit"] for panel in SHOWN)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_is_of_what_is_told(expression: str) -> None:
    assert unknown_metrics(expression) == []
    assert 'job=~"$job"' in expression


@needs_promtool
def test_prometheus_takes_every_expression(tmp_path: Path) -> None:
    rules = []
    for number, expression in enumerate(EXPRESSIONS):
        plain = expression.replace("$job", "onhook").replace("$__rate_interval", "1m")
        assert "$" not in plain
        rules.append({"record": f"onhook:test:{number}", "expr": plain})
    file = tmp_path / "expressions.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = promtool("check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_callers_suffer_is_shown() -> None:
    shown = " ".join(EXPRESSIONS)
    callers = [name for name in METRICS if not name.startswith("onhook_sentinel_")]
    bucket = {name: f"{name}_bucket" for name in callers if METRICS[name].kind == "histogram"}
    assert [name for name in callers if bucket.get(name, name) not in shown] == []
