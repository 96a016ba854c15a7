"""What fails and what is said, and the JSON by which another process changes it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from onhook.bench.simulator.provider_faults import Endpoint, ProviderFault
from onhook.bench.simulator.script import Ask, Lines, Script, ToolCall
from onhook.bench.simulator.simulator_errors import SimulatorError

__all__ = ["State"]

_KEPT = 1000
"""Requests that are remembered."""
_KEYS = ("queue", "standing", "script", "listening")


class State:
    """Faults, script and the requests that were seen.

    Args:
        script: What is said and understood.
    """

    def __init__(self, script: Script) -> None:
        self.asks: deque[Ask] = deque(maxlen=_KEPT)
        self.standing: dict[Endpoint, ProviderFault] = {}
        self.queue: dict[Endpoint, deque[ProviderFault]] = {each: deque() for each in Endpoint}
        self.follow(script)

    def follow(self, script: Script) -> None:
        """Begin a script."""
        self.script = script
        self.answers = Lines(script.answers)
        self.heard = Lines(script.heard)

    def take(self, endpoint: Endpoint) -> ProviderFault | None:
        """Return the fault of the next request: from the queue, else the standing one."""
        waiting = self.queue[endpoint]
        return waiting.popleft() if waiting else self.standing.get(endpoint)

    def heal(self, *endpoints: Endpoint | str) -> None:
        """Let requests succeed again: those of some endpoints, or all."""
        for endpoint in [Endpoint(each) for each in endpoints] or list(Endpoint):
            self.standing.pop(endpoint, None)
            self.queue[endpoint].clear()

    def to_dict(self) -> dict[str, Any]:
        """Return everything, for a control message."""
        return {
            "standing": {str(k): v.to_dict() for k, v in self.standing.items()},
            "queue": {str(k): [f.to_dict() for f in v] for k, v in self.queue.items() if v},
            "requests": [asdict(ask) for ask in self.asks],
        }

    def obey(self, order: object) -> None:
        """Change what a control message names, all of it or nothing.

        Raises:
            SimulatorError: Says what is wrong.
        """
        if not isinstance(order, Mapping) or not set(order) <= set(_KEYS):
            raise SimulatorError(f"a control message has {', '.join(_KEYS)}; got {order!r}")
        queue = {k: [_fault(k, f) for f in v] for k, v in _by_endpoint(order, "queue").items()}
        standing = {
            k: None if v is None else _fault(k, v)
            for k, v in _by_endpoint(order, "standing").items()
        }
        script = _script(self.script, order["script"]) if "script" in order else None
        for endpoint, faults in queue.items():
            self.queue[endpoint] = deque(faults)
        for endpoint, fault in standing.items():
            self.standing.pop(endpoint, None)
            if fault is not None:
                self.standing[endpoint] = fault
        if script is not None:
            self.follow(script)


def _by_endpoint(order: Mapping[str, Any], key: str) -> dict[Endpoint, Any]:
    faults = order.get(key, {})
    try:
        return {Endpoint(name): value for name, value in faults.items()}
    except (AttributeError, ValueError):
        known = ", ".join(Endpoint)
        raise SimulatorError(f"{key} names endpoints ({known}); got {faults!r}") from None


def _fault(endpoint: Endpoint, data: object) -> ProviderFault:
    fault = ProviderFault.from_dict(data)
    fault.check(endpoint)
    return fault


def _script(script: Script, data: object) -> Script:
    if not isinstance(data, Mapping):
        raise SimulatorError(f"a script is an object; got {data!r}")
    changes = dict(data)
    if isinstance(changes.get("answers"), list):
        changes["answers"] = tuple(_answer(each) for each in changes["answers"])
    try:
        return replace(script, **changes)
    except TypeError as error:
        raise SimulatorError(f"the script {changes!r}: {error}") from None


def _answer(data: object) -> str | ToolCall:
    if isinstance(data, str):
        return data
    if isinstance(data, Mapping) and isinstance(data.get("tool"), str):
        return ToolCall(data["tool"], data.get("arguments", {}))
    raise SimulatorError(f'an answer is text or {{"tool": NAME, "arguments": {{}}}}; got {data!r}')
