"""The calls of this moment, as the page lists them. Pure."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from onhook.sentinel.call_view import CallView
from onhook.sentinel.seen_calls import call_key
from onhook.sentinel.web.wording import Words

__all__ = ["CallRow", "CallState", "CallsNow", "calls_now"]

_DEAF = 2
"""Unanswered questions in a row after which an agent is shown as one that does not answer."""


class CallState(StrEnum):
    """How a call stands; the worst that is true."""

    ALONE = "nobody is there"
    UNANSWERING = "agent does not answer"
    RESCUE = "rescue under way"
    RINGING = "ringing"
    UNSEEN = "not looked at yet"
    COMPANY = "with a person"
    AGENT = "with its agent"


_TONES: Mapping[CallState, str] = {
    CallState.ALONE: "bad",
    CallState.UNANSWERING: "bad",
    CallState.RESCUE: "warn",
    CallState.RINGING: "busy",
    CallState.UNSEEN: "plain",
    CallState.COMPANY: "good",
    CallState.AGENT: "good",
}
_ORDER = tuple(CallState)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """One call. Times are seconds since 1970.

    Args:
        id: What the row is known by in the page; says nothing.
        room: Its name.
        state: How it stands.
        direction: `inbound`, `outbound` or `unknown`.
        number: The project's number, as it may be shown.
        caller: The far end's, likewise.
        agent: The agent's name; empty where none is known.
        began: When it was first there.
        ringing: Since when it rings; `None` where it does not.
        silent: Since when its caller is on an answered line, and nobody is there.
        incident: Id of its incident that has no end yet; empty for none.
    """

    id: str
    room: str
    state: CallState
    direction: str
    number: str
    caller: str
    agent: str
    began: int
    ringing: int | None
    silent: int | None
    incident: str

    @property
    def tone(self) -> str:
        """How it is coloured, beside the words."""
        return _TONES[self.state]


@dataclass(frozen=True, slots=True)
class CallsNow:
    """What the page of calls shows.

    Args:
        rows: The calls, the worst first.
        total: How many rooms the sentinel watches.
        more: How many of these are not listed here, because there are too many.
        silent: In how many of the listed calls nobody is there, or the agent does not answer.
        rescues: In how many a rescue is under way.
        ringing: How many ring.
    """

    rows: tuple[CallRow, ...]
    total: int
    more: int
    silent: int
    rescues: int
    ringing: int


def calls_now(
    uneasy: Iterable[CallView],
    views: Iterable[CallView],
    words: Words,
    *,
    total: int,
    most: int,
    offset: float,
    attended: Container[str] = (),
    incidents: Mapping[str, str] | None = None,
) -> CallsNow:
    """Return the calls as the page lists them.

    Args:
        uneasy: Those whose callers nobody is known to look after.
        views: All.
        words: Writes names and numbers.
        total: How many there are.
        most: How many are listed.
        offset: What makes seconds since 1970 of the sentinel's clock.
        attended: Rooms whose rescue by this sentinel is under way.
        incidents: Ids of the incidents that have no end yet, by room.
    """
    found: dict[str, CallView] = {}
    for view in itertools.chain(uneasy, views):
        if len(found) >= most:
            break
        found.setdefault(view.room, view)
    open_incidents = incidents or {}
    rows = [
        _row(view, words, offset, view.room in attended, open_incidents.get(view.call.room, ""))
        for view in found.values()
        if _is_phone_call(view)
    ]
    rows.sort(key=lambda row: (_ORDER.index(row.state), row.began, row.room))
    states = [row.state for row in rows]
    return CallsNow(
        tuple(rows),
        total=total,
        more=max(0, total - len(found)),
        silent=states.count(CallState.ALONE) + states.count(CallState.UNANSWERING),
        rescues=states.count(CallState.RESCUE),
        ringing=states.count(CallState.RINGING),
    )


def _is_phone_call(view: CallView) -> bool:
    """Return whether a phone is on it, as far as that is known."""
    return bool(view.call.callers) or not view.call.complete


def _row(view: CallView, words: Words, offset: float, attended: bool, incident: str) -> CallRow:
    state = _state(view, attended)
    ringing = view.ringing_since if view.call.ringing else None
    began = min(view.first_seen, view.server_age_since or view.first_seen)
    agent = view.agent_name or next((agent.identity for agent in view.agents), "")
    silent = None
    if state is CallState.ALONE and view.alone_since is not None:
        silent = max(view.alone_since, view.answered_since or view.alone_since)
    return CallRow(
        id=hashlib.sha256(call_key(view).encode("utf-8", "replace")).hexdigest()[:16],
        room=words.label(view.room),
        state=state,
        direction=str(view.call.direction),
        number=words.number(view.caller.get("sip.trunkPhoneNumber", "")),
        caller=words.number(view.caller.get("sip.phoneNumber", "")),
        agent=words.label(agent),
        began=round(began + offset),
        ringing=None if ringing is None else round(ringing + offset),
        silent=None if silent is None else round(silent + offset),
        incident=incident,
    )


def _state(view: CallView, attended: bool) -> CallState:
    call = view.call
    if attended or view.rescue_until is not None:
        return CallState.RESCUE
    if not call.callers:
        return CallState.UNSEEN
    if call.ringing:
        return CallState.RINGING
    if view.alone_since is not None:
        return CallState.ALONE
    if view.agents:
        deaf = all(agent.unanswered >= _DEAF for agent in view.agents)
        return CallState.UNANSWERING if deaf else CallState.AGENT
    return CallState.COMPANY if call.humans or call.colleagues else CallState.UNSEEN
