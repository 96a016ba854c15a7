"""The words of livekit-agents' log: it alone tells of exceptions in an agent's own callbacks."""

from __future__ import annotations

__all__ = ["LOGGER", "what_broke_the_turn"]

LOGGER = "livekit.agents"
"""The logger of the framework (`log.py`)."""

_MEANINGS = {
    "_traceable_on_enter": "on_enter raised",
    "on_user_turn_completed": "on_user_turn_completed raised",
    "_update_activity_task": "the handoff to another agent raised",
}
"""Words of its messages, and what they mean for the caller's turn: `voice/agent_activity.py`, and
`utils/log.py`, whose message has the name of the coroutine that raised."""


def what_broke_the_turn(message: str) -> str:
    """Return why the caller's turn has come to nothing, or an empty string: it may be well.

    Args:
        message: A message of the framework's log that came with an exception.
    """
    return next((what for word, what in _MEANINGS.items() if word in message), "")
