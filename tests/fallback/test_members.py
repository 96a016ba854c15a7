from __future__ import annotations

import sys
from typing import Any

import pytest
from livekit.agents import inference, llm
from livekit.plugins import openai, silero

import onhook
from onhook import PolicyError
from tests.fallback.fakes import RATE, FakeLLM, FakeSTT, FakeTTS

MODEL, EAR, VOICE = FakeLLM(), FakeSTT(), FakeTTS()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "got none"),
        ({"llm": []}, "got none"),
        ({"llm": MODEL}, r"give a list, llm=\[\.\.\.\]"),
        ({"llm": "openai/gpt-4.1"}, r"give a list, llm=\[\.\.\.\]"),
        ({"llm": [VOICE]}, "place 0: .* is no llm"),
        ({"tts": [VOICE, FakeTTS]}, r"place 1: .*write FakeTTS\(\.\.\.\)"),
        ({"stt": [None]}, "place 0: None is no stt"),
        ({"tts": [VOICE, VOICE]}, "again"),
        ({"llm": ["gpt-4.1"]}, 'write "provider/model"'),
        ({"llm": [llm.FallbackAdapter([FakeLLM()])]}, "give its members"),
        ({"realtime": ["openai/gpt-realtime"]}, "an instance of a realtime model"),
        ({"realtime": [MODEL]}, "an instance of a realtime model"),
        ({"llm": [MODEL], "dead_air": -1}, "dead_air"),
        ({"llm": [MODEL], "dead_air": 6, "budget": 7}, "budget"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], named: str) -> None:
    with pytest.raises(PolicyError, match=named):
        onhook.providers(**given)


def realtime() -> openai.realtime.RealtimeModel:
    return openai.realtime.RealtimeModel(api_key="sk-none", base_url="http://127.0.0.1:9/v1")


async def test_one_realtime_model_is_handed_on_as_it_is() -> None:
    model = realtime()
    arguments = onhook.providers(realtime=[model], tts=[VOICE])
    assert arguments["llm"] is model
    assert set(arguments) == {"conn_options", "llm", "tts"}


async def test_two_realtime_models_are_refused_with_what_can_be_done() -> None:
    with pytest.raises(PolicyError, match=r"cannot fail over .*Redispatch"):
        onhook.providers(realtime=[realtime(), realtime()])
    with pytest.raises(PolicyError, match="a session has one of them"):
        onhook.providers(realtime=[realtime()], llm=[MODEL])
    with pytest.raises(PolicyError, match=r"give it as realtime=\[\.\.\.\]"):
        onhook.providers(llm=[realtime()])  # type: ignore[list-item]


async def test_strings_are_models_of_livekit_inference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "secret-of-thirty-two-characters-x")
    arguments = onhook.providers(
        stt=["deepgram/nova-3", EAR], llm=["openai/gpt-4.1-mini"], tts=["cartesia/sonic-3", VOICE]
    )
    older = "FallbackAdapter"  # what adapters of older versions of livekit-agents call their model
    assert arguments["llm"].model in ("openai/gpt-4.1-mini", older)
    assert arguments["stt"].model in ("deepgram/nova-3", older)
    assert arguments["tts"].model in ("cartesia/sonic-3", older)


async def test_a_string_without_a_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_INFERENCE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(PolicyError, match=r"'openai/gpt-4\.1' cannot be used"):
        onhook.providers(llm=["openai/gpt-4.1"])


async def test_recognisers_that_do_not_stream_get_ears_for_speech() -> None:
    given = silero.VAD.load()
    assert onhook.providers(stt=[FakeSTT()], vad=given)["vad"] is given
    own = getattr(inference, "VAD", silero.VAD)  # older versions of livekit-agents have none
    assert isinstance(onhook.providers(stt=[FakeSTT()])["vad"], own)
    assert "vad" not in onhook.providers(stt=[FakeSTT(streaming=True)])
    assert onhook.providers(llm=[FakeLLM()], vad=given)["vad"] is given


async def test_without_any_voice_detection_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(inference, "VAD", raising=False)
    monkeypatch.setitem(sys.modules, "livekit.plugins.silero", None)
    with pytest.raises(PolicyError, match="give vad="):
        onhook.providers(stt=[FakeSTT()])


async def test_the_session_asks_the_adapters_once() -> None:
    options = onhook.providers(llm=[FakeLLM()])["conn_options"]
    for each in (options.stt_conn_options, options.llm_conn_options, options.tts_conn_options):
        assert each.max_retry == 0


async def test_voices_speak_at_the_highest_rate() -> None:
    voices = onhook.providers(tts=[FakeTTS(), FakeTTS(rate=2 * RATE)])["tts"]
    assert voices.sample_rate == 2 * RATE
