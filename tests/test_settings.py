"""Where things are kept, in surroundings of every kind. The log says once what is unusual."""

from __future__ import annotations

import logging
import pwd
from pathlib import Path

import pytest

from onhook import settings
from onhook.errors import ConfigurationError

NAMES = (
    *("ONHOOK_JOURNAL", "ONHOOK_RUNTIME_DIR", "ONHOOK_OUTAGES", "ONHOOK_PLANS"),
    *("XDG_STATE_HOME", "XDG_CACHE_HOME"),
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment of its own: a home, and `shared` in the place of /tmp."""
    for name in (*NAMES, "XDG_RUNTIME_DIR", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "shared").mkdir()
    monkeypatch.setattr(settings, "SHARED", str(tmp_path / "shared"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def spare(tmp_path: Path) -> Path:
    (folder,) = (tmp_path / "shared").glob("onhook-*")
    return folder


@pytest.fixture
def no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))


def unknown(_: int) -> None:
    raise KeyError("getpwuid(): uid not found")


def test_a_home_has_it_all(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = settings.places()
    assert found.journal == home / ".local/state/onhook/incidents.db"
    assert found.renderings == home / ".cache/onhook/renderings"
    assert list(home.iterdir()) == [], "nothing is made before it is used"
    assert not caplog.records


def test_the_environment_names_other_places(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    found = settings.places()
    assert found.journal == tmp_path / "onhook/incidents.db"
    assert found.renderings == home / ".cache/onhook/renderings"
    assert found.runtime == tmp_path / "onhook"
    monkeypatch.setenv("ONHOOK_JOURNAL", "~/j.db")
    monkeypatch.setenv("ONHOOK_RUNTIME_DIR", "run")
    found = settings.places()
    assert found.journal == home / "j.db"
    assert found.runtime == Path("run").absolute(), "a watchdog changes its folder"


def test_the_file_of_outages_is_beside_the_journal(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.outages() == home / ".local/state/onhook/outages.json"
    monkeypatch.setenv("ONHOOK_JOURNAL", str(tmp_path / "j.db"))
    assert settings.outages() == tmp_path / "outages.json"
    monkeypatch.setenv("ONHOOK_OUTAGES", "~/o.json")
    assert settings.outages() == home / "o.json"


def test_call_records_are_beside_the_journal(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.records() == home / ".local/state/onhook/calls.db"
    monkeypatch.setenv("ONHOOK_RECORDS", "~/calls/all.db")
    assert settings.records() == home / "calls/all.db"


@pytest.mark.parametrize(
    ("word", "means"), [("", "masked"), ("Masked", "masked"), ("whole", "whole")]
)
def test_numbers_are_masked_unless_allowed(
    word: str, means: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONHOOK_NUMBERS", word)
    assert settings.numbers() == means


def test_another_word_for_numbers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONHOOK_NUMBERS", "off")
    with pytest.raises(ConfigurationError, match="ONHOOK_NUMBERS='off': give 'masked'"):
        settings.numbers()


def test_plans_are_where_they_are_said_to_be(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.plans() is None
    monkeypatch.setenv("ONHOOK_PLANS", "~/plans.toml")
    assert settings.plans() == home / "plans.toml"


@pytest.mark.usefixtures("no_home")
def test_without_a_usable_home_it_is_kept_in_a_private_folder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = settings.places()
    kept = spare(tmp_path)
    assert found == settings.Places(kept / "incidents.db", kept / "renderings", kept)
    assert kept.stat().st_mode & 0o777 == 0o700
    settings.places()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert str(kept / "incidents.db") in caplog.text
    assert str(kept / "renderings") in caplog.text


def test_an_unknown_user_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setenv("ONHOOK_JOURNAL", "~/j.db")
    assert settings.places().journal == spare(tmp_path) / "incidents.db"


@pytest.mark.usefixtures("no_home")
def test_a_folder_that_somebody_else_could_have_made_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings.places()
    kept = spare(tmp_path)
    kept.rename(tmp_path / "theirs")
    kept.symlink_to(tmp_path / "theirs")
    settings._places.cache_clear()
    assert settings.places() == settings.Places(None, None, None)
    assert "no file" in caplog.text
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert settings.places().runtime == tmp_path / kept.name


def test_a_runtime_folder_of_somebody_else_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "onhook").mkdir(mode=0o777)
    (tmp_path / "onhook").chmod(0o777)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert settings.places().runtime == spare(tmp_path)


@pytest.mark.parametrize(("word", "on"), [("0", False), (" Off ", False), ("", True), ("1", True)])
def test_the_switch(word: str, on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONHOOK_ACTIVE", word)
    assert settings.is_on() is on


def test_a_mode_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONHOOK_MODE", "watch")
    with pytest.raises(ConfigurationError, match="observe"):
        settings.mode()


@pytest.mark.parametrize(
    ("word", "means"), [("Auto", "auto"), ("external", "external"), ("0", "off"), ("", None)]
)
def test_the_watchdogs_mode(word: str, means: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONHOOK_WATCHDOG", word)
    assert settings.watchdog() == means


def test_the_readme_has_every_variable() -> None:
    text = (Path(__file__).parent.parent / "README.md").read_text()
    table = text[text.index("## The environment") :]
    named = [getattr(settings, name) for name in settings.__all__ if name.isupper()]
    assert [name for name in named if f"| `{name}` |" not in table] == []
