"""What the simulated provider says and understands, and who asked it."""

from __future__ import annotations

import json
import uuid
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from onhook.bench.simulator.provider_faults import Endpoint
from onhook.bench.simulator.simulator_errors import SimulatorError

__all__ = ["Ask", "Lines", "Script", "ToolCall"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """An answer that asks for a tool.

    Args:
        name: The tool.
        arguments: What it is called with.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def json(self) -> str:
        """The arguments as models write them."""
        return json.dumps(dict(self.arguments))


@dataclass(frozen=True, slots=True)
class Script:
    """What is said and understood; the last line of each is repeated for ever.

    Args:
        answers: Answers of the model, one a request: words, or a tool call.
        heard: What the recogniser understands when there is sound, one a request.
        pace: Seconds between two words of an answer.
    """

    answers: tuple[str | ToolCall, ...] = ("Certainly, a table for two it is.",)
    heard: tuple[str, ...] = ("I would like a table for two please.",)
    pace: float = 0.0

    def __post_init__(self) -> None:
        for name in ("answers", "heard"):
            lines = getattr(self, name)
            if isinstance(lines, str | bytes) or not isinstance(lines, Iterable) or not lines:
                raise SimulatorError(f"Script({name}={lines!r}): give at least one, in a tuple")
            object.__setattr__(self, name, tuple(lines))


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that was seen.

    Args:
        endpoint: What was asked for.
        model: The model that was named.
        text: The last message of the chat, or what was to be spoken; empty for a transcription.
        at: When its body had come, seconds of the monotonic clock (`time.monotonic`).
        fault: The kind of the fault that it got, or an empty string.
        level: Loudness of the uploaded audio, dBFS; `None` for the other endpoints.
        id: The request id of the response.
    """

    endpoint: Endpoint
    model: str
    text: str
    at: float
    fault: str = ""
    level: float | None = None
    id: str = field(default_factory=lambda: f"req_{uuid.uuid4().hex[:12]}")


class Lines(Generic[_T]):
    """Lines of a script, of which the last is repeated."""

    def __init__(self, lines: Iterable[_T]) -> None:
        self._lines = deque(lines)

    def take(self) -> _T:
        """Return the next line."""
        return self._lines.popleft() if len(self._lines) > 1 else self._lines[0]
