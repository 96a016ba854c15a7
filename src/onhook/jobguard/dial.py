"""`onhook.dial`: call somebody, and never leave a leg behind that nobody waits for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, TypeVar

from livekit.agents import JobContext

from onhook.errors import ApiError, OutageError, PolicyError
from onhook.faults import Fault
from onhook.jobguard.outage_check import outage_for
from onhook.jobguard.registry import guarded
from onhook.livekit import Credentials, ServerApi
from onhook.livekit.outbound import DialEnding, Invitation, Reply, invite, reply_of
from onhook.livekit.room_changes import Changes
from onhook.outages import explained
from onhook.validation import require_seconds, require_text

__all__ = ["DialResult", "dial"]

T = TypeVar("T")

logger = logging.getLogger("onhook")

_LONGEST = 75.0
"""Seconds for an answer; livekit-server gives up after 80 s (`CreateSIPParticipant`)."""
_HOUR = 3600.0
_REQUEST = 5.0
"""Seconds for removing a leg, once."""
_ENDING = 15.0
"""Seconds for seeing that a leg is gone and stays away."""
_AGAIN = 0.5
"""Seconds between removals, while the server may still be making the leg."""

_owned: set[asyncio.Task[Any]] = set()
"""Tasks that outlive the call of `dial` that made them; each is bounded."""
_warned = False


@dataclass(frozen=True, slots=True)
class DialResult:
    """How a call to somebody went.

    Args:
        ending: `answered`, `busy`, `declined`, `no_answer`, or `failed` for all else: a wrong
            number, a trunk that refuses, a server that is not there.
        identity: The callee's participant identity; in the room if `answered`, and only then.
        detail: One sentence for the log.
        status: The SIP status, where the far end gave one (486, 603).
        reason: Its phrase.
        fault: Which row of the fault matrix this is; `None` if `answered`.
        seconds: How long it took.
    """

    ending: DialEnding
    identity: str
    detail: str
    status: int | None = None
    reason: str = ""
    fault: Fault | None = None
    seconds: float = 0.0

    @property
    def answered(self) -> bool:
        """Whether the callee is on the line."""
        return self.ending == "answered"


async def dial(
    ctx: JobContext,
    number: str,
    trunk: str,
    *,
    identity: str = "",
    deadline: float = 30.0,
    max_call: float | EllipsisType | None = ...,
    caller: str = "",
    name: str = "",
    headers: Mapping[str, str] | None = None,
) -> DialResult:
    """Call somebody into the job's room, and wait for the answer.

    Whatever does not end in `answered` leaves no leg: an answer that comes too late is hung up on,
    also when the caller of this function is cancelled. The job is connected to its room first.

    Args:
        ctx: The job.
        number: The number to call.
        trunk: Id of an outbound trunk (`ST_...`).
        identity: The callee's participant identity; `callee_<number>` when omitted.
        deadline: Seconds for the answer. At most 75: the server waits for no longer than 80.
        max_call: Seconds from this answer after which the line is released, in the place of
            `Policy.max_call`; `None` adds no limit. When omitted, that of the policy holds, and an
            hour where it has none: livekit-server 1.13 enforces none for calls that are made.
        caller: The number shown to the callee; one of the trunk's when omitted.
        name: The callee's participant name.
        headers: Further header fields of the INVITE.

    Raises:
        PolicyError: A value is of the wrong type or out of range.
        ConfigurationError: There is no server or key in the environment.
        OutageError: `onhook sentinel outage` is on for the trunk, for the number that is dialled or
            shown, or for all. Nobody was dialled.
    """
    require_text("dial", "number", number, "the number to call")
    require_text("dial", "trunk", trunk, "the id of an outbound trunk, ST_...")
    require_seconds("dial", "deadline", deadline)
    if deadline > _LONGEST:
        raise PolicyError(f"dial(deadline={deadline!r}): the server waits 80 s; give {_LONGEST:g}")
    if not isinstance(max_call, EllipsisType | None):
        require_seconds("dial", "max_call", max_call)
    credentials = Credentials.from_env()
    if (outage := await outage_for(trunk, number, caller)) is not None:
        raise OutageError(f"{number!r} was not dialled: {explained(outage)}")
    if not ctx.room.isconnected():
        await ctx.connect()
    invitation = Invitation(
        room=ctx.room.name,
        identity=identity or f"callee_{number}",
        number=number,
        trunk=trunk,
        ringing=deadline + 1,
        caller=caller,
        name=name,
        headers=headers or {},
    )
    result = await _dial(credentials, invitation, deadline)
    logger.info("dialled %s: %s, %s", number, result.ending, result.detail)
    if result.answered and (seconds := _limit_of(ctx, max_call)) is not None:
        _limit(ctx, credentials, result.identity, seconds)
    return result


async def _dial(credentials: Credentials, invitation: Invitation, deadline: float) -> DialResult:
    clock = asyncio.get_running_loop().time
    began = clock()
    server = ServerApi(credentials, timeout=_REQUEST)
    request = asyncio.create_task(invite(server, invitation), name="onhook-invite")
    try:
        await asyncio.wait({request}, timeout=deadline)
    except asyncio.CancelledError:
        await asyncio.shield(_own(_end(server, invitation, request)))
        raise
    reply = Reply("no_answer", f"no answer within {deadline:g} s")
    if request.done():
        try:
            reply = _reply(request)
        except Exception:  # the leg may be there, whatever our request suffered from
            await asyncio.shield(_own(_end(server, invitation, request)))
            raise
    fault: Fault | None = None
    if reply.ending == "answered":
        _own(server.aclose())
    elif await asyncio.shield(_own(_end(server, invitation, request))):
        reply = Reply("no_answer", f"answered after {deadline:g} s, and was hung up on")
        fault = Fault.OUTBOUND_LATE_ANSWER
    else:
        fault = Fault.OUTBOUND_UNANSWERED
    return DialResult(
        ending=reply.ending,
        identity=invitation.identity,
        detail=reply.detail,
        status=reply.status,
        reason=reply.reason,
        fault=fault,
        seconds=clock() - began,
    )


def _reply(request: asyncio.Task[None]) -> Reply:
    error = request.exception()
    if error is None:
        return Reply("answered", "answered")
    if isinstance(error, ApiError):
        return reply_of(error)
    raise error


async def _end(server: ServerApi, invitation: Invitation, request: asyncio.Task[None]) -> bool:
    """See that there is no leg, now or later; return whether somebody had answered meanwhile.

    That nobody waits for the request does not stop the dialling, and the leg may not be there yet:
    it is removed until the server has answered the request, and once more then.
    """
    over = request.done()
    async with server:
        try:
            async with asyncio.timeout(_ENDING):
                while True:
                    await _remove(server, invitation)
                    if over:
                        break
                    over = bool((await asyncio.wait({request}, timeout=_AGAIN))[0])
        except TimeoutError:
            logger.error(  # noqa: TRY400 - no traceback helps
                "cannot tell whether the call to %s is over; the server ends it after %g s",
                invitation.number,
                invitation.ringing,
            )
        finally:
            request.cancel()
            await asyncio.wait({request})
    return not request.cancelled() and request.exception() is None


async def _remove(server: ServerApi, invitation: Invitation) -> None:
    try:
        await server.remove(invitation.room, invitation.identity)
    except ApiError as error:
        logger.warning("the call to %s may still be ringing: %s", invitation.number, error)


def _limit_of(ctx: JobContext, given: float | EllipsisType | None) -> float | None:
    """Return what is to be limited newly: what was given, else an hour where nothing limits yet."""
    if not isinstance(given, EllipsisType):
        return given
    guard = guarded(ctx)
    return _HOUR if guard is None or guard.call_limit is None else None


def _limit(ctx: JobContext, credentials: Credentials, identity: str, seconds: float) -> None:
    """Have the guard limit the call, or do it here where there is none that acts."""
    global _warned  # noqa: PLW0603 - one warning for one process is the point
    guard = guarded(ctx)
    if guard is not None and not guard.observes:
        guard.limit_call(seconds)
        return
    if guard is None and not _warned:
        _warned = True
        logger.warning(
            "onhook.dial is used in a job without @onhook.guard: the call is limited to %g s, and "
            "nobody looks after it otherwise",
            seconds,
        )
    _own(_release_after(ctx, credentials, identity, seconds))


async def _release_after(
    ctx: JobContext, credentials: Credentials, identity: str, seconds: float
) -> None:
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    was_there = False
    with Changes(ctx.room) as changes:
        while clock() < until:
            there = identity in ctx.room.remote_participants
            if was_there and not there and ctx.room.isconnected():
                return
            was_there = was_there or there
            await changes.wait(until - clock())
    logger.warning("the call of %s is over its limit of %g s: released", identity, seconds)
    async with ServerApi(credentials, timeout=_REQUEST) as server:
        await server.remove(ctx.room.name, identity)


def _own(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Let a bounded piece of work go on, whoever waits for it or no longer does."""
    task = asyncio.create_task(work, name="onhook-dial")
    _owned.add(task)
    task.add_done_callback(_disown)
    return task


def _disown(task: asyncio.Task[Any]) -> None:
    _owned.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("looking after a call that was dialled failed: %r", error)
