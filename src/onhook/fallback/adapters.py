"""`onhook.providers`: from lists of providers to the arguments of an `AgentSession`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from livekit.agents import APIConnectOptions, llm, stt, tts, vad
from livekit.agents.voice.agent_session import SessionConnectOptions

from onhook.errors import PolicyError
from onhook.fallback.availability import ProviderChange, Watch
from onhook.fallback.deadlines import Deadlines, Turn, chosen
from onhook.fallback.llm_member import GuardedLLM
from onhook.fallback.members import check_realtime, resolved
from onhook.fallback.stage import Stage
from onhook.fallback.stt_member import GuardedSTT
from onhook.fallback.tts_member import GuardedTTS, Voices
from onhook.livekit.framework.plugin_streams import default_vad

__all__ = ["providers"]


def providers(
    *,
    stt: Iterable[stt.STT[Any] | str] = (),
    llm: Iterable[llm.LLM[Any] | str] = (),
    tts: Iterable[tts.TTS[Any] | str] = (),
    realtime: Iterable[llm.RealtimeModel] = (),
    vad: vad.VAD | None = None,
    dead_air: float = 6.0,
    budget: float | None = None,
    deadlines: Deadlines | None = None,
    on_change: Callable[[ProviderChange], Any] | None = None,
) -> dict[str, Any]:
    """Return arguments for `AgentSession`: providers that fail over before the caller notices.

    Each list is in the order of preference; one provider alone is guarded too. A provider that
    does not begin within its deadline, stops in mid-answer, raises anything, or answers without
    content or with silence has failed: the next is asked, and the failed one is asked in the
    background whether it is back. When all have failed, the session gets an unrecoverable error,
    which the guard rescues from.

    Args:
        stt: Recognisers, or `"provider/model"` strings of LiveKit Inference.
        llm: Language models, or strings.
        tts: Voices, or strings.
        realtime: One speech-to-speech model, which is handed on as it is: the framework cannot
            fail over between two. It takes the place of `llm`.
        vad: Hears when the caller speaks. Recognisers that do not stream need one, and get the
            framework's own when omitted; those that stream are missed by it when they write
            nothing.
        dead_air: Seconds of silence that the policy allows; give the same here.
        budget: Seconds that may be lost to failing providers in one turn, below `dead_air`; four
            fifths of it when omitted.
        deadlines: What each attempt may take; chosen to fit the budget when omitted.
        on_change: Is told when a provider fails or comes back.

    Raises:
        PolicyError: Something is no provider, nothing is given, or the deadlines do not fit.
    """
    kinds = {"stt": resolved("stt", stt), "llm": resolved("llm", llm), "tts": resolved("tts", tts)}
    model = check_realtime(realtime, kinds)
    counts = {kind: len(members) for kind, members in kinds.items()}
    if model is None and not any(counts.values()):
        raise PolicyError("providers() got none: give lists, providers(stt=[...], llm=[...], ...)")
    times, spending = chosen(counts, dead_air, budget, deadlines)
    turn, watch = Turn(spending, memory=dead_air), Watch(on_change)

    def stage(kind: str) -> Stage:
        first = getattr(times, kind)
        return Stage(kind, first=first, between=times.between, turn=turn, watch=watch)

    arguments: dict[str, Any] = {"conn_options": _options(times)}
    if kinds["stt"]:
        arguments |= _ears(kinds["stt"], stage("stt"), vad)
    elif vad is not None:
        arguments["vad"] = vad
    if kinds["llm"]:
        arguments["llm"] = _models(kinds["llm"], stage("llm"))
    elif model is not None:
        arguments["llm"] = model
    if kinds["tts"]:
        shared = stage("tts")
        arguments["tts"] = Voices([GuardedTTS(each, shared) for each in kinds["tts"]], shared)
    return arguments


def _options(times: Deadlines) -> SessionConnectOptions:
    """Let the adapters decide alone: the session's own retries would ask everybody four times."""

    def once(seconds: float) -> APIConnectOptions:
        return APIConnectOptions(max_retry=0, timeout=seconds)

    return SessionConnectOptions(
        stt_conn_options=once(times.stt),
        llm_conn_options=once(times.llm),
        tts_conn_options=once(times.tts),
    )


def _models(models: list[Any], stage: Stage) -> llm.LLM[Any]:
    members: list[llm.LLM[Any]] = [GuardedLLM(each, stage) for each in models]
    adapter = llm.FallbackAdapter(
        members,
        attempt_timeout=stage.first,
        max_retry_per_llm=0,
        retry_on_chunk_sent=True,  # a member that has called a tool never fails: see GuardedLLM
    )
    adapter.on("llm_availability_changed", lambda e: stage.changed(e.llm, available=e.available))
    return adapter


def _ears(ears: list[Any], stage: Stage, hears: vad.VAD | None) -> dict[str, Any]:
    """Recognise by one adapter, so that the words that a failing one lost reach the next."""
    members: list[stt.STT[Any]] = [GuardedSTT(each, stage, hears) for each in ears]
    streaming = [each.capabilities.streaming for each in members]
    if not all(streaming) and hears is None:
        hears = default_vad()
        if hears is None:
            raise PolicyError(
                "providers(stt=[...]) got a recogniser that does not stream: give vad=, such as "
                "silero.VAD.load(); this version of livekit-agents has none of its own"
            )
    adapter = stt.FallbackAdapter(
        members, vad=hears, attempt_timeout=stage.first, max_retry_per_stt=0
    )
    adapter.on(
        "stt_availability_changed",
        lambda e: stage.changed(getattr(e.stt, "wrapped_stt", e.stt), available=e.available),
    )
    arguments: dict[str, Any] = {} if hears is None else {"vad": hears}
    if hears is None or any(streaming):
        return {**arguments, "stt": adapter}
    return {**arguments, "stt": stt.StreamAdapter(stt=adapter, vad=hears)}
