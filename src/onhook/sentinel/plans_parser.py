"""A file of plans is read whole, or refused with the line of every mistake."""

from __future__ import annotations

import difflib
import itertools
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from onhook.errors import PlansError
from onhook.rungs import Transfer
from onhook.sentinel import toml_lines
from onhook.sentinel.limits import Limits
from onhook.sentinel.phone_numbers import by_key, leads_back
from onhook.sentinel.plans import Match, Plan, Plans, Rule, built_ladder
from onhook.sentinel.plans_schema import FileSchema, MatchSchema, PlanSchema, SettingsSchema

__all__ = ["parse"]

_MOST_RULES = 20_000
_MOST_MISTAKES = 20
_LONGEST_VALUE = 60
_NAMED = 2
"""Values of a match that are in its plan's name."""


@dataclass(frozen=True, slots=True)
class _Mistake:
    path: toml_lines.Path
    text: str


def parse(text: str, *, name: str, folder: Path, own: Collection[str] = ()) -> Plans:
    """Read plans.

    Args:
        text: TOML.
        name: What the text is called in messages: the file.
        folder: Where the paths of audio files begin.
        own: Numbers of the project's trunks; those that the plans match are added. A fallback
            that leads to one of them is refused: the caller would come back.

    Raises:
        PlansError: Names the line of each mistake, what was got and what is right.
    """
    try:
        held = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        line = toml_lines.line_of_error(text, error)
        told = str(error).partition(" (at ")[0]
        raise PlansError(f"{name}:{line}: this is no TOML: {told}") from None
    try:
        file = FileSchema.model_validate(held, context={"folder": folder})
    except ValidationError as error:
        raise _refused(name, text, [_of(held, e) for e in error.errors()]) from None
    plans, mistakes = _built(file, own)
    if mistakes:
        raise _refused(name, text, mistakes)
    return plans


def _built(file: FileSchema, own: Collection[str]) -> tuple[Plans, list[_Mistake]]:
    keys = by_key(itertools.chain(own, *(plan.match.number for plan in file.plan)))
    default = _plan("default", file.default, {})
    mistakes = list(_wrong(("default",), file.default, default, keys))
    rules: dict[Match, tuple[Rule, int]] = {}
    for place, given in enumerate(file.plan):
        path = ("plan", place)
        if not given.match.model_fields_set:
            mistakes.append(
                _Mistake((*path, "match"), "match is empty: what is for all calls is [default]")
            )
            continue
        matches = tuple(itertools.islice(_matches(given.match), _MOST_RULES + 1))
        plan = _plan(given.name or _name(given.match), given, file.default.given())
        mistakes += _wrong(path, given, plan, keys)
        for match in matches:
            if match in rules and rules[match][1] != place:
                mistakes.append(
                    _Mistake((*path, "match"), f"another plan is for {match} too: leave one out")
                )
            rules[match] = Rule(match, plan), place
            if len(rules) > _MOST_RULES:
                mistakes.append(_Mistake(path, f"these are more than {_MOST_RULES} matches"))
                return Plans(), mistakes
    return Plans(default, tuple(rule for rule, _ in rules.values())), mistakes


def _plan(name: str, given: SettingsSchema, default: Mapping[str, Any]) -> Plan:
    own = given.given()
    settings = {**default, **own}
    settings = {key: value for key, value in settings.items() if key not in ("name", "match")}
    if "ladder" not in own and ("fallback" in own or "ladder" not in default):
        settings["ladder"] = built_ladder(
            settings.get("fallback", ""), settings.get("text", ""), settings.get("audio")
        )
    limits = {key: settings.pop(key) for key in Limits.__slots__ if key in settings}
    return Plan(name=name, limits=Limits(**limits), **settings)


def _name(match: MatchSchema) -> str:
    """Name a plan by its calls, as they are written."""
    named = []
    for field in (name for name in MatchSchema.model_fields if name in match.model_fields_set):
        values: tuple[str, ...] = getattr(match, field)
        more = f" and {len(values) - _NAMED} more" if len(values) > _NAMED else ""
        named.append(f"{field.replace('_', ' ')} {', '.join(values[:_NAMED])}{more}")
    return "; ".join(named)


def _matches(match: MatchSchema) -> Iterator[Match]:
    for number, trunk, agent, room, tag in itertools.product(
        match.number, match.trunk, match.agent, match.room_prefix, match.tag
    ):
        yield Match(number=number, trunk=trunk, agent=agent, room_prefix=room, tag=tag)


def _wrong(
    path: toml_lines.Path, given: SettingsSchema, plan: Plan, own: Mapping[str, str]
) -> Iterator[_Mistake]:
    """Yield what is wrong with a plan as a whole; what it has of `[default]` is told there."""
    if field := next((f for f in ("absent", "second_dispatch") if f in given.model_fields_set), ""):
        later, absent = plan.limits.second_dispatch, plan.limits.absent
        if later is not None and absent is not None and later >= absent:
            yield _Mistake(
                (*path, field),
                f"the second dispatch would come after {later:g} s, and the words after absent = "
                f"{absent:g} s: give a greater absent, or second_dispatch = false",
            )
    if "fallback" in given.model_fields_set and (number := leads_back(plan.fallback, own)):
        yield _Mistake((*path, "fallback"), _comes_back(plan.fallback, number))
    if "ladder" in given.model_fields_set:
        for place, rung in enumerate(plan.ladder.rungs):
            if isinstance(rung, Transfer) and (number := leads_back(rung.to, own)):
                yield _Mistake((*path, "ladder", place, "to"), _comes_back(rung.to, number))


def _comes_back(address: str, number: str) -> str:
    return (
        f"{address!r} leads to {number}, a number of your own: the caller would come back as a new "
        "call, again and again. Give a number that no trunk of this project answers"
    )


def _refused(name: str, text: str, mistakes: list[_Mistake]) -> PlansError:
    shown = mistakes[:_MOST_MISTAKES]
    lines = toml_lines.lines_of(text, (mistake.path for mistake in shown))
    ordered = sorted(shown, key=lambda mistake: lines[mistake.path])
    told = [f"{name}:{lines[mistake.path]}: {mistake.text}" for mistake in ordered]
    if len(mistakes) > len(shown):
        told.append(f"{name}: and {len(mistakes) - len(shown)} more mistakes")
    return PlansError("\n".join(told))


def _of(held: Mapping[str, Any], error: ErrorDetails) -> _Mistake:
    """Return one of pydantic's errors in our words."""
    path: toml_lines.Path = error["loc"]
    key, value = path[-1] if path else "", error["input"]
    match error["type"]:
        case "extra_forbidden":
            return _Mistake(path, _unknown(path))
        case "missing":
            return _Mistake(
                path[:-1], 'a plan needs the calls that it is for: match.number = "+15550100"'
            )
        case "mistake":
            context = error["ctx"]
            inner: toml_lines.Path = context["path"]
            for step in inner:
                key, value = key if isinstance(step, int) else step, value[step]
            text: str = context["text"]
            quoted = isinstance(value, str) and repr(value) in text
            told = quoted or isinstance(value, dict) or text.startswith("rung ")
            return _Mistake((*path, *inner), text if told else f"{_shown(key, value)}: {text}")
        case "list_type":
            return _Mistake(path, "write [[plan]], with two brackets, once for each plan")
        case _:
            right = "a table with keys, such as match.number" if key == "match" else "a table"
            return _Mistake(path, f"{_shown(key, value)}: give {right}")


def _unknown(path: toml_lines.Path) -> str:
    *table, key = path
    kind: type[BaseModel] = SettingsSchema
    if not table:
        kind = FileSchema
    elif table[-1] == "match":
        kind = MatchSchema
    elif table[0] == "plan":
        kind = PlanSchema
    if kind is PlanSchema and key in MatchSchema.model_fields:
        return f"unknown key {key!r}: write match.{key}"
    near = difflib.get_close_matches(str(key), kind.model_fields, n=1)
    if near:
        return f"unknown key {key!r}: did you mean {near[0]!r}?"
    return f"unknown key {key!r}: known are {', '.join(sorted(kind.model_fields))}"


def _shown(key: str | int, value: object) -> str:
    written = str(value).lower() if isinstance(value, bool) else repr(value)
    if len(written) > _LONGEST_VALUE:
        written = f"{written[: _LONGEST_VALUE - 4]} ..."
    return f"{key} = {written}" if isinstance(key, str) else written
