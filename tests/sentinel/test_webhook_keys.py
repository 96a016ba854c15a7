"""Further keys of webhooks and leases: how operators give them, and what is refused unseen."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from onhook.errors import ConfigurationError
from onhook.livekit import Credentials
from onhook.sentinel.sentinel_settings import SentinelSettings
from onhook.sentinel.webhook_keys import believed_keys, read_webhook_keys

SECRET = "Zq7" + "s" * 40
OTHER = "Vb1" + "t" * 40


@pytest.mark.parametrize(
    "told",
    [
        f"APIa:{SECRET},APIb:{OTHER}",
        f" APIa: {SECRET} , APIb: {OTHER} ",
        f"APIa: {SECRET}\nAPIb: {OTHER}\n",  # as LIVEKIT_KEYS is written
        f"# in use until June\nAPIa: \"{SECRET}\"\r\n\nAPIb: '{OTHER}'",
    ],
)
def test_pairs_are_read_from_the_variable_and_from_a_file(told: str, tmp_path: Path) -> None:
    whole = {"APIa": SECRET, "APIb": OTHER}
    assert read_webhook_keys(told) == whole
    file = tmp_path / "keys.yaml"
    file.write_bytes(told.replace(",", "\n").encode())
    assert read_webhook_keys(str(file)) == whole


def test_nothing_and_an_empty_file_are_no_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").write_text("# none at present\n")
    monkeypatch.chdir(tmp_path)
    assert read_webhook_keys("  ") == read_webhook_keys("keys") == read_webhook_keys("./keys") == {}


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (f"APIa:{OTHER},APIb:", "entry 2: this is no pair"),
        (f"APIa:{OTHER},{SECRET}", "entry 2: this is no pair"),
        (f":{SECRET}", "entry 1: this is no pair"),
        (f"APIa:{SECRET} APIb:{OTHER}", "entry 1: this is no pair"),
        (f"APIa:{SECRET},APIa:{OTHER}", "two secrets for the key 'APIa'"),
        (",".join(f"API{n}:{SECRET}" for n in range(17)), "gives 17 keys; 16 are the most"),
    ],
)
def test_a_mistake_is_named_and_no_secret_shown(told: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(told.replace(",", "\n"))
    for given in (told, str(file)):
        with pytest.raises(ConfigurationError) as caught:
            read_webhook_keys(given)
        assert message in str(caught.value)
        assert SECRET not in str(caught.value)
        assert OTHER not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"APIa: \xff\xfe secret", "it is no text"),
        (b"#" * 70_000, "longer than 65536 bytes"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "webhook-keys"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=message) as caught:
        read_webhook_keys(str(path))
    assert str(path) in str(caught.value)
    assert caught.value.__cause__ is None, "a decoder's error holds the text"


def test_the_key_in_use_is_believed_too_and_has_one_secret() -> None:
    credentials = Credentials("ws://host", "APImain", SECRET)
    assert believed_keys(credentials, {"APIold": OTHER}) == {"APImain": SECRET, "APIold": OTHER}
    assert believed_keys(credentials, {"APImain": SECRET}) == {"APImain": SECRET}
    with pytest.raises(ConfigurationError, match="different secrets for the key 'APImain'") as e:
        believed_keys(credentials, {"APImain": OTHER})
    assert OTHER not in str(e.value)


def test_the_environment_gives_them_and_nothing_shows_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ONHOOK_WEBHOOK_KEYS", f"APIold:{SECRET}")
    with caplog.at_level(logging.DEBUG):
        given = SentinelSettings.from_env(poll=5.0)
    assert given.webhook_keys == {"APIold": SECRET}
    assert given.poll == 5.0
    assert SECRET not in repr(given) + caplog.text
    assert SentinelSettings.from_env(webhook_keys={}).webhook_keys == {}
