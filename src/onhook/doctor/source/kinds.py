"""What can be found in an agent's source."""

from __future__ import annotations

from collections.abc import Sequence

from onhook.doctor.findings import Kind, Level

__all__ = [
    "BLOCKING",
    "CANCEL_SWALLOWED",
    "CLIENT_OPEN",
    "ERROR_SWALLOWED",
    "GOODBYE_CUT",
    "KINDS",
    "LATE_CONNECT",
    "NEVER_AWAITED",
    "NEVER_CONNECTS",
    "ORDER",
    "RULE_CONFIG",
    "TASK_DROPPED",
    "UNGUARDED",
    "UNREADABLE",
]

UNREADABLE = Kind(
    "source.unreadable",
    Level.ERROR,
    "the file is no Python",
    "the worker does not start with it",
    "correct the line that is named",
)
UNGUARDED = Kind(
    "source.unguarded",
    Level.ERROR,
    "an entrypoint has no guard",
    "a caller whose agent fails is left on a silent line, or on one that rings",
    "put @onhook.guard directly above the function, below @server.rtc_session(...)",
)
ORDER = Kind(
    "source.order",
    Level.ERROR,
    "the decorators are in the wrong order",
    "the module does not load: no agent takes calls",
    "put @onhook.guard below @server.rtc_session(...)",
)
BLOCKING = Kind(
    "source.blocking",
    Level.WARNING,
    "a call that blocks stands in code of the event loop",
    "the agent is mute and deaf for as long as it takes, and after 15 s it is taken for hung",
    "use the asynchronous way, or `await asyncio.to_thread(...)`",
)
CLIENT_OPEN = Kind(
    "source.client-open",
    Level.WARNING,
    "a client of an API is opened and never closed",
    "connections pile up in the process until a request of a later call fails",
    "use `async with ... as client:`, `await client.aclose()` in a `finally`, or `ctx.api`",
)
CANCEL_SWALLOWED = Kind(
    "source.cancel-swallowed",
    Level.WARNING,
    "a cancellation is swallowed",
    "the end of the call, or a rescue, is not heeded: the line is kept while nobody speaks",
    "catch Exception in its place, or end the handler with `raise`",
)
ERROR_SWALLOWED = Kind(
    "source.error-swallowed",
    Level.WARNING,
    "the entrypoint swallows its own failure",
    "nobody learns of it at once: the caller waits in silence until a time-out notices",
    "let the exception leave the entrypoint: the guard then speaks within a second",
)
NEVER_CONNECTS = Kind(
    "source.never-connects",
    Level.ERROR,
    "the entrypoint never joins the room",
    "the line rings until its time-out",
    "await ctx.connect(), or session.start(..., room=ctx.room)",
)
LATE_CONNECT = Kind(
    "source.late-connect",
    Level.WARNING,
    "the entrypoint waits before it joins the room",
    "the line rings for as long, and is not answered",
    "join first (await ctx.connect(), or session.start), and wait then",
)
TASK_DROPPED = Kind(
    "source.task-dropped",
    Level.WARNING,
    "a task is started, and nobody keeps it",
    "it may vanish in the middle (the loop holds it weakly), and its failure is seen by nobody",
    "keep it in a set until it is done, await it, or use `asyncio.TaskGroup`",
)
GOODBYE_CUT = Kind(
    "source.goodbye-cut",
    Level.WARNING,
    "the job is shut down while its last words are still to be spoken",
    "the caller does not hear the goodbye",
    "await session.say(...), or its `wait_for_playout()`, before the shutdown",
)
NEVER_AWAITED = Kind(
    "source.never-awaited",
    Level.ERROR,
    "a coroutine is made and never awaited",
    "what it was to do is not done: a session that is not started says nothing",
    "write `await` before it",
)
RULE_CONFIG = Kind(
    "source.rule-config",
    Level.ERROR,
    "a dispatch rule is made with a `room_config` beside `dispatch_rule`",
    "the server ignores it: no agent is sent, and the caller hears it ring",
    "put `room_config` into the SIPDispatchRuleInfo that `dispatch_rule` is given",
)

KINDS: Sequence[Kind] = (
    *(UNREADABLE, UNGUARDED, ORDER, BLOCKING, CLIENT_OPEN, CANCEL_SWALLOWED, ERROR_SWALLOWED),
    *(NEVER_CONNECTS, LATE_CONNECT, TASK_DROPPED, GOODBYE_CUT, NEVER_AWAITED, RULE_CONFIG),
)
