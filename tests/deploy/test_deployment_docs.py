"""What docs/deployment.md tells its readers to run, name and open exists."""

from __future__ import annotations

import re
import shlex

import pytest
from starlette.routing import Route

from onhook.livekit import Credentials
from onhook.sentinel.sentinel_settings import SentinelSettings
from onhook.sentinel.service import Sentinel
from tests.deploy.deploy_files import ROOT, accepted, known_variables

PAGE = ROOT / "docs" / "deployment.md"
TEXT = PAGE.read_text()
CODE = re.findall(r"```\w*\n(.*?)```|`([^`\n]+)`", TEXT, re.DOTALL)
LINES = [line for block, word in CODE for line in (block or word).splitlines()]


def commands() -> list[str]:
    program = re.compile(r"(?:^|(?<!--namespace)\s)(onhook [a-z][^#;|&`]*)")
    found = [match[1].strip() for line in LINES for match in program.finditer(line)]
    return sorted(set(found))


@pytest.mark.parametrize("command", commands())
def test_every_command_is_one_of_the_cli(command: str) -> None:
    assert accepted(shlex.split(command))


def test_commands_are_found() -> None:
    assert "onhook sentinel status" in commands()
    assert len(commands()) >= 4


def test_every_variable_is_read() -> None:
    named = set(re.findall(r"\b(?:ONHOOK|LIVEKIT)_[A-Z_]+\b", TEXT))
    of_others = {"LIVEKIT_TOKEN", "LIVEKIT_KEYS", "LIVEKIT_WEBHOOK_API_KEY"}
    assert named - of_others <= known_variables()


def test_every_link_leads_somewhere() -> None:
    titles = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    anchors = {
        "#" + re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles
    }
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXT):
        assert target in anchors or (PAGE.parent / target.split("#")[0]).exists(), target
    for path in re.findall(r"\b(?:deploy|requirements|examples)/[\w./-]+\w", TEXT):
        assert (ROOT / path).exists(), path


def test_every_path_of_the_table_is_one_of_the_sentinel(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("sentinel")
    given = SentinelSettings(journal=folder / "j.db", outages=folder / "o.json")
    app = Sentinel(given, Credentials("ws://127.0.0.1:1", "key", "s" * 32)).app
    paths = {route.path for route in app.router.routes if isinstance(route, Route)}
    (table,) = re.findall(r"\| path \|.*?\n\n", TEXT, re.DOTALL)
    assert set(re.findall(r"`(/[\w/]+)`", table)) <= paths
