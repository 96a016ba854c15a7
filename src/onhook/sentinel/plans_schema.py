"""What may stand in a file of plans, and what is right where something else does.

pydantic and not msgspec, which stops at the first mistake: a person wants all of them at once.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from onhook.errors import AudioError, LadderError, PolicyError
from onhook.ladder import Ladder
from onhook.rungs import HangUp, Retry
from onhook.sentinel.limits import Limits
from onhook.sentinel.phone_numbers import fallback_address
from onhook.sentinel.toml_lines import Path as TomlPath

__all__ = ["FileSchema", "MatchSchema", "PlanSchema", "SettingsSchema", "mistake"]

_MOST_VALUES = 10_000


def mistake(text: str, path: TomlPath = ()) -> PydanticCustomError:
    """Return what a validator raises.

    Args:
        text: What is right, after "name = value: ".
        path: Where below the field the mistake stands.
    """
    return PydanticCustomError("mistake", "{text}", {"text": text, "path": path})


def _limit(value: object, info: ValidationInfo) -> object:
    name = info.field_name or ""
    if value is True and name == "second_dispatch":
        return Limits().second_dispatch
    try:
        limits = Limits(**{name: None if value is False else value})  # type: ignore[arg-type]
    except PolicyError as error:
        right = str(error).partition("): ")[2]
        raise mistake(f"{right}{'; false for never' if _may_be_never(name) else ''}") from None
    return getattr(limits, name)


def _may_be_never(limit: str) -> bool:
    try:
        Limits(**{limit: None})  # type: ignore[arg-type]
    except PolicyError:
        return False
    return True


def _text(value: object) -> object:
    if not (isinstance(value, str) and value.strip()):
        raise mistake("give a text")
    return value


def _texts(value: object) -> object:
    listed = value if isinstance(value, list) else [value]
    if not listed or len(listed) > _MOST_VALUES:
        raise mistake(f"give a text, or a list of 1 to {_MOST_VALUES} texts")
    for place, one in enumerate(listed):
        if not (isinstance(one, str) and one.strip()):
            path = (place,) if isinstance(value, list) else ()
            raise mistake("give a text, or a list of texts", path)
    return tuple(listed)


def _one_of(*words: str) -> Callable[[object], object]:
    def check(value: object) -> object:
        if value not in words:
            raise mistake(f"give {' or '.join(map(repr, words))}")
        return value

    return check


def _fallback(value: object) -> object:
    if value is False:
        return ""
    if not isinstance(value, str):
        raise mistake("give '+15550123', 'tel:+15550123' or 'sip:desk@HOST'; false for none")
    try:
        return fallback_address(value)
    except PolicyError as error:
        raise mistake(str(error)) from None


def _audio(value: object, info: ValidationInfo) -> object:
    if not (isinstance(value, str) and value.strip()):
        raise mistake("give the path of a WAV file")
    return _wav(value, info)


def _wav(given: str, info: ValidationInfo, path: TomlPath = ()) -> str:
    from onhook.livekit.pcm import load_wav  # noqa: PLC0415 - numpy

    folder: Path = info.context["folder"] if info.context else Path()
    found = folder / Path(given).expanduser()
    try:
        load_wav(found)
    except AudioError as error:
        raise mistake(str(error), path) from None
    return str(found)


def _ladder(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, list) or not value:
        raise mistake('give a list of rungs, [{rung = "say"}, {rung = "hang_up"}]')
    rungs = [dict(rung) if isinstance(rung, dict) else rung for rung in value]
    for place, rung in enumerate(rungs):
        if isinstance(rung, dict) and isinstance(rung.get("audio"), str):
            rung["audio"] = _wav(rung["audio"], info, (place, "audio"))
    for place, rung in enumerate(rungs):
        for key, setting in rung.items() if isinstance(rung, dict) else ():
            if not _is_json(setting):
                raise mistake("give a text, a number, true or false", (place, key))
    try:
        text = json.dumps({"version": 1, "rungs": rungs})
        ladder = Ladder.from_json(text).ended_by(HangUp())
    except LadderError as error:
        raise mistake(str(error), _place_in(rungs, str(error))) from None
    for place, climbed in enumerate(ladder.rungs):
        if isinstance(climbed, Retry):
            raise mistake(
                "only the agent's own process could climb this rung: give 'redispatch'",
                (place, "rung"),
            )
    return ladder


def _is_json(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_is_json, value.values()))
    if isinstance(value, list):
        return all(map(_is_json, value))
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _place_in(rungs: list[Any], told: str) -> TomlPath:
    """Find the rung, and its setting, that a message is about."""
    found = re.search(r"rung (\d+)", told)
    if found is None or (place := int(found[1])) >= len(rungs):
        return ()
    rung = rungs[place]
    keys = rung if isinstance(rung, dict) else ()
    key = next((k for k in keys if f"({k}=" in told or f"setting {k!r}" in told), None)
    return (place,) if key is None else (place, key)


_Strict = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)
_Texts: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_texts)]
_Text: TypeAlias = Annotated[str, BeforeValidator(_text)]
_Mode: TypeAlias = Annotated[str, BeforeValidator(_one_of("act", "observe"))]
_Ringing: TypeAlias = Annotated[str, BeforeValidator(_one_of("say", "reject"))]
_Limit: TypeAlias = Annotated[float | int | None, BeforeValidator(_limit)]


class MatchSchema(BaseModel):
    """The calls of a plan; see `onhook.sentinel.plans.Match`."""

    model_config = _Strict

    number: _Texts = ("",)
    trunk: _Texts = ("",)
    agent: _Texts = ("",)
    room_prefix: _Texts = ("",)
    tag: _Texts = ("",)


class SettingsSchema(BaseModel):
    """What a plan sets; what it leaves out is that of `[default]`. See `plans.Plan` and `Limits`.

    Nothing here is read unless it was given.
    """

    model_config = _Strict

    ladder: Annotated[Ladder | None, BeforeValidator(_ladder)] = None
    fallback: Annotated[str, BeforeValidator(_fallback)] = ""
    text: _Text = ""
    audio: Annotated[str | None, BeforeValidator(_audio)] = None
    mode: _Mode = "act"
    ringing: _Ringing = "say"
    agent: _Text = ""
    absent: _Limit = None
    second_dispatch: _Limit = None
    retrying: _Limit = None
    abandoned: _Limit = None
    unanswered_leg: _Limit = None
    two_legs: _Limit = None
    late_answer: _Limit = None
    lapsed: _Limit = None
    rescue_overdue: _Limit = None
    rescue_overdue_covered: _Limit = None
    zombie: _Limit = None
    zombie_blocked: _Limit = None
    zombie_probes: _Limit = None
    proof_valid: _Limit = None
    max_call: _Limit = None
    stale: _Limit = None

    def given(self) -> Mapping[str, Any]:
        """Return what was set, and nothing else."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class PlanSchema(SettingsSchema):
    """One `[[plan]]`."""

    name: _Text = ""
    match: MatchSchema


class FileSchema(BaseModel):
    """The whole file."""

    model_config = _Strict

    default: SettingsSchema = Field(default_factory=SettingsSchema)
    plan: list[PlanSchema] = Field(default_factory=list)
