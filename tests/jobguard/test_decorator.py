from __future__ import annotations

import functools
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from livekit.agents import AgentServer, JobContext

import onhook
from onhook.errors import AudioError, DecorationError, PolicyError
from onhook.jobguard.decorator import Guarded
from onhook.livekit.pcm import Pcm, save_wav
from tests.jobguard.fakes import FakeJob

seen: list[str] = []


@onhook.guard
async def bare(ctx: JobContext) -> None:
    """The docstring of bare."""
    seen.append("bare")


@onhook.guard(onhook.Policy(first_audio=3.0), reraise=False)
async def with_policy(ctx: JobContext) -> None:
    seen.append("with policy")


async def plain(ctx: JobContext) -> None:
    seen.append("plain")


class Callable:
    async def __call__(self, ctx: JobContext) -> None:
        seen.append("callable")


@pytest.fixture(autouse=True)
def off() -> Iterator[None]:
    seen.clear()
    yield
    onhook.set_active(None)


def test_it_looks_like_the_entrypoint() -> None:
    assert getattr(bare, "__name__") == "bare"  # noqa: B009 - copied from what is wrapped
    assert bare.__doc__ == "The docstring of bare."
    assert "bare" in repr(bare)


@pytest.mark.parametrize("entrypoint", [bare, with_policy])
def test_a_decorated_entrypoint_pickles_by_name(entrypoint: Guarded) -> None:
    assert pickle.loads(pickle.dumps(entrypoint)) is entrypoint  # noqa: S301 - our own bytes


@pytest.mark.parametrize("entrypoint", [plain, functools.partial(plain), Callable()])
def test_a_wrapped_entrypoint_pickles_by_what_it_wraps(entrypoint: Any) -> None:
    policy = onhook.Policy(lost=[onhook.HangUp(deadline=7.0)])
    guarded = onhook.guard(policy, reraise=False)(entrypoint)
    back = pickle.loads(pickle.dumps(guarded))  # noqa: S301 - our own bytes
    assert isinstance(back, Guarded)
    assert back is not guarded
    assert back._options.policy == policy
    assert back._options.reraise is False


@pytest.mark.parametrize("entrypoint", [plain, functools.partial(plain), Callable()])
async def test_every_kind_of_entrypoint_runs(entrypoint: Any) -> None:
    job = FakeJob()
    job.fake = True
    await onhook.guard(entrypoint)(job.ctx)
    assert len(seen) == 1


async def test_the_kill_switch_leaves_the_bare_entrypoint(monkeypatch: pytest.MonkeyPatch) -> None:
    job = FakeJob()
    onhook.set_active(False)
    await bare(job.ctx)
    assert seen == ["bare"]
    assert job.callbacks == []
    onhook.set_active(None)
    monkeypatch.setenv("ONHOOK_ACTIVE", "off")
    assert not onhook.is_active()
    monkeypatch.setenv("ONHOOK_ACTIVE", "1")
    assert onhook.is_active()


def sync(ctx: JobContext) -> None: ...


async def stream(ctx: JobContext) -> Any:
    yield


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (sync, r"cannot guard sync.*async def sync"),
        (functools.partial(sync), "cannot guard sync"),
        (stream, "cannot guard stream"),
        (bare, "guarded already"),
        (7, "got 7"),
    ],
)
def test_what_cannot_be_guarded_is_refused_when_it_is_decorated(target: Any, says: str) -> None:
    with pytest.raises(DecorationError, match=says):
        onhook.guard(target)
    with pytest.raises(DecorationError, match=says):
        onhook.guard(onhook.Policy())(target)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"observers": 5}, r"observers=5\): give a list"),
        ({"observers": "log"}, r"observers='log'\): give a list"),
        ({"observers": [5]}, r"observers=\[...\]\) got 5, which has no opened\(\)"),
        ({"observers": [onhook.LoggingObserver]}, r"the class LoggingObserver: write"),
        ({"journal": 5}, r"journal=...\) got 5, which has no prepare\(\)"),
        ({"journal": onhook.MemoryJournal}, r"the class MemoryJournal: write MemoryJournal\("),
        ({"reraise": "no"}, r"reraise='no'\): give True or False"),
    ],
)
def test_what_the_guard_cannot_use_is_refused_when_it_is_given(
    options: dict[str, Any], says: str
) -> None:
    with pytest.raises(DecorationError, match=says):
        onhook.guard(**options)
    with pytest.raises(DecorationError, match=says):
        onhook.guard(onhook.Policy(), **options)


def test_the_observers_and_the_journal_that_are_given_are_kept() -> None:
    observer, journal = onhook.LoggingObserver(), onhook.MemoryJournal()
    guarded = onhook.guard(observers=[observer], journal=journal)(plain)
    assert guarded._options.observers == (observer,)
    assert guarded._options.journal is journal


@pytest.mark.parametrize("guard", ["guard", "guard(onhook.Policy())"])
def test_the_wrong_order_is_refused_when_the_module_is_loaded(guard: str) -> None:
    module = ModuleType("an_agent")
    sys.modules["an_agent"] = module
    text = f"""
from livekit.agents import AgentServer
import onhook
server = AgentServer()

@onhook.{guard}
@server.rtc_session()
async def entrypoint(ctx): ...
"""
    with pytest.raises(DecorationError, match=r"above.*Swap the two lines"):
        exec(text, vars(module))  # noqa: S102 - our own text
    del sys.modules["an_agent"]


def test_the_right_order_is_fine() -> None:
    server = AgentServer()

    @server.rtc_session(agent_name="a")
    @onhook.guard
    async def entrypoint(ctx: JobContext) -> None: ...

    assert isinstance(entrypoint, Guarded)


def test_audio_is_checked_when_the_policy_is_given(tmp_path: Path) -> None:
    silent, long = tmp_path / "silent.wav", tmp_path / "long.wav"
    save_wav(silent, Pcm(np.zeros(16000, np.int16), 8000))
    tone = (np.sin(np.arange(8000 * 30) / 3) * 9000).astype(np.int16)
    save_wav(long, Pcm(tone, 8000))
    for path, error, says in (
        (tmp_path / "none.wav", AudioError, "there is no audio file"),
        (silent, AudioError, "is silent"),
        (long, PolicyError, r"Say\(deadline=34\)"),
    ):
        with pytest.raises(error, match=says):
            onhook.guard(onhook.Policy(lost=[onhook.Say(audio=path)]))
        with pytest.raises(error, match=says):
            onhook.guard(onhook.Policy(on={"agent.shutdown": [onhook.Say(audio=path)]}))
    onhook.guard(onhook.Policy(lost=[onhook.Say(audio=long, deadline=40)]))


async def test_a_guard_that_cannot_be_made_leaves_the_agent_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("onhook.jobguard.decorator.GuardedJob", broken)
    await onhook.guard(plain)(FakeJob().ctx)
    assert seen == ["plain"]
    assert "not guarded" in caplog.text
