"""Values between Python and JSON: whatever a message holds, and nothing that it must not."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from onhook.call import Leg
from onhook.errors import OnhookError
from onhook.faults import Fault
from onhook.ladder import Ladder

__all__ = ["FieldError", "from_wire", "to_wire"]

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_LONGEST = 48 * 1024
"""Characters of one text."""
_MOST_LEGS = 100


class FieldError(OnhookError, ValueError):
    """A field is missing, of the wrong type or out of range."""


def to_wire(message: Any) -> dict[str, Any]:
    """Return a message's fields as JSON can hold them."""
    return {
        field.name: _encode(getattr(message, field.name)) for field in dataclasses.fields(message)
    }


def from_wire(kind: type[T], data: Mapping[str, Any]) -> T:
    """Make a message of a kind from JSON.

    Args:
        kind: The dataclass.
        data: Its fields, and no others.

    Raises:
        FieldError: Names the field and what is wrong with it.
    """
    hints = _hints(cast(Any, kind))
    if set(data) != set(hints):
        names = ", ".join(sorted(set(data) ^ set(hints)))[:200]
        raise FieldError(f"the fields differ: {names}")
    values = {name: _decode(name, hint, data[name]) for name, hint in hints.items()}
    try:
        return kind(**values)
    except (OnhookError, TypeError, ValueError) as error:
        raise FieldError(str(error)[:300]) from error


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _encode(value: Any) -> Any:
    if isinstance(value, Ladder):
        return value.to_json()
    if isinstance(value, Mapping):
        return {str(key): _encode(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    if dataclasses.is_dataclass(value):
        return to_wire(value)
    return str(value) if isinstance(value, StrEnum) else value


def _decode(name: str, hint: Any, value: Any) -> Any:
    if hint in _DECODERS:
        return _DECODERS[hint](name, value)
    if get_origin(hint) is Literal:
        if value not in get_args(hint) or not isinstance(value, str):
            raise _wrong(name, value, " or ".join(map(repr, get_args(hint))))
        return value
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _enum(hint, name, value)
    if get_origin(hint) is tuple:
        return _legs(name, value)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise _wrong(name, value, "an object")
        return from_wire(hint, value)
    raise _wrong(name, value, str(hint))


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise _wrong(name, value, f"a text of at most {_LONGEST} characters")
    return value


def _int(name: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**31:
        raise _wrong(name, value, "a number from 0 to 2147483647")
    return value


def _float(name: str, value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) < 1e12 or not math.isfinite(value):
        raise _wrong(name, value, "a finite number")
    return float(value)


def _bool(name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise _wrong(name, value, "true or false")
    return value


def _enum(kind: type[E], name: str, value: Any) -> E:
    try:
        return kind(value)
    except ValueError:
        raise _wrong(name, value, f"a {kind.__name__}") from None


def _ladder(name: str, value: Any) -> Ladder:
    try:
        return Ladder.from_json(_text(name, value))
    except (OnhookError, TypeError, ValueError, RecursionError) as error:
        raise FieldError(f"{name}: {str(error)[:300]}") from error


def _legs(name: str, value: Any) -> tuple[Leg, ...]:
    if not isinstance(value, list) or len(value) > _MOST_LEGS:
        raise _wrong(name, value, f"a list of at most {_MOST_LEGS}")
    return tuple(_decode(name, Leg, leg) for leg in value)


def _seconds_or_none(name: str, value: Any) -> float | None:
    return None if value is None else _float(name, value)


def _ladders(name: str, value: Any) -> Mapping[Fault, Ladder]:
    if not isinstance(value, dict):
        raise _wrong(name, value, "an object of ladders")
    return {_enum(Fault, name, fault): _ladder(name, text) for fault, text in value.items()}


def _wrong(name: str, value: Any, wanted: str) -> FieldError:
    return FieldError(f"{name} is {repr(value)[:80]}: it must be {wanted}")


_DECODERS: Mapping[Any, Callable[[str, Any], Any]] = {
    str: _text,
    int: _int,
    float: _float,
    bool: _bool,
    float | None: _seconds_or_none,
    Ladder: _ladder,
    Mapping[Fault, Ladder]: _ladders,
}
