"""`onhook sentinel`: what it says and refuses before the service itself begins."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from livekit.protocol.sip import (
    ListSIPInboundTrunkResponse,
    ListSIPOutboundTrunkResponse,
    SIPInboundTrunkInfo,
    SIPOutboundTrunkInfo,
)
from typer.testing import CliRunner, Result

from onhook.cli import app
from onhook.sentinel.sentinel_settings import SentinelSettings
from tests.livekit.twirp import SECRET, Twirp, error, says, twirp

PLANS = """
[default]
fallback = "+15550123"

[[plan]]
match.number = ["+15550100", "+15550101", "+15550102", "+15550103"]
fallback = "sip:reception@a-rather-long-name-of-a-host.example.com"

[[plan]]
match.trunk = "ST_abcdef0123456"
mode = "observe"
ladder = [{rung = "redispatch", agent_name = "spare"}, {rung = "hang_up"}]
"""


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = (
        "ONHOOK_PLANS",
        "ONHOOK_SENTINEL",
        "ONHOOK_WEBHOOK_KEYS",
        "ONHOOK_MODE",
        "LIVEKIT_TOKEN",
        "LIVEKIT_URL",
    )
    for name in (*names, "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "ONHOOK_WEBHOOK_KEYS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ONHOOK_OUTAGES", str(tmp_path / "state" / "outages.json"))
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def plans(tmp_path: Path) -> Path:
    path = tmp_path / "plans.toml"
    path.write_text(PLANS)
    return path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[SentinelSettings]:
    """With what the service was run: it stands at the end of what is tested here."""
    given: list[SentinelSettings] = []
    service = SimpleNamespace(run=given.append)
    monkeypatch.setitem(sys.modules, "onhook.sentinel.service", service)
    return given


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Twirp]:
    inbound = SIPInboundTrunkInfo(numbers=["+15550100", "+15550101", "+15550102", "+15550103"])
    outbound = SIPOutboundTrunkInfo(numbers=["+15550199"])
    async with twirp(
        ListSIPInboundTrunk=[says(ListSIPInboundTrunkResponse(items=[inbound]))],
        ListSIPOutboundTrunk=[says(ListSIPOutboundTrunkResponse(items=[outbound]))],
    ) as running:
        monkeypatch.setenv("LIVEKIT_URL", running.credentials.url)
        monkeypatch.setenv("LIVEKIT_API_KEY", "key")
        monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
        yield running


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sentinel(*arguments: str) -> Result:
    return CliRunner().invoke(app(), ["sentinel", *arguments])


async def beside(*arguments: str) -> Result:
    """Run it in a thread: the server answers in this loop."""
    return await asyncio.to_thread(sentinel, *arguments)


def narrow(text: str) -> bool:
    return max(map(len, text.splitlines())) <= 80


async def test_the_first_lines_say_what_is_watched_and_what_is_missing(
    server: Twirp, plans: Path, started: list[SentinelSettings]
) -> None:
    sentinel("outage", "on", "--trunk", "ST_a", "--by", "eve@ops")
    where = f"127.0.0.1:{free_port()}"
    result = await beside("run", "--plans", str(plans), "--webhook", where, "--budget", "500")
    assert result.exit_code == 0
    (given,) = started
    assert (given.plans, str(given.webhook), given.budget) == (plans, where, 500)
    told = " ".join(result.stdout.split())
    for part in (
        f"server {server.credentials.url}, key key",
        "mode act, but observe for 1 of 3 plans",
        f"http://{where}/webhook",
        "every 2 s, at most 500 requests a minute",
        "+15550100, +15550101, +15550102, +15550103, +15550199, of the trunks",
        "outage trunk ST_a, until",
        "by eve@ops",
        "missing webhooks, until the first one comes",
    ):
        assert part in told
    assert SECRET not in result.output
    assert narrow(result.stdout)


async def test_without_anything_it_watches_and_says_so(
    server: Twirp, started: list[SentinelSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.scripts["ListSIPInboundTrunk"] = [error(401, "unauthenticated")]
    monkeypatch.setenv("ONHOOK_MODE", "observe")
    result = await beside("run", "--webhook", f"0.0.0.0:{free_port()}")
    assert result.exit_code == 0
    assert started[0].observe
    told = " ".join(result.stdout.split())
    assert "mode observe: nothing is done to any call" in told
    assert "missing a file of plans (--plans FILE)" in told
    assert "missing the numbers of the trunks" in told
    assert "lacks the grant 'sip.admin'" in told
    assert "note everybody who reaches 0.0.0.0:" in told


async def test_a_plan_for_a_number_that_no_trunk_has_is_told(
    server: Twirp, tmp_path: Path, started: list[SentinelSettings]
) -> None:
    (tmp_path / "p.toml").write_text("[[plan]]\nmatch.number = '+15550777'")
    where = f"127.0.0.1:{free_port()}"
    result = await beside("run", "--plans", str(tmp_path / "p.toml"), "--webhook", where)
    assert "missing a trunk with the number 15550777" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--budget", "5"), "give at least 60"),
        (("--poll", "0"), "poll=0.0"),
        (("--webhook", "nowhere"), "'nowhere' is no address: give HOST:PORT"),
        (("--webhook", "192.0.2.1:7899"), "cannot listen at 192.0.2.1:7899"),
        (("--plans", "none.toml"), "none.toml: cannot be read: No such file"),
    ],
)
async def test_what_cannot_work_is_refused_before_it_begins(
    server: Twirp, started: list[SentinelSettings], arguments: tuple[str, ...], told: str
) -> None:
    result = await beside("run", "--webhook", f"127.0.0.1:{free_port()}", *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert started == []


async def test_further_keys_are_named_without_their_secrets(
    server: Twirp, started: list[SentinelSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "another-secret-of-thirty-two-characters-or-more"
    where = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("ONHOOK_WEBHOOK_KEYS", f"APIold:{other}")
    result = await beside("run", "--webhook", where)
    assert "keys webhooks and leases are believed of APIold too" in " ".join(result.stdout.split())
    assert started[0].webhook_keys == {"APIold": other}
    monkeypatch.setenv("ONHOOK_WEBHOOK_KEYS", f"key:{other}")
    refused = await beside("run", "--webhook", where)
    assert refused.exit_code == 2
    assert "different secrets for the key 'key'" in refused.stderr
    assert other not in result.output + refused.output
    assert len(started) == 1


async def test_an_address_that_is_taken_is_told(
    server: Twirp, started: list[SentinelSettings]
) -> None:
    result = await beside("run", "--webhook", f"127.0.0.1:{server.port}")
    assert result.exit_code == 2
    assert "is another sentinel there? `onhook sentinel status` asks it" in result.stderr


async def test_a_fallback_that_is_a_trunks_number_is_refused(
    server: Twirp, tmp_path: Path, started: list[SentinelSettings]
) -> None:
    file = tmp_path / "p.toml"
    file.write_text("[default]\nfallback = '+15550199'")
    assert sentinel("plans", "check", str(file)).exit_code == 0
    for command in (("run", "--plans", str(file)), ("plans", "check", "--trunks", str(file))):
        result = await beside(*command)
        assert result.exit_code != 0
        assert f"{file}:2: 'tel:+15550199' leads to +15550199, a number of your own" in (
            result.stderr
        )


@pytest.mark.parametrize("token", ["", "a.b.c"])
def test_without_a_key_it_does_not_begin(
    token: str, started: list[SentinelSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    if token:
        monkeypatch.setenv("LIVEKIT_URL", "ws://127.0.0.1:1")
        monkeypatch.setenv("LIVEKIT_TOKEN", token)
    result = sentinel("run")
    assert result.exit_code == 2
    assert "LIVEKIT_API_KEY and LIVEKIT_API_SECRET" in result.stderr


def test_plans_are_shown_in_80_columns(plans: Path) -> None:
    result = sentinel("plans", "check", str(plans))
    assert result.exit_code == 0
    assert narrow(result.stdout)
    rows = result.stdout.splitlines()
    assert rows[0].split() == ["calls", "ladder", "absent", "2nd", "max", "mode"]
    told = " ".join(result.stdout.split())
    for part in ("number +15550100,", "and 2 more", "redispatch to spare", "all others"):
        assert part in told


def test_a_bad_file_of_plans_is_told_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text("[default]\nabsant = 5\n\nmode = 'off'")
    result = sentinel("plans", "check", str(file))
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"{file}:2: unknown key 'absant': did you mean 'absent'?",
        f"{file}:4: mode = 'off': give 'act' or 'observe'",
    ]


def test_an_outage_from_on_to_off(tmp_path: Path) -> None:
    number = ("--number", "+1 555 0100")
    more = ("--fallback", "+15550199", "--for", "90m", "--by", "eve@ops")
    reason = "the carrier of the east is down since the morning, " * 3
    result = sentinel("outage", "on", *number, *more, "--reason", reason)
    assert result.exit_code == 0
    assert "an outage of number +1 555 0100 is on until" in result.stdout
    assert "off --number '+1 555 0100'` ends it" in result.stdout
    assert "new calls go to tel:+15550199" in result.stdout
    shown = sentinel("outage", "show").stdout
    assert narrow(shown)
    told = " ".join(shown.split())
    assert "number +1 555 0100" in told
    assert "eve@ops" in told
    assert "tel:+15550199" in told
    assert sentinel("outage", "off", "--number", "15550100", "--by", "bob").exit_code == 0
    shown = sentinel("outage", "show").stdout
    assert shown.startswith("no outage is on")
    (off, on) = json.loads(sentinel("outage", "show", "--json").stdout)["history"]
    assert (off["by"], off["turned"], on["by"]) == ("bob", "off", "eve@ops")
    assert on["outage"]["until"] - on["outage"]["since"] == 90 * 60
    again = sentinel("outage", "off", "--all")
    assert again.exit_code == 1
    assert "no outage is on" in again.stderr


async def test_the_fallback_of_an_outage_is_none_of_the_trunks_numbers(server: Twirp) -> None:
    result = await beside("outage", "on", "--all", "--fallback", "+15550199")
    assert result.exit_code == 2
    assert "'tel:+15550199' leads to +15550199, a number of your own" in result.stderr
    server.scripts["ListSIPInboundTrunk"] = [error(500, "internal")]
    result = await beside("outage", "on", "--all", "--fallback", "+15550199")
    assert result.exit_code == 0, "an outage is no time to insist"
    assert "it is not known whether the fallback is a number of your own" in result.stderr


def test_only_the_newest_changes_are_shown(tmp_path: Path) -> None:
    for n in range(12):
        sentinel("outage", "on", "--tag", str(n), "--by", f"eve{n}")
    shown = sentinel("outage", "show").stdout
    assert "and 2 older changes: --json" in shown
    assert narrow(shown)


def test_where_calls_go_without_a_fallback_is_told(
    plans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "hears an apology and is released" in sentinel("outage", "on", "--all").stdout
    monkeypatch.setenv("ONHOOK_PLANS", str(plans))
    assert f"of their plan in {plans}" in sentinel("outage", "on", "--all").stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "give one of --number, --trunk, --tag and --all"),
        (("--all", "--tag", "a"), "give one of"),
        (("--trunk", "a"), "'a' is no trunk: give its id, ST_..."),
        (("--all", "--for", "5w"), "'5w' is no time: give 30m, 2h or 1d"),
        (("--all", "--for", "0s"), "more than 0"),
        (("--all", "--for", "30d"), "give at most 168 h"),
        (("--all", "--fallback", "5"), "'5' is no number that a caller can be sent to"),
    ],
)
def test_an_outage_that_cannot_be_is_refused(arguments: tuple[str, ...], told: str) -> None:
    result = sentinel("outage", "on", *arguments)
    assert result.exit_code == 2
    assert told in result.stderr


def test_a_damaged_file_of_outages_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "outages.json").write_text("{")
    result = sentinel("outage", "show")
    assert result.exit_code == 2
    assert "move it away" in result.stderr


Served = Callable[[bytes, int], int]


@pytest.fixture
def serve() -> Iterator[Served]:
    """Serve one answer at /status, on a port that is returned."""
    running: list[HTTPServer] = []

    def start(body: bytes, code: int = 200) -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(code if self.path == "/status" else 404)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        running.append(HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=running[-1].serve_forever, args=(0.01,)).start()
        return running[-1].server_port

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


STATUS = {
    "version": "0.1.0",
    "since": 1_790_000_000,
    "mode": "act",
    "calls": 12,
    "callers_waiting": 1,
    "incidents": {"agent.absent": 2, "host.lost": 1},
    "api_spent": 34,
    "webhooks": {"taken": 5, "refused": {"forged": 1}},
    "polls": 9,
    "failing": [],
}


def test_a_running_sentinel_is_asked(serve: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    port = serve(json.dumps(STATUS).encode(), 200)
    result = sentinel("status", "--address", f"127.0.0.1:{port}")
    assert result.exit_code == 0
    assert narrow(result.stdout)
    told = [line.rstrip() for line in result.stdout.splitlines()]
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(1_790_000_000))
    assert told[0] == f"since            {since}"
    assert "incidents        agent.absent 2, host.lost 1" in told
    assert "failing          none" in told
    assert told[-1] == "version          0.1.0", "what is new comes last"
    monkeypatch.setenv("ONHOOK_SENTINEL", f"http://127.0.0.1:{port}")
    assert json.loads(sentinel("status", "--json").stdout) == STATUS


def test_a_sentinel_that_fails_in_something_is_an_error(serve: Served) -> None:
    body = json.dumps({**STATUS, "failing": ["the API answers 401"]}).encode()
    result = sentinel("status", "--address", f"127.0.0.1:{serve(body, 200)}")
    assert result.exit_code == 1
    assert "failing          the API answers 401" in result.stdout


@pytest.mark.parametrize(
    ("body", "code"), [(b"<html>", 200), (b"[]", 200), (b"{}", 404), (b"\xff", 200)]
)
def test_what_is_no_sentinel_is_told(serve: Served, body: bytes, code: int) -> None:
    result = sentinel("status", "--address", f"127.0.0.1:{serve(body, code)}")
    assert result.exit_code == 1
    assert "is no sentinel" in result.stderr


def test_where_none_answers_it_is_told_how_to_start_one() -> None:
    result = sentinel("status", "--address", f"127.0.0.1:{free_port()}")
    assert result.exit_code == 1
    assert "`onhook sentinel run` starts one" in result.stderr


def test_without_the_extra_it_is_told_what_to_install() -> None:
    program = (
        "import importlib.util as u, sys\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'tomlkit' else find(name, *more)\n"
        "sys.argv = ['onhook', 'sentinel', 'run']\n"
        "from onhook.cli import main; main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "pip install 'onhook[sentinel]'" in done.stderr


def test_other_commands_load_nothing_of_the_extra() -> None:
    program = (
        "import sys, onhook\n"
        "from onhook.cli import app; app(('incidents', 'watchdog', 'drain', 'doctor'))\n"
        "print([name for name in ('tomlkit', 'starlette', 'uvicorn', 'redis', 'livekit.agents')"
        " if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
