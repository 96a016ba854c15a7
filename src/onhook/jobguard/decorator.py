"""`@onhook.guard`: the one line in an agent's code."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from livekit.agents import JobContext

from onhook import settings
from onhook.errors import DecorationError
from onhook.incident import Mode
from onhook.jobguard import switch
from onhook.jobguard.argument_checks import (
    Entrypoint,
    check_audio,
    check_entrypoint,
    check_observers,
    check_options,
    name_of,
)
from onhook.jobguard.canary_call import answer_canary, is_canary
from onhook.jobguard.job import GuardedJob
from onhook.jobguard.superfluous import is_superfluous
from onhook.policy import Policy
from onhook.sinks import LoggingObserver, Observer
from onhook.sinks.journal import Journal, SqliteJournal

__all__ = ["Guarded", "guard"]

logger = logging.getLogger("onhook")


@dataclass(frozen=True, slots=True)
class _Options:
    policy: Policy = field(default_factory=Policy)
    reraise: bool = True
    observers: Sequence[Observer] = (LoggingObserver(),)
    journal: Journal = field(default_factory=SqliteJournal)
    mode: Mode = "act"


class Guarded:
    """A guarded entrypoint. It is called like the entrypoint, and pickles like a function.

    Args:
        entrypoint: The entrypoint.
        options: What `guard` was given.
    """

    def __init__(self, entrypoint: Entrypoint, options: _Options) -> None:
        functools.update_wrapper(self, entrypoint)
        self._entrypoint = entrypoint
        self._options = options

    async def __call__(self, ctx: JobContext) -> None:
        """Run the entrypoint; when it fails, make the caller safe first."""
        if ctx.is_fake_job():
            return await self._entrypoint(ctx)
        if is_canary(ctx):
            return await answer_canary(ctx)
        if not switch.is_active():
            return await self._entrypoint(ctx)
        options = self._options
        mode = switch.mode_of_job(options.mode)
        if mode == "act" and await is_superfluous(ctx):
            return ctx.shutdown("another agent has the caller")
        try:
            job = GuardedJob(ctx, options.policy, options.observers, options.journal, mode=mode)
        except Exception:
            logger.exception("this call is not guarded; the agent runs all the same")
            return await self._entrypoint(ctx)
        return await job.run(self._entrypoint, reraise=options.reraise)

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle by name where the name leads here, else by the wrapped function.

        forkserver and spawn send the entrypoint to their children. `@guard` above a function makes
        its name lead to the guard; `guard(imported)` leaves it leading to the function.
        """
        name = getattr(self, "__qualname__", "")
        found: Any = sys.modules.get(getattr(self, "__module__", None) or "")
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is self and name:
            return str(name)
        return (Guarded, (self._entrypoint, self._options))

    def __repr__(self) -> str:
        return f"<onhook.guard of {name_of(self._entrypoint)}>"


@overload
def guard(entrypoint: Entrypoint, /) -> Guarded: ...


@overload
def guard(
    policy: Policy | None = None,
    /,
    *,
    reraise: bool = True,
    observers: Sequence[Observer] | None = None,
    journal: Journal | None = None,
    mode: Mode = "act",
) -> Callable[[Entrypoint], Guarded]: ...


def guard(
    entrypoint: Entrypoint | Policy | None = None,
    /,
    *,
    reraise: bool = True,
    observers: Sequence[Observer] | None = None,
    journal: Journal | None = None,
    mode: Mode = "act",
) -> Guarded | Callable[[Entrypoint], Guarded]:
    """Guard the entrypoint of a LiveKit telephony agent.

    Use it bare, `@onhook.guard`, or with a policy, `@onhook.guard(onhook.Policy(...))`, below
    `@server.rtc_session(...)`; or as a function, `server.rtc_session()(onhook.guard(entrypoint))`
    and `WorkerOptions(entrypoint_fnc=onhook.guard(entrypoint))`. A missing `LIVEKIT_*` variable
    is logged when the first job starts: the worker may set it from its own arguments after the
    decorator has run, and a decorated function is told of nothing before that job.

    Args:
        entrypoint: The entrypoint, or a policy.
        reraise: Whether the entrypoint's own exception goes on to the framework once the caller
            is safe. With `False` the job ends as if it had asked for its shutdown.
        observers: Who is told of every incident; a `LoggingObserver` when omitted.
        journal: Keeps the evidence of every incident; when omitted a `SqliteJournal`, which
            `onhook incidents` reads.
        mode: `"act"` rescues. `"observe"` judges, plans and records what would have been done, in
            the job and in the watchdog, and does nothing. `ONHOOK_MODE` in the worker's environment
            has the last word.

    Raises:
        ConfigurationError: `ONHOOK_MODE` is neither of the two.
        DecorationError: An argument is of the wrong type, the entrypoint is no coroutine function,
            the decorators are in the wrong order, or it is guarded already.
        AudioError: The policy names an audio file that a phone line cannot carry.
    """
    policy = entrypoint if isinstance(entrypoint, Policy) else Policy()
    check_audio(policy)
    seen = check_observers((LoggingObserver(),) if observers is None else observers)
    kept = SqliteJournal() if journal is None else journal
    check_options(reraise, kept, mode)
    settings.mode()  # what it says is refused now, and not when a caller is there
    options = _Options(policy, reraise, seen, kept, mode)
    if entrypoint is None or isinstance(entrypoint, Policy):
        return lambda target: _guarded(target, options)
    return _guarded(entrypoint, options)


def _guarded(target: Entrypoint, options: _Options) -> Guarded:
    if isinstance(target, Guarded):
        raise DecorationError(f"{target!r} is guarded already: use one @onhook.guard")
    check_entrypoint(target)
    return Guarded(target, options)
