"""What may be given to `onhook.providers`, checked before a call is taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from livekit.agents import inference, llm, stt, tts

from onhook.errors import PolicyError

__all__ = ["check_realtime", "resolved"]

_TYPES: Mapping[str, type] = {"stt": stt.STT, "llm": llm.LLM, "tts": tts.TTS}
_FROM_STRING: Mapping[str, Any] = {
    "stt": inference.STT.from_model_string,
    "llm": inference.LLM.from_model_string,
    "tts": inference.TTS.from_model_string,
}
_ADAPTERS = (stt.FallbackAdapter, llm.FallbackAdapter, tts.FallbackAdapter)


def resolved(kind: str, given: Iterable[Any]) -> list[Any]:
    """Return providers, made from their strings where they are given as such.

    Args:
        kind: `"stt"`, `"llm"` or `"tts"`.
        given: Instances and strings.

    Raises:
        PolicyError: One is neither, is given twice, or cannot be made of its string.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise PolicyError(f"providers({kind}={given!r}): give a list, {kind}=[...]")
    members: list[Any] = []
    for place, each in enumerate(given):
        where = f"providers({kind}=[...]), place {place}"
        member = _from_string(where, kind, each) if isinstance(each, str) else each
        if isinstance(member, llm.RealtimeModel):
            raise PolicyError(f"{where}: {each!r} is a realtime model: give it as realtime=[...]")
        if not isinstance(member, _TYPES[kind]):
            hint = f": write {each.__name__}(...)" if isinstance(each, type) else ""
            what = f'an instance of livekit.agents.{kind}.{kind.upper()} or "provider/model"'
            raise PolicyError(f"{where}: {each!r} is no {kind}; give {what}{hint}")
        if isinstance(member, _ADAPTERS):
            raise PolicyError(f"{where} is a FallbackAdapter: give its members instead")
        if any(member is other for other in members):
            raise PolicyError(f"{where} is {each!r} again: a provider cannot stand in for itself")
        members.append(member)
    return members


def check_realtime(
    given: Iterable[Any], kinds: Mapping[str, list[Any]]
) -> llm.RealtimeModel | None:
    """Return the realtime model, if one is given.

    Raises:
        PolicyError: There are several, it is none, or there is a language model beside it.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise PolicyError(f"providers(realtime={given!r}): give a list, realtime=[model]")
    models = list(given)
    if not models:
        return None
    if len(models) > 1:
        raise PolicyError(
            f"providers(realtime=[...]) got {len(models)} models: livekit-agents cannot fail over "
            "from one realtime model to another. Give one, and let the policy's ladder rescue the "
            "call (Redispatch to an agent with another model), or use stt, llm and tts"
        )
    if not isinstance(models[0], llm.RealtimeModel):
        raise PolicyError(
            f"providers(realtime=[{models[0]!r}]): give an instance of a realtime model"
        )
    if kinds["llm"]:
        raise PolicyError("providers(llm=[...], realtime=[...]): a session has one of them")
    return models[0]


def _from_string(where: str, kind: str, name: str) -> Any:
    if "/" not in name.strip("/"):
        raise PolicyError(f'{where}: {name!r} is no model; write "provider/model"')
    try:
        return _FROM_STRING[kind](name)
    except ValueError as error:  # for want of a key, mostly
        raise PolicyError(f"{where}: {name!r} cannot be used: {error}") from error
