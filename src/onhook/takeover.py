"""What a redispatched agent is told about the incident that brought it here, and how it travels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from onhook.incident import Incident

__all__ = [
    "CANARY",
    "CANARY_ROOM",
    "KEY",
    "SECOND_DISPATCH",
    "Earlier",
    "Takeover",
    "compose",
    "incident_of",
    "read",
]

KEY = "onhook"
"""The key of the job metadata's JSON object under which the incident stands."""

SECOND_DISPATCH = "onhook.second_dispatch"
"""Attribute of a dispatch by which a sentinel repeats one that no agent has answered; any text.

It stands beside the metadata, which an agent's own code reads and which stays as it was.
"""
CANARY = "onhook.canary"
"""Attribute of a dispatch that only asks whether an agent takes calls; any text."""
CANARY_ROOM = "onhook-canary-"
"""How the name of such a dispatch's room begins; nobody is ever called in one."""

_VERSION = 1
_DETAIL = 500
"""Characters of an incident's detail that travel; livekit-server bounds a job's metadata."""
_HISTORY = 8
"""Earlier incidents that travel."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """An agent that failed in this call before.

    Args:
        incident: Id of the incident.
        fault: What went wrong, a word of `onhook.Fault`.
        agent: Identity of the agent.
        job: LiveKit job id.
    """

    incident: str
    fault: str
    agent: str = ""
    job: str = ""


@dataclass(frozen=True, slots=True)
class Takeover:
    """The incident that made an agent take over a call.

    Args:
        incident: Id of the incident, as in logs and the journal.
        fault: What went wrong, a word of `onhook.Fault`.
        detail: One sentence on it.
        attempt: How many times this call has been redispatched, this time included.
        agent: Identity of the agent that failed.
        job: LiveKit id of the job that failed.
        metadata: The metadata with which the failed job had been dispatched.
        history: The agents that failed before that one, the newest first.
    """

    incident: str
    fault: str
    detail: str = ""
    attempt: int = 1
    agent: str = ""
    job: str = ""
    metadata: str = ""
    history: tuple[Earlier, ...] = ()

    @classmethod
    def of(cls, incident: Incident, metadata: str) -> Takeover:
        """Describe an incident for the agent that shall take over.

        Args:
            incident: What happened.
            metadata: The metadata of the job that failed; it may tell of a takeover itself.
        """
        before = read(metadata)
        return cls(
            incident=incident.id,
            fault=str(incident.fault),
            detail=incident.failure.detail[:_DETAIL],
            attempt=1 if before is None else before.attempt + 1,
            agent=incident.call.agent,
            job=incident.call.job,
            metadata=metadata if before is None else before.metadata,
            history=() if before is None else before.past,
        )

    def given(self, metadata: str) -> Takeover:
        """Return the same with other metadata; an incident in it has no say."""
        plain = _object(metadata)
        if plain is not None and plain.pop(KEY, None) is not None:
            metadata = json.dumps(plain)
        return replace(self, metadata=metadata)

    @property
    def past(self) -> tuple[Earlier, ...]:
        """Everybody who has failed so far, the newest first."""
        newest = Earlier(self.incident, self.fault, self.agent, self.job)
        return (newest, *self.history)[:_HISTORY]


def compose(takeover: Takeover) -> str:
    """Write the metadata of the new job.

    Metadata that is a JSON object stays one, with `KEY` added to it; any other text stands under
    `KEY` itself, as `"metadata"`.
    """
    plain = _object(takeover.metadata)
    told: dict[str, Any] = {
        "version": _VERSION,
        "incident": takeover.incident,
        "fault": takeover.fault,
        "detail": takeover.detail,
        "attempt": takeover.attempt,
        "agent": takeover.agent,
        "job": takeover.job,
        "history": [
            {"incident": e.incident, "fault": e.fault, "agent": e.agent, "job": e.job}
            for e in takeover.history
        ],
    }
    if not plain and takeover.metadata:
        told["metadata"] = takeover.metadata
    return json.dumps({**(plain or {}), KEY: told})


def read(metadata: str) -> Takeover | None:
    """Read what `compose` wrote; `None` where a job's metadata tells of no incident."""
    whole = _object(metadata)
    told = None if whole is None else whole.pop(KEY, None)
    if not isinstance(told, dict) or told.get("version") != _VERSION:
        return None
    attempt, history = told.get("attempt"), told.get("history")
    earlier = [e for e in history if isinstance(e, dict)] if isinstance(history, list) else []
    takeover = Takeover(
        incident=_text(told, "incident"),
        fault=_text(told, "fault"),
        detail=_text(told, "detail"),
        attempt=attempt if isinstance(attempt, int) and attempt > 0 else 1,
        agent=_text(told, "agent"),
        job=_text(told, "job"),
        metadata=_text(told, "metadata"),
        history=tuple(
            Earlier(*(_text(e, name) for name in ("incident", "fault", "agent", "job")))
            for e in earlier[:_HISTORY]
        ),
    )
    return replace(takeover, metadata=json.dumps(whole)) if whole else takeover


class _Job(Protocol):
    @property
    def metadata(self) -> str: ...


class _Context(Protocol):
    @property
    def job(self) -> _Job: ...


def incident_of(ctx: _Context) -> Takeover | None:
    """Return the incident that brought this job here, or `None` for a job like any other.

    Args:
        ctx: The `JobContext`.
    """
    return read(ctx.job.metadata)


def _object(text: str) -> dict[str, Any] | None:
    try:
        data = json.loads(text)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name, "")
    return value if isinstance(value, str) else ""
