"""`onhook doctor`: what it prints, refuses and exits with."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from onhook.cli import app

SECRET = "a-secret-of-at-least-thirty-two-characters"


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LIVEKIT_TOKEN", "ONHOOK_MODE", "ONHOOK_SENTINEL", "ONHOOK_PLANS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LIVEKIT_URL", "ws://127.0.0.1:1")
    monkeypatch.setenv("LIVEKIT_API_KEY", "APIabcdefgh123")
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
    monkeypatch.setenv("ONHOOK_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(app(), ["doctor", *arguments])


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    path = tmp_path / "agent.py"
    path.write_text(
        "import onhook\nfrom livekit.agents import AgentServer\nserver = AgentServer()\n"
        "@server.rtc_session(agent_name='desk')\n@onhook.guard\n"
        "async def entrypoint(ctx):\n    await ctx.connect()\n"
    )
    return path


def test_a_server_that_is_not_there_is_a_finding_in_80_columns() -> None:
    result = doctor("--timeout", "2")
    assert result.exit_code == 1
    assert "server.unreachable" in result.output
    assert "mend" in result.output
    assert "Not looked at" in result.output
    assert max(map(len, result.output.splitlines())) <= 80
    assert SECRET not in result.output


def test_json_has_one_schema() -> None:
    result = doctor("--json", "--timeout", "2", "--only", "server")
    told = json.loads(result.output)
    assert told.keys() == {"schema", "sound", "findings", "not_checked", "call"}
    assert (told["schema"], told["sound"]) == (1, False)
    (found,) = told["findings"]
    assert found.keys() == {"code", "level", "subject", "what", "why", "mend"}
    assert (found["code"], found["level"]) == ("server.unreachable", "error")


def test_what_is_known_can_be_left_out() -> None:
    assert doctor("--only", "server", "--ignore", "server.unreachable").exit_code == 0


def test_a_sound_file_alone(agent: Path) -> None:
    result = doctor("--only", "source", "--agent", str(agent))
    assert (result.exit_code, result.output.strip()) == (
        0,
        "Nothing is wrong in what was looked at.",
    )


def test_an_unguarded_file_alone(agent: Path) -> None:
    agent.write_text(agent.read_text().replace("@onhook.guard\n", ""))
    result = doctor("--only", "source", "--agent", str(agent))
    assert result.exit_code == 1
    assert "source.unguarded" in result.output


def test_a_file_that_registers_nothing_is_said(agent: Path) -> None:
    agent.write_text("x = 1\n")
    result = doctor("--only", "source", "--agent", str(agent))
    assert result.exit_code == 0
    assert "it registers none" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--agent", "no-such-file.py"), "cannot read"),
        (("--only", "everything"), "--only 'everything'"),
        (("--ignore", "no.code"), "there is no such code"),
        (("--sip", "host:port"), "--sip"),
        (("--webhook", "nowhere"), "HOST:PORT"),
        (("--timeout", "0"), "--timeout 0"),
        (("--wait-webhook", "-1"), "--wait-webhook -1"),
        (("--dial", "not a number", "--sip", "127.0.0.1:5060"), "--dial 'not a number'"),
    ],
)
def test_what_cannot_be_looked_at(arguments: tuple[str, ...], said: str) -> None:
    result = doctor(*arguments)
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


def test_dial_without_the_phone_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "onhook.cli.doctor_call.find_spec",
        lambda name: None if name == "sipmessage" else find(name),
    )
    result = doctor("--dial", "+15550100", "--sip", "127.0.0.1:5060")
    assert result.exit_code == 2
    assert "pip install 'onhook[bench]'" in result.output


def test_without_keys_the_rest_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIVEKIT_API_KEY")
    told = json.loads(doctor("--json").output)
    codes = [found["code"] for found in told["findings"]]
    assert "env.missing" in codes
    assert any("the environment names no server" in each["why"] for each in told["not_checked"])
