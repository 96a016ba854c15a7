"""From what is tracked of a call to the frozen pictures that detectors judge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from onhook.call import Call, Direction, LegKind
from onhook.sentinel.call_view import CallView, JobHint, Lease
from onhook.sentinel.stays import RULE, TRUNK, Stay

if TYPE_CHECKING:
    from onhook.sentinel.tracked_call import TrackedCall

__all__ = ["picture_of", "view_of"]

_NOTHING: Mapping[str, str] = MappingProxyType({})


def picture_of(room: str, stays: Iterable[Stay], *, complete: bool) -> Call:
    """Return who is on a call, the answered legs first.

    Args:
        room: Room name.
        stays: Who is there.
        complete: Whether everybody in the room has been listed.
    """
    ordered = sorted(stays, key=lambda stay: stay.order)
    legs = tuple(stay.member.leg for stay in ordered)
    agents = [leg for leg in legs if leg.kind is LegKind.AGENT]
    voices = agents if len(agents) == 1 else [leg for leg in agents if leg.audible]
    agent = voices[0].identity if len(voices) == 1 else ""
    return Call(room, legs, agent, direction=_direction(ordered), complete=complete)


def view_of(
    call: TrackedCall,
    *,
    lease: Lease | None,
    released: str,
    rescue_until: float | None,
    hint: JobHint | None,
    clock: float | None,
) -> CallView:
    """Return a call as the detectors see it.

    Args:
        call: What is tracked of it.
        lease: The host's word for it.
        released: Why its host says that the agent has left it on purpose.
        rescue_until: By when its host's rescue will have ended.
        hint: The server's latest word on the agent's job.
        clock: By how much the server's clock is ahead of the sentinel's, at least; `None` if that
            is not known.
    """
    picture, stays = call.call, call.stays.values()
    agents = tuple(stay.as_agent() for stay in stays if stay.is_agent)
    phones = [stay.member for stay in stays if stay.member.leg.kind is LegKind.CALLER]
    caller, joined = _NOTHING, 0.0
    if callers := picture.callers:
        caller = next(member.attributes for member in phones if member.leg is callers[0])
        joined = min([member.joined_at for member in phones])
    agent, job = picture.agent, ""
    if lease is not None:
        job = lease.job
        agent = lease.agent if any(a.identity == lease.agent for a in agents) else agent
    ended = None if lease is None else lease.ended
    visited = call.visited or bool(call.strangers) or lease is not None
    inbound = picture.direction is Direction.INBOUND
    known = [t for t in (call.rescue_until, rescue_until) if t is not None]
    return CallView(
        call=call.answered_for(agent, job),
        sid=call.sid,
        metadata=call.metadata,
        caller=caller,
        first_seen=call.first_seen,
        began_after=call.began_after,
        server_age_since=joined - clock if joined and clock is not None else None,
        no_agent_since=_not_before(call.no_agent_since, ended),
        alone_since=_not_before(call.alone_since, ended),
        visited=visited,
        agent_left=call.agent_left,
        agent_left_by=call.agent_left_by,
        rang_on=call.rang_on,
        ringing_since=call.ringing_since,
        answered_since=call.answered_since,
        two_legs_since=call.two_legs_since,
        agents=agents,
        lease=lease,
        released=call.released or released,
        rescue=call.rescue.rpartition(";")[0],
        rescue_until=max(known) if known else None,
        hint=hint,
        ladder=call.ladder,
        agent_name=call.agent_name or ("" if hint is None else hint.agent_name),
        trunkless=inbound and not caller.get(TRUNK) and call.answered_since is None and not visited,
        polled=call.polled,
        listed=call.listed,
        doubtful=call.counts.doubtful,
    )


def _not_before(since: float | None, ended: float | None) -> float | None:
    """Return since when nobody looks after a caller, which an agent's host did until it ended."""
    return since if since is None or ended is None else max(since, ended)


def _direction(ordered: Iterable[Stay]) -> Direction:
    """Return who dialled: a call with a leg that a dispatch rule has matched came in."""
    phones = [s for s in ordered if s.member.leg.kind is LegKind.CALLER and s.member.leg.call_id]
    if not phones:
        return Direction.UNKNOWN
    came_in = any(stay.attributes.get(RULE) for stay in phones)
    return Direction.INBOUND if came_in else Direction.OUTBOUND
