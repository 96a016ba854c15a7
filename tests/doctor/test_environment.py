from __future__ import annotations

import time

import jwt
import pytest

from onhook.doctor.environment import judge_environment

KEY, SECRET = "APIabcdefgh123", "a-secret-of-more-than-thirty-two-characters"
SOUND = {
    "LIVEKIT_URL": "wss://voice.livekit.cloud",
    "LIVEKIT_API_KEY": KEY,
    "LIVEKIT_API_SECRET": SECRET,
}


def codes(env: dict[str, str]) -> list[str]:
    found = list(judge_environment({**SOUND, **env}, now=time.time()))
    assert SECRET not in str(found)
    return [each.code for each in found]


@pytest.mark.parametrize(
    "url",
    [
        *("wss://voice.livekit.cloud", "https://livekit.example.com/", "ws://localhost:7880"),
        *("ws://livekit:7880", "ws://10.0.0.7:7880", "ws://[::1]:7880", "http://127.0.0.1:7880"),
        *("ws://livekit.voice.svc.cluster.local:80", "wss://example.com/livekit"),
        *("wss://my-project-a1b2c3d4.livekit.cloud", "ws://my-livekit:7880"),
    ],
)
def test_addresses_that_are_right(url: str) -> None:
    assert codes({"LIVEKIT_URL": url}) == []


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"LIVEKIT_URL": ""}, ["env.missing"]),
        ({"LIVEKIT_URL": "", "LIVEKIT_API_KEY": ""}, ["env.missing", "env.missing"]),
        ({"LIVEKIT_URL": "voice.livekit.cloud"}, ["env.url"]),
        ({"LIVEKIT_URL": "tcp://voice.livekit.cloud"}, ["env.url"]),
        ({"LIVEKIT_URL": "wss://"}, ["env.url"]),
        ({"LIVEKIT_URL": "wss://host:port"}, ["env.url"]),
        ({"LIVEKIT_URL": "wss://voice.livekit.cloud/rtc"}, ["env.url"]),
        ({"LIVEKIT_URL": "wss://voice.livekit.cloud?token=x"}, ["env.url"]),
        ({"LIVEKIT_URL": f"wss://key:{SECRET}@voice.livekit.cloud"}, ["env.url"]),
        ({"LIVEKIT_URL": SECRET}, ["env.url"]),
        ({"LIVEKIT_URL": "ws://voice.livekit.cloud"}, ["env.insecure"]),
        ({"LIVEKIT_URL": "http://8.8.8.8:7880"}, ["env.insecure"]),
        ({"LIVEKIT_URL": " wss://voice.livekit.cloud"}, ["env.untrimmed"]),
        ({"LIVEKIT_URL": "'wss://voice.livekit.cloud'"}, ["env.untrimmed"]),
        ({"LIVEKIT_API_SECRET": f"{SECRET}\n"}, ["env.untrimmed"]),
        ({"LIVEKIT_API_KEY": f'"{KEY}"'}, ["env.untrimmed"]),
        ({"LIVEKIT_API_KEY": "<your-api-key>"}, ["env.placeholder"]),
        ({"LIVEKIT_API_SECRET": "your_api_secret"}, ["env.placeholder"]),
        ({"LIVEKIT_URL": "wss://your-project.livekit.cloud"}, ["env.placeholder"]),
        ({"LIVEKIT_URL": "wss://my-project.livekit.cloud"}, ["env.placeholder"]),
        ({"LIVEKIT_URL": "wss://<project>.livekit.cloud"}, ["env.placeholder"]),
        ({"LIVEKIT_API_KEY": "my-key"}, []),
        ({"LIVEKIT_API_KEY": SECRET, "LIVEKIT_API_SECRET": KEY}, ["env.swapped"]),
        ({"LIVEKIT_API_SECRET": KEY}, ["env.swapped"]),
        ({"LIVEKIT_API_KEY": "devkey", "LIVEKIT_API_SECRET": "secret"}, ["env.secret-short"]),
        ({"LIVEKIT_TOKEN": "no-token"}, []),
        ({"ONHOOK_MOED": "observe"}, ["env.unknown"]),
        ({"ONHOOK_TEST_IDLE": "1", "ONHOOK_BIN_DIR": "/x"}, []),
        ({"ONHOOK_WATCHDOG": "sometimes"}, ["env.setting"]),
    ],
)
def test_what_is_wrong_is_named(env: dict[str, str], expected: list[str]) -> None:
    assert codes(env) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(60, ["env.token-alone"]), (-7200, ["env.token-expired", "env.token-alone"])],
)
def test_a_token_alone(seconds: int, expected: list[str]) -> None:
    token = jwt.encode({"exp": int(time.time()) + seconds}, SECRET)
    given = {"LIVEKIT_API_KEY": "", "LIVEKIT_API_SECRET": "", "LIVEKIT_TOKEN": token}
    assert codes(given) == expected


@pytest.mark.parametrize("token", ["x", "a.b.c", "a.bm90IGpzb24.c", "a.W10.c"])
def test_what_is_no_token(token: str) -> None:
    given = {"LIVEKIT_API_KEY": "", "LIVEKIT_API_SECRET": "", "LIVEKIT_TOKEN": token}
    assert codes(given) == ["env.token-expired", "env.token-alone"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ONHOOK_MODE", "observ", "env.setting"),
        ("ONHOOK_MODE", "observe", "env.observes"),
        ("ONHOOK_ATTRIBUTES", "yes", "env.setting"),
        ("ONHOOK_SENTINEL", "sentinel:7899", "env.setting"),
        ("ONHOOK_ACTIVE", "0", "env.guards-off"),
        ("ONHOOK_NUMBERS", "all", "env.setting"),
        ("ONHOOK_WEBHOOK_KEYS", "APIother: ", "env.setting"),
    ],
)
def test_settings_of_onhook(
    name: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert codes({name: value}) == [expected]


def test_a_short_secret_on_a_developers_machine_is_a_note() -> None:
    env = {
        "LIVEKIT_URL": "ws://localhost:7880",
        "LIVEKIT_API_KEY": "devkey",
        "LIVEKIT_API_SECRET": "secret",
    }
    (found,) = judge_environment(env, now=0.0)
    assert (found.code, found.level) == ("env.secret-short", "note")
