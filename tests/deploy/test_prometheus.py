"""The alert rules, by promtool; and the pages that they name."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from onhook import settings
from onhook.faults import Fault
from tests.deploy.deploy_files import DEPLOY, ROOT, accepted, documents
from tests.deploy.promtool import needs_promtool, promtool, unknown_metrics

RULES = DEPLOY / "prometheus" / "onhook.rules.yml"
TESTS = DEPLOY / "prometheus" / "onhook.rules.test.yml"
RUNBOOKS = ROOT / "docs" / "runbooks"
SECTIONS = [
    "What the caller hears now",
    "How to see it",
    "What to do",
    "How to know that it is over",
]


def rules() -> list[dict[str, Any]]:
    (whole,) = documents(RULES)
    return [rule for group in whole["groups"] for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules()}
PAGES = sorted(RUNBOOKS.glob("*.md"))


@needs_promtool
def test_promtool_takes_the_rules() -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_each_fires_when_it_should_and_not_before() -> None:
    done = promtool("test", "rules", TESTS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_is_tested_both_ways() -> None:
    (whole,) = documents(TESTS)
    tested = [test for group in whole["tests"] for test in group["alert_rule_test"]]
    fires = {test["alertname"] for test in tested if test.get("exp_alerts")}
    quiet = {test["alertname"] for test in tested if not test.get("exp_alerts")}
    assert fires == quiet == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_a_rule_says_what_to_do(name: str) -> None:
    rule = ALERTS[name]
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert (ROOT / rule["annotations"]["runbook_url"]).is_file()
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert unknown_metrics(rule["expr"]) == []


def test_an_expression_of_something_else_is_noticed() -> None:
    """What tells in the tests above, and in those of the dashboard."""
    assert unknown_metrics('sum by (rooms) (onhook_calls{room="x"})') == ["onhook_calls", "rooms"]
    assert unknown_metrics('onhook_sentinel_calls{room="x"}') == ["onhook_sentinel_calls{room}"]
    assert unknown_metrics("onhook_sentinel_calls_bucket") == ["onhook_sentinel_calls_bucket"]
    assert unknown_metrics("rate(onhook_time_to_safe_seconds_bucket[5m])") == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
class TestRunbook:
    def test_somebody_is_sent_to_it(self, page: Path) -> None:
        assert f"docs/runbooks/{page.name}" in RULES.read_text()

    def test_it_says_what_whoever_is_woken_must_know(self, page: Path) -> None:
        text = page.read_text()
        assert text.startswith(f"# {page.stem}: ")
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
        parts = re.split(r"^## .*$", text, flags=re.MULTILINE)[1:]
        assert all(len(part.split()) >= 3 for part in parts)

    def test_what_it_names_exists(self, page: Path) -> None:
        text = page.read_text()
        code = re.findall(r"`([^`]+)`", text.replace("\n", " "))
        for command in (told for told in code if told.startswith("onhook ")):
            assert accepted(shlex.split(re.sub(r"\s+", " ", command)))
        metrics = {name for told in code for name in unknown_metrics(told)}
        assert metrics <= {"onhook_provider_changes_total"}, "that of the guard's own process"
        for variable in re.findall(r"\bONHOOK_\w+", text):
            assert variable in {getattr(settings, name) for name in settings.__all__}
        for fault in re.findall(r"`([a-z]+\.[a-z_]+)`", text):
            assert fault in {*Fault, "webhook.urls", "webhook.api_key", "onhook.providers"}
        for link in re.findall(r"\]\(([^)]+)\)", text):
            assert (RUNBOOKS / link).is_file()
