"""What can be guarded, decided when the decorator runs and not when a caller is waiting."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias, get_args

from livekit.agents import AgentServer, JobContext

from onhook.errors import AudioError, DecorationError, PolicyError
from onhook.incident import Mode
from onhook.livekit.framework.job_internals import serves
from onhook.livekit.pcm import load_wav
from onhook.policy import Policy
from onhook.rungs import Say
from onhook.sinks import Observer

__all__ = [
    "Entrypoint",
    "announcements",
    "check_audio",
    "check_entrypoint",
    "check_observers",
    "check_options",
    "name_of",
]

Entrypoint: TypeAlias = Callable[[JobContext], Awaitable[None]]


_OBSERVER = ("opened", "intent", "climbed", "closed")
_JOURNAL = ("prepare", "handle", "entries", "incidents")
"""The methods of the Protocols `Observer` and `Journal`."""


def name_of(entrypoint: object) -> str:
    """Return the name under which a person knows an entrypoint."""
    while isinstance(entrypoint, functools.partial):
        entrypoint = entrypoint.func
    return str(getattr(entrypoint, "__qualname__", None) or repr(entrypoint))


def check_entrypoint(entrypoint: object) -> None:
    """Refuse what cannot be guarded.

    Args:
        entrypoint: What the decorator was put on.

    Raises:
        DecorationError: It is no `async def`, or a server of its module has it already.
    """
    name = name_of(entrypoint)
    inner: Any = entrypoint
    while isinstance(inner, functools.partial):
        inner = inner.func
    if not callable(inner):
        raise DecorationError(
            f"onhook.guard got {entrypoint!r}: put it on the entrypoint, `@onhook.guard`, or give "
            "it a policy, `@onhook.guard(onhook.Policy(...))`"
        )
    if not (inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(_call_of(inner))):
        raise DecorationError(
            f"onhook.guard cannot guard {name}: it is no coroutine function. Write "
            f"`async def {name}(ctx: JobContext)`, or let the decorator below return one"
        )
    if any(serves(server, entrypoint) for server in _servers(inner)):
        raise DecorationError(
            f"{name} is registered with the server unguarded: @onhook.guard stands above "
            "@server.rtc_session(...). Swap the two lines, so that @onhook.guard is the lower one"
        )


def announcements(policy: Policy) -> Iterator[Say]:
    """Yield everything that a policy may say."""
    for ladder in policy.ladders:
        yield from (rung for rung in ladder.rungs if isinstance(rung, Say))


def check_audio(policy: Policy) -> None:
    """Refuse an announcement's audio file that could not be spoken, or not to its end.

    Raises:
        AudioError: The file is missing, of a wrong format or silent.
        PolicyError: It is longer than its rung's deadline.
    """
    for say in announcements(policy):
        if say.audio is None:
            continue
        try:
            seconds = load_wav(Path(say.audio)).seconds
        except AudioError as error:
            raise AudioError(f"Say(audio=...): {error}") from error
        if seconds + say.start_deadline > say.deadline:
            raise PolicyError(
                f"Say(audio={str(say.audio)!r}) lasts {seconds:.1f} s, which is more than its "
                f"deadline of {say.deadline:g} s less {say.start_deadline:g} s to start: "
                f"give Say(deadline={seconds + say.start_deadline + 1:.0f})"
            )


def check_options(reraise: object, journal: object, mode: object) -> None:
    """Refuse what `guard` cannot use, before a caller's incident is the first to meet it.

    Raises:
        DecorationError: Names the argument, what was got and what to give.
    """
    if not isinstance(reraise, bool):
        raise DecorationError(f"onhook.guard(reraise={reraise!r}): give True or False")
    if mode not in get_args(Mode):
        raise DecorationError(f"onhook.guard(mode={mode!r}): give 'act' or 'observe'")
    _require_methods("journal=...", journal, _JOURNAL, "onhook.MemoryJournal()")


def check_observers(observers: object) -> tuple[Observer, ...]:
    """Return the observers that `guard` was given.

    Raises:
        DecorationError: One of them is none, or they are no list.
    """
    if not isinstance(observers, Iterable) or isinstance(observers, str | bytes):
        raise DecorationError(
            f"onhook.guard(observers={observers!r}): give a list, [onhook.LoggingObserver()]"
        )
    seen = tuple(observers)
    for observer in seen:
        _require_methods("observers=[...]", observer, _OBSERVER, "onhook.LoggingObserver()")
    return seen


def _require_methods(name: str, got: object, methods: tuple[str, ...], example: str) -> None:
    if isinstance(got, type):
        raise DecorationError(
            f"onhook.guard({name}) got the class {got.__name__}: write {got.__name__}(...)"
        )
    if lacking := [method for method in methods if not callable(getattr(got, method, None))]:
        raise DecorationError(
            f"onhook.guard({name}) got {got!r}, which has no {lacking[0]}(): give for example "
            f"{example}"
        )


def _call_of(inner: object) -> object:
    return inspect.getattr_static(type(inner), "__call__", None)


def _servers(inner: object) -> Iterator[AgentServer]:
    module = sys.modules.get(getattr(inner, "__module__", None) or "")
    names = {} if module is None else vars(module)
    yield from (value for value in list(names.values()) if isinstance(value, AgentServer))
