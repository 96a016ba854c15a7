"""Providers that stay dead: soft words at the first turn, the release when the next fails too."""

from __future__ import annotations

from tests.cases.case import case
from tests.cases.expected import words
from tests.cases.layout import Endpoint, ProviderFault
from tests.cases.scene import AGAIN, Scene

DEAD = words(6, released=26)
PATIENT = words(6, released=30)
"""The caller says nothing more: words, and 15 s later the release."""


async def is_dead(s: Scene, endpoint: Endpoint, fault: ProviderFault, *, again: bool) -> None:
    await s.dial()
    await s.greeted()
    s.simulator.fail(endpoint, fault)
    s.struck = await s.says()
    if not again:
        await s.stays(33)
    elif await s.stays(9):
        await s.says(AGAIN)
        await s.stays(18)


@case("plain_desk", DEAD)
async def test_model_that_refuses_everything(s: Scene) -> None:
    await is_dead(s, Endpoint.CHAT, ProviderFault.error(401), again=True)


@case("plain_desk", DEAD)
async def test_model_that_stalls(s: Scene) -> None:
    await is_dead(s, Endpoint.CHAT, ProviderFault.stall(), again=True)


@case("plain_desk", PATIENT)
async def test_model_that_stalls_with_a_patient_caller(s: Scene) -> None:
    await is_dead(s, Endpoint.CHAT, ProviderFault.stall(), again=False)


@case("takes_turns_late", words(6, released=29))
async def test_model_that_stalls_before_its_turn_is_taken(s: Scene) -> None:
    """It was asked ahead of the turn, and has been silent since."""
    await is_dead(s, Endpoint.CHAT, ProviderFault.stall(), again=True)


@case("plain_desk", words(8, released=43))
async def test_model_with_empty_answers(s: Scene) -> None:
    """Twice it may be meant so, for a caller who mumbles: three times in a row it is not."""
    await s.dial()
    await s.greeted()
    s.simulator.fail(Endpoint.CHAT, ProviderFault.empty())
    s.struck = await s.says()
    for _ in range(2):
        if not await s.stays(9):
            return
        await s.says(AGAIN)
    await s.stays(15)


@case("plain_desk", DEAD)
async def test_voice_that_refuses_everything(s: Scene) -> None:
    await is_dead(s, Endpoint.SPEECH, ProviderFault.error(401), again=True)


@case("plain_desk", DEAD)
async def test_voice_that_stalls(s: Scene) -> None:
    await is_dead(s, Endpoint.SPEECH, ProviderFault.stall(), again=True)


@case("takes_turns_late", words(8.5, released=29))
async def test_voice_that_stalls_once_a_late_turn_is_taken(s: Scene) -> None:
    """It is asked when the turn is taken, 2.5 s after the caller's last word."""
    await is_dead(s, Endpoint.SPEECH, ProviderFault.stall(), again=True)


@case("plain_desk", DEAD)
async def test_voice_of_zeros(s: Scene) -> None:
    await is_dead(s, Endpoint.SPEECH, ProviderFault.mute(), again=True)


@case("plain_desk", DEAD)
async def test_recogniser_that_refuses_everything(s: Scene) -> None:
    await is_dead(s, Endpoint.TRANSCRIPTIONS, ProviderFault.error(401), again=True)


@case("plain_desk", DEAD)
async def test_recogniser_that_stalls(s: Scene) -> None:
    await is_dead(s, Endpoint.TRANSCRIPTIONS, ProviderFault.stall(), again=True)
