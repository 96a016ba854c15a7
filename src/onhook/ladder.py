"""A ladder: the rungs for an incident, in order, in a form that can travel."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from onhook.errors import LadderError, PolicyError
from onhook.rungs import (
    DeleteRoom,
    HandOver,
    HangUp,
    Keep,
    Redispatch,
    RemoveCallers,
    Retry,
    Rung,
    Say,
    Transfer,
)

__all__ = ["Ladder"]

_VERSION = 1
_KINDS = (Say, Retry, Redispatch, Transfer, HandOver, RemoveCallers, DeleteRoom, HangUp, Keep)
_KNOWN: Mapping[str, Any] = {kind.name: kind for kind in _KINDS}
_STAYS_HERE = ("tts",)
"""Fields that hold a living object and are left out of the JSON."""
_TELLING = 1.0
"""Seconds for looking at the call and for telling, beyond the deadlines of the rungs."""


class Ladder:
    """One or more rungs; a `Policy` completes one that would not end by itself.

    Args:
        rungs: In the order in which they are climbed.

    Raises:
        LadderError: No rung, something that is none, or a rung below one that ends the ladder.
    """

    __slots__ = ("_rungs",)

    def __init__(self, rungs: Iterable[Rung]) -> None:
        given: object = rungs
        if not isinstance(given, Iterable) or isinstance(given, str | bytes):
            raise LadderError(f"{rungs!r} is no ladder: give a list of rungs, [Say(), HangUp()]")
        rungs = tuple(rungs)
        if not rungs:
            raise LadderError("a ladder needs a rung, for example Ladder([Say(), HangUp()])")
        for place, rung in enumerate(rungs):
            if isinstance(rung, type) or type(rung) not in _KNOWN.values():
                hint = f": write {rung.__name__}()" if isinstance(rung, type) else ""
                raise LadderError(f"rung {place} is {rung!r}, which is no rung{hint or _known()}")
            if rung.terminal and place < len(rungs) - 1:
                raise LadderError(
                    f"rung {place} is {rung!r}, which ends the ladder: nothing below it would ever "
                    "run. Put it last"
                )
        self._rungs = rungs

    # no dataclass: msgspec would write its rungs by itself, and could not read them back

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The rungs, in order."""
        return self._rungs

    def longest(self, api_timeout: float) -> float:
        """Return the seconds within which a rescuer that lives has climbed it, looks included.

        Args:
            api_timeout: Seconds that each look at the call may take.
        """
        return sum(rung.deadline + api_timeout for rung in self._rungs) + _TELLING

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ladder) and self._rungs == other._rungs

    def __hash__(self) -> int:
        return hash(self._rungs)

    def __repr__(self) -> str:
        return f"Ladder({self._rungs!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (Ladder, (self._rungs,))

    @classmethod
    def of(cls, rungs: Ladder | Iterable[Rung]) -> Ladder:
        """Return a ladder, or make one of its rungs.

        Raises:
            LadderError: It is neither.
        """
        return rungs if isinstance(rungs, Ladder) else cls(rungs)

    def ended_by(self, rung: Rung) -> Ladder:
        """Return this ladder, with a last rung where its own would not end it.

        Args:
            rung: A rung that ends a ladder.
        """
        return self if self.rungs[-1].terminal else Ladder((*self.rungs, rung))

    def to_json(self) -> str:
        """Write the ladder as JSON; a `tts` stays behind, its text travels."""
        return json.dumps({"version": _VERSION, "rungs": [_to_dict(rung) for rung in self.rungs]})

    @classmethod
    def from_json(cls, text: str) -> Ladder:
        """Read a ladder that `to_json` wrote.

        Raises:
            LadderError: Names the rung, its place, what is wrong and what would be right.
        """
        try:
            data = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_unique)
        except (TypeError, ValueError, RecursionError) as error:  # ladders arrive from outside
            raise LadderError(
                f"the ladder is no JSON: {error}. Give the text that Ladder.to_json() returned"
            ) from error
        if not isinstance(data, dict) or set(data) != {"version", "rungs"}:
            raise LadderError('the ladder must be {"version": 1, "rungs": [...]}')
        if type(data["version"]) is not int or data["version"] != _VERSION:
            raise LadderError(
                f"the ladder has version {data['version']!r}; this onhook reads {_VERSION}: "
                "run the same onhook on both sides"
            )
        if not isinstance(data["rungs"], list):
            raise LadderError(f"rungs is {data['rungs']!r}, which is no list")
        return cls(tuple(_from_dict(place, rung) for place, rung in enumerate(data["rungs"])))


def _to_dict(rung: Any) -> dict[str, Any]:
    fields = (f.name for f in dataclasses.fields(rung) if f.name not in _STAYS_HERE)
    values = {name: getattr(rung, name) for name in fields}
    return {"rung": rung.name, **{k: _plain(v) for k, v in values.items() if v is not None}}


def _plain(value: Any) -> Any:
    # asked first: whether a type is a Mapping takes a millisecond when it is asked the first time
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return dict(value)
    return str(value) if isinstance(value, Path) else value


def _from_dict(place: int, data: object) -> Rung:
    if not isinstance(data, dict) or not isinstance(data.get("rung"), str):
        raise LadderError(f'rung {place} is {data!r}; it must be {{"rung": NAME, ...}}')
    name = data["rung"]
    if name not in _KNOWN:
        near = difflib.get_close_matches(name, _KNOWN, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise LadderError(f"rung {place} is {name!r}, which is no rung{hint}{_known()}")
    kind = _KNOWN[name]
    settings = {key: value for key, value in data.items() if key != "rung"}
    known = {f.name for f in dataclasses.fields(kind)} - set(_STAYS_HERE)
    if unknown := set(settings) - known:
        raise LadderError(
            f"rung {place} ({name}) has no setting {sorted(unknown)[0]!r}: "
            f"it has {', '.join(sorted(known)) or 'none'}"
        )
    try:
        rung: Rung = kind(**settings)
    except TypeError as error:
        raise LadderError(f"rung {place} ({name}) lacks a setting: {error}") from error
    except PolicyError as error:
        raise LadderError(f"rung {place} ({name}): {error}") from error
    return rung


def _known() -> str:
    return f" (known are {', '.join(sorted(_KNOWN))})"


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r} is given twice")
    return dict(pairs)
