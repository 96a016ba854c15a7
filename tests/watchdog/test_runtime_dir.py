"""Which jobs share a watchdog, and which must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from onhook.livekit.credentials import Credentials
from onhook.watchdog.runtime_dir import RuntimeDir, normalized

FOLDER = RuntimeDir(Path("/run/onhook"))
OURS = Credentials("wss://host.example", "key", "secret")


@pytest.mark.parametrize(
    "url",
    [
        "wss://host.example/",
        "https://host.example",
        "WSS://HOST.example:443",
        "https://host.example.:443/",
    ],
)
def test_one_server_has_one_name(url: str) -> None:
    assert FOLDER.of(Credentials(url, "key", "secret")) == FOLDER.of(OURS)


@pytest.mark.parametrize(
    "other",
    [
        Credentials("ws://host.example", "key", "secret"),
        Credentials("wss://host.example:7880", "key", "secret"),
        Credentials("wss://host.example/project", "key", "secret"),
        Credentials("wss://other.example", "key", "secret"),
        Credentials("wss://host.example", "key2", "secret"),
        Credentials("wss://host.example", "key", "rotated"),
        Credentials("wss://host.example", token="token"),
    ],
)
def test_another_server_or_key_has_another_watchdog(other: Credentials) -> None:
    assert FOLDER.of(other).socket != FOLDER.of(OURS).socket


def test_another_wire_format_has_another_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    before = FOLDER.of(OURS)
    monkeypatch.setattr("onhook.watchdog.runtime_dir.VERSION", 99)
    assert FOLDER.of(OURS) != before


def test_the_name_tells_no_secret() -> None:
    name = FOLDER.of(Credentials("wss://host.example", "APIkey", "s3cret")).socket.name
    assert "APIkey" not in name
    assert "s3cret" not in name
    assert normalized("ws://127.0.0.1:7880") == "ws://127.0.0.1:7880"
