"""What a session tells becomes facts: what is owed, and what only looks like it."""

from __future__ import annotations

import asyncio

import pytest

from onhook.faults import Severity
from onhook.jobguard.silence.conversation import Conversation, Surroundings
from onhook.jobguard.silence.standing import Judgement, Limits, Standing, Warned, judge
from onhook.jobguard.silence.utterances import Utterance
from tests.jobguard.fakes import FakeSpeech

pytestmark = pytest.mark.looptime

SENTENCE = 2.0
ENDPOINTING = 2.5
NEVER = float("inf")


def now() -> float:
    return asyncio.get_running_loop().time()


class Call:
    """A conversation, and the call around it."""

    def __init__(self, **around: object) -> None:
        self.conversation = Conversation(Limits(), now)
        self.around = Surroundings(**around)  # type: ignore[arg-type]

    def standing(self) -> Standing:
        return self.judgement().standing

    def judgement(self) -> Judgement:
        facts = self.conversation.facts(self.around)
        return judge(facts, self.conversation.limits, self.conversation.warned)

    def owed_since(self) -> float | None:
        return self.judgement().since

    async def agent_speaks(self, seconds: float = 1.0, *, audible: bool = True) -> None:
        self.conversation.agent_sends(now(), seconds, audible=audible)
        self.conversation.agent_is_done()
        await asyncio.sleep(seconds)

    async def caller_speaks(self, seconds: float = SENTENCE, *, level: float = -20.0) -> None:
        began = now()
        self.conversation.caller_voice(began, speaking=True)
        await asyncio.sleep(seconds)
        self.conversation.caller_voice(now(), speaking=False)
        self.conversation.caller_said(Utterance(began, now(), seconds, level))

    def begins(self, *, said: bool = False) -> FakeSpeech:
        speech = FakeSpeech()
        self.conversation.debts.speech_began(speech.handle, said=said)
        return speech

    def tool(self, name: str = "book") -> None:
        self.conversation.debts.tool_began(name, name)

    def tool_ends(self, name: str = "book", *, reply_due: bool = True) -> None:
        self.conversation.debts.tool_ended(name)
        self.conversation.debts.tools_executed(reply_due=reply_due)


async def greeted(**around: object) -> Call:
    await asyncio.sleep(1)
    call = Call(**around)
    greeting = call.begins()
    await call.agent_speaks()
    greeting.ends()
    assert call.standing() is Standing.NOBODY_OWES
    return call


async def test_a_reply_that_hangs_is_owed_since_the_session_took_the_turn() -> None:
    """What it needs to see that the caller has ended is silence for them, and no debt."""
    call = await greeted()
    await call.caller_speaks()
    spoke_until = now()
    await asyncio.sleep(ENDPOINTING)
    call.begins()
    judgement = call.judgement()
    assert judgement.standing is Standing.AGENT_OWES_AN_ANSWER
    assert judgement.since == spoke_until + ENDPOINTING
    assert judgement.silent_since == spoke_until


async def test_a_reply_that_has_failed_was_owed_since_the_callers_last_word() -> None:
    """It will not come any more: there is nothing to wait for."""
    call = await greeted()
    await call.caller_speaks()
    spoke_until = now()
    await asyncio.sleep(ENDPOINTING)
    call.begins()
    call.conversation.debts.complained(ValueError("x"), "on_user_turn_completed raised")
    assert call.owed_since() == spoke_until


async def test_a_reply_long_after_the_callers_last_word_is_no_part_of_that_silence() -> None:
    call = await greeted()
    await call.caller_speaks()
    await asyncio.sleep(20.0)
    call.begins()
    assert call.judgement().silent_since == call.owed_since() == now()


async def test_a_preemptive_reply_is_owed_only_when_its_turn_is_taken() -> None:
    call = await greeted()
    await call.caller_speaks()
    call.conversation.understood(whole=True)
    reply = call.begins()
    reply.scheduled = False
    call.conversation.debts.callbacks_are_over()
    assert call.standing() is Standing.NOBODY_OWES
    await asyncio.sleep(ENDPOINTING)
    reply.scheduled = True
    call.conversation.turn_taken()
    assert call.standing() is Standing.AGENT_OWES_AN_ANSWER
    assert call.owed_since() == now()


@pytest.mark.parametrize(
    ("endpointing", "answered", "waits"),
    [(0.5, False, 5.5), (1.5, False, 4.5), (2.5, False, 4.0), (60.0, False, 4.0), (2.5, True, 6.0)],
)
async def test_a_model_that_was_asked_before_the_turn_was_taken_has_been_waited_for(
    endpointing: float, answered: bool, waits: float
) -> None:
    """Its voice has not: it is asked once the turn is taken, and has all of `dead_air`."""
    call = await greeted()
    await call.caller_speaks()
    reply = call.begins()
    reply.scheduled = False
    await asyncio.sleep(endpointing)
    if answered:
        call.conversation.debts.model_answered()
    reply.scheduled = True
    call.conversation.turn_taken()
    assert call.judgement().due == pytest.approx(now() + waits)
    await asyncio.sleep(1.0)
    call.conversation.debts.model_answered()
    assert call.judgement().due == pytest.approx(now() - 1.0 + 6.0)


async def test_a_transcript_alone_asks_for_nothing_but_a_look_at_the_callbacks() -> None:
    call = await greeted()
    await call.caller_speaks()
    call.conversation.understood(whole=True)
    assert call.standing() is Standing.CALLBACK_MAY_HANG
    call.conversation.debts.callbacks_are_over()
    assert call.standing() is Standing.NOBODY_OWES


async def test_a_late_transcript_of_a_realtime_model_belongs_to_the_turn_that_was_answered() -> (
    None
):
    call = await greeted(realtime=True)
    await call.caller_speaks()
    reply = call.begins()
    await call.agent_speaks(3.0)
    reply.ends()
    call.conversation.understood(whole=True)
    call.conversation.turn_taken()
    call.conversation.debts.callbacks_are_over()
    await asyncio.sleep(20)
    assert call.standing() is Standing.NOBODY_OWES


async def test_a_realtime_model_that_emits_nothing_leaves_the_caller_unanswered() -> None:
    call = await greeted(realtime=True)
    await call.caller_speaks()
    assert call.standing() is Standing.CALLER_WAS_NOT_ANSWERED
    call.conversation.understood(whole=True)  # a transcript is no answer of such a model
    call.conversation.debts.callbacks_are_over()
    assert call.standing() is Standing.CALLER_WAS_NOT_ANSWERED
    await call.agent_speaks()
    assert call.standing() is Standing.NOBODY_OWES


@pytest.mark.parametrize("around", [{"manual": True}, {"alone": False}])
async def test_who_is_not_meant_to_be_answered_is_owed_nothing(around: dict[str, bool]) -> None:
    call = await greeted(**around)
    await call.caller_speaks()
    assert call.standing() is Standing.NOBODY_OWES


async def test_a_murmur_and_a_word_into_the_agents_speech_are_no_question() -> None:
    call = await greeted()
    await call.caller_speaks(0.7)
    assert call.standing() is Standing.NOBODY_OWES
    call.conversation.agent_sends(now(), 5.0, audible=True)
    call.conversation.agent_is_done()
    await call.caller_speaks()
    await asyncio.sleep(5)
    assert call.standing() is Standing.NOBODY_OWES


async def test_an_interrupted_speech_leaves_nothing_behind() -> None:
    call = await greeted()
    reply = call.begins()
    reply.ends(interrupted=True)
    assert call.standing() is Standing.NOBODY_OWES


@pytest.mark.parametrize(
    ("how", "standing"),
    [
        ("said", Standing.AGENT_OWES_AN_ANSWER),
        ("zeros", Standing.AGENT_OWES_AN_ANSWER),
        ("raised", Standing.AGENT_OWES_AN_ANSWER),
        ("answered", Standing.AGENT_OWES_AN_ANSWER),
        ("empty", Standing.AGENT_ANSWERED_NOTHING),
        ("tool without reply", Standing.NOBODY_OWES),
    ],
)
async def test_what_a_speech_without_a_sound_leaves_behind(how: str, standing: Standing) -> None:
    call = await greeted()
    reply = call.begins(said=how == "said")
    await asyncio.sleep(0.5)
    if how == "zeros":
        await call.agent_speaks(audible=False)
    elif how == "raised":
        call.conversation.debts.complained(RuntimeError("401"), "")
    elif how == "answered":
        call.conversation.debts.model_answered()
    elif how == "tool without reply":
        call.tool()
        await asyncio.sleep(1)
        call.tool_ends(reply_due=False)
    reply.ends()
    assert call.standing() is standing


async def test_a_tool_is_owed_words_at_once_and_the_whole_limit_once_it_said_so() -> None:
    call = await greeted()
    call.begins()
    await call.agent_speaks(2.0)
    call.tool()
    assert call.standing() is Standing.AGENT_WORKS
    await call.agent_speaks(1.0)
    assert call.standing() is Standing.AGENT_WORKS_AND_SAID_SO


async def test_after_its_tool_the_agent_owes_the_answer_from_the_tools_end() -> None:
    call = await greeted()
    reply = call.begins()
    call.tool()
    await asyncio.sleep(4)
    call.tool_ends()
    assert (call.standing(), call.owed_since()) == (Standing.AGENT_OWES_AN_ANSWER, now())
    reply.ends()
    assert call.standing() is Standing.AGENT_ANSWERED_NOTHING


async def test_a_tool_in_the_background_owes_nothing() -> None:
    call = await greeted()
    reply = call.begins()
    call.tool()
    await call.agent_speaks()
    reply.ends()
    await asyncio.sleep(100)
    assert call.standing() is Standing.NOBODY_OWES


async def test_a_task_inside_a_tool_that_has_asked_waits_for_the_caller() -> None:
    call = await greeted()
    call.begins()
    call.tool("take_card")
    call.around = Surroundings(task_listens=True)
    question = call.begins()
    assert call.standing() is Standing.AGENT_OWES_AN_ANSWER, "the task's own question is due"
    await call.agent_speaks()
    question.ends()
    call.conversation.debts.agent_thinks(
        thinking=True
    )  # the framework says so for the waiting tool
    await asyncio.sleep(70)
    assert call.standing() is Standing.AGENT_WAITS_FOR_CALLER


async def test_words_that_break_off_and_a_pause_for_ever_are_owed_the_rest() -> None:
    call = await greeted()
    call.begins()
    call.conversation.agent_sends(now(), 1.0, audible=True)
    await asyncio.sleep(2)
    assert (call.standing(), call.owed_since()) == (Standing.AGENT_OWES_THE_REST, now() - 1)
    call.conversation.agent_sends(now(), 5.0, audible=True)
    call.conversation.agent_is_done()
    await asyncio.sleep(1)
    call.conversation.agent_pauses(now())
    await asyncio.sleep(9)
    assert (call.standing(), call.owed_since()) == (Standing.AGENT_OWES_THE_REST, now() - 9)
    call.conversation.agent_resumes(now())
    assert call.standing() is Standing.AGENT_IS_HEARD


async def test_nothing_counts_before_the_answer_and_on_hold() -> None:
    call = Call(answered=False)
    call.begins()
    await asyncio.sleep(20)
    assert call.standing() is Standing.LINE_NOT_ANSWERED
    call.around = Surroundings()
    assert (call.standing(), call.owed_since()) == (Standing.AGENT_OWES_AN_ANSWER, now())
    let_go = call.conversation.hold(object(), now() + 60)
    await asyncio.sleep(30)
    assert call.standing() is Standing.ON_HOLD
    let_go()
    assert call.owed_since() == now()


async def test_the_callers_next_sentence_is_the_second_evidence_and_a_murmur_is_not() -> None:
    call = await greeted()
    call.begins()
    await asyncio.sleep(6)
    call.conversation.is_warned()
    warned_at = now()
    await call.caller_speaks(0.7)
    assert call.conversation.warned == Warned(warned_at)
    await call.caller_speaks()
    assert call.conversation.warned == Warned(warned_at, now())
    await call.agent_speaks()
    assert call.conversation.warned is None


async def test_in_a_menu_the_agent_may_be_silent_until_it_has_answered_a_person() -> None:
    call = await greeted(outbound=True)
    await call.caller_speaks(5.0)
    reply = call.begins()
    reply.ends()
    assert call.standing() is Standing.NOBODY_OWES
    await call.caller_speaks()
    reply = call.begins()
    await call.agent_speaks()
    reply.ends()
    await call.caller_speaks()
    call.begins().ends()
    assert call.standing() is Standing.AGENT_ANSWERED_NOTHING


async def test_a_second_sentence_that_nothing_stirs_for_counts_while_it_is_said() -> None:
    call = await greeted(realtime=True)
    await call.caller_speaks()
    spoke_until = now()
    await asyncio.sleep(6)
    call.conversation.is_warned()
    await asyncio.sleep(4)
    call.conversation.caller_voice(now(), speaking=True)
    assert call.standing() is Standing.CALLER_SPEAKS
    await asyncio.sleep(1.5)
    facts = call.conversation.facts(call.around)
    judgement = judge(facts, call.conversation.limits, call.conversation.warned)
    assert judgement.standing is Standing.CALLER_WAS_NOT_ANSWERED
    assert judgement.due == spoke_until + 12.0


async def test_a_voice_in_the_background_is_not_the_callers() -> None:
    call = await greeted()
    await call.caller_speaks(level=-50.0)
    assert call.standing() is Standing.NOBODY_OWES, "nobody speaks so faintly into a telephone"
    await call.caller_speaks(level=-20.0)
    call.conversation.understood(whole=True)
    await call.agent_speaks()
    await call.caller_speaks(level=-35.0)
    assert call.standing() is Standing.NOBODY_OWES, "a television behind them"
    await call.caller_speaks(level=-26.0)
    assert call.standing() is Standing.CALLER_WAS_NOT_ANSWERED


async def test_a_realtime_model_may_ignore_what_it_has_understood() -> None:
    call = await greeted(realtime=True)

    async def speaks_aside() -> float:
        await call.caller_speaks(level=-20.0)
        call.conversation.caller_said(Utterance(now() - SENTENCE, now(), SENTENCE))  # the session's
        call.conversation.understood(whole=True)
        call.conversation.debts.callbacks_are_over()
        facts = call.conversation.facts(call.around)
        return judge(facts, call.conversation.limits, call.conversation.warned).due

    assert await speaks_aside() < NEVER, "words"
    await asyncio.sleep(7)
    call.conversation.is_warned()
    assert await speaks_aside() == NEVER
    await asyncio.sleep(7)
    assert await speaks_aside() < NEVER, "three sentences in a row are none too many"


async def test_a_realtime_model_that_understands_nothing_is_lost_by_a_second_sentence() -> None:
    call = await greeted(realtime=True)
    await call.caller_speaks()
    await asyncio.sleep(7)
    call.conversation.is_warned()
    await asyncio.sleep(5)
    call.conversation.caller_voice(now(), speaking=True)
    await asyncio.sleep(1.3)
    facts = call.conversation.facts(call.around)
    judgement = judge(facts, call.conversation.limits, call.conversation.warned)
    assert (judgement.standing, judgement.severity) == (
        Standing.CALLER_WAS_NOT_ANSWERED,
        Severity.LOST,
    )
    assert judgement.due <= now()


async def test_music_on_a_track_of_the_agents_own_ends_and_silence_counts_from_then_on() -> None:
    call = await greeted(ambience=True)
    await call.caller_speaks()
    reply = call.begins()
    call.tool()
    await asyncio.sleep(20)
    assert call.standing() is Standing.AGENT_WORKS_AND_SAID_SO
    call.around = Surroundings()
    assert call.standing() is Standing.AGENT_WORKS_AND_SAID_SO
    assert call.owed_since() == now()
    reply.ends()
