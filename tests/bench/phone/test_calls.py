"""Two of our phones call each other on loopback."""

from __future__ import annotations

import asyncio
import socket
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from onhook.bench.phone import (
    Answer,
    Call,
    CallError,
    CallTimeoutError,
    Ending,
    NotAnsweredError,
    NumberError,
    Phone,
    PhoneError,
    Reject,
    Ring,
    SipError,
    Timers,
)
from tests.bench.phone.conftest import Pair
from tests.bench.phone.tones import pitch, tone


async def test_a_call_answered_heard_and_hung_up_by_the_callee(pair: Pair) -> None:
    pair.callee.answering = Answer(after=0.2)
    dialled = await pair.caller.dial(pair.callee.uri)
    received = await pair.callee.next_call(2)
    ringing = await dialled.ringing(2)
    answered = await dialled.answered(2)
    assert 0.15 < answered - ringing < 0.5
    before = time.monotonic()
    await received.play(tone(0.5, 600))
    heard = await dialled.heard_sound(before)
    assert 0 <= heard - before < 0.2
    await received.hang_up()
    report = await dialled.ended(2)
    assert report.how == "bye received"
    assert report.status == 200
    assert report.answered
    assert report.outgoing
    assert report.invited_at < ringing < answered < heard
    assert report.ended_at is not None
    assert [round(s.seconds, 1) for s in report.hearing.sounds] == [0.5]
    assert received.report().how == "bye sent"
    assert not received.report().outgoing
    assert not dialled.is_up


@pytest.mark.parametrize("codec", ["pcmu", "pcma"])
async def test_both_hear_the_other_in_either_codec(codec: str, tmp_path: Path) -> None:
    async with Phone(codecs=[codec]) as caller, Phone("100") as callee:
        dialled, received = await Pair(caller, callee).call()
        await asyncio.gather(dialled.play(tone(0.5, 400)), received.play(tone(0.5, 900)))
        await asyncio.sleep(0.1)
        await dialled.hang_up()
        for call, hertz in ((dialled, 900), (received, 400)):
            path = tmp_path / f"{hertz}.wav"
            call.save(path)
            with wave.open(str(path)) as file:
                assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (
                    8000,
                    1,
                    2,
                )
                saved = np.frombuffer(file.readframes(file.getnframes()), np.int16)
            hearing = call.report().hearing
            assert len(saved) == pytest.approx(8000 * (hearing.end - hearing.begin), abs=1)
            (sound,) = hearing.sounds
            begin = round(8000 * (sound.start - hearing.begin))
            assert pitch(saved[begin : begin + 3200]) == pytest.approx(hertz, abs=5)
            assert call.report().packets.lost == 0


async def test_bye_from_the_caller(pair: Pair) -> None:
    dialled, received = await pair.call()
    await dialled.hang_up()
    await dialled.hang_up()
    assert (await received.ended(2)).ending is Ending.BYE_RECEIVED
    assert dialled.report().ending is Ending.BYE_SENT


async def test_the_callee_hangs_up_as_soon_as_it_has_answered(pair: Pair) -> None:
    dialled = await pair.caller.dial(pair.callee.uri)
    received = await pair.callee.next_call(2)
    await received.answered(2)
    await received.hang_up()
    report = await dialled.ended(1)
    assert report.how == "bye received"
    assert report.answered


async def test_both_hang_up_at_once(pair: Pair) -> None:
    dialled, received = await pair.call()
    await asyncio.gather(dialled.hang_up(), received.hang_up())
    assert dialled.report().ending is received.report().ending is Ending.BYE_SENT


async def test_cancel_while_it_rings(pair: Pair) -> None:
    pair.callee.answering = Ring()
    dialled = await pair.caller.dial(pair.callee.uri)
    received = await pair.callee.next_call(2)
    await dialled.ringing(2)
    await dialled.cancel()
    assert dialled.report().how == "cancelled"
    assert dialled.report().status == 487
    assert (await received.ended(2)).how == "cancelled"
    with pytest.raises(NotAnsweredError, match=r"was not answered; it ended: cancelled") as caught:
        await dialled.answered(1)
    assert caught.value.status == 487


async def test_cancel_at_once(pair: Pair) -> None:
    pair.callee.answering = Ring()
    dialled = await pair.caller.dial(pair.callee.uri)
    await dialled.cancel()
    assert (await dialled.ended(2)).how == "cancelled"


async def test_an_answered_call_cannot_be_cancelled(udp: Pair) -> None:
    dialled, _ = await udp.call()
    with pytest.raises(CallError, match=r"hang_up\(\) instead"):
        await dialled.cancel()


@pytest.mark.parametrize("status", [486, 603])
async def test_rejected(pair: Pair, status: int) -> None:
    pair.callee.answering = Reject(status, after=0.1)
    dialled = await pair.caller.dial(pair.callee.uri)
    report = await dialled.ended(2)
    assert report.how == f"rejected {status}"
    assert report.ringing_at is not None
    assert not report.answered
    assert report.hearing.stretches == ()
    with pytest.raises(NotAnsweredError) as caught:
        await dialled.answered(1)
    assert caught.value.status == status


async def test_the_callee_hangs_up_a_ringing_call(udp: Pair) -> None:
    udp.callee.answering = Ring()
    dialled = await udp.caller.dial(udp.callee.uri)
    received = await udp.callee.next_call(2)
    await received.hang_up()
    assert (await dialled.ended(2)).how == "rejected 603"


async def test_it_rings_too_long(pair: Pair) -> None:
    pair.callee.answering = Ring()
    dialled = await pair.caller.dial(pair.callee.uri, ring_timeout=0.3)
    report = await dialled.ended(3)
    assert report.ending is Ending.TIMEOUT
    assert report.ended_at is not None
    assert 0.3 <= report.ended_at - report.invited_at < 1


async def test_nobody_is_there() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{mute.getsockname()[1]}"
        async with Phone(timers=Timers(t1=0.005)) as phone:
            call = await phone.dial("100", server=server)
            with pytest.raises(CallTimeoutError, match="no response came"):
                await call.answered(0.1)
            report = await call.ended(2)
            assert report.ending is Ending.TIMEOUT
            assert "is the SIP service running there?" in report.reason


async def test_nobody_listens_over_tcp() -> None:
    async with Phone(transport="tcp") as phone:
        call = await phone.dial("sip:100@127.0.0.1:1")
        report = await call.ended(2)
        assert report.ending is Ending.FAILED
        assert "cannot connect to 127.0.0.1:1 over TCP" in report.reason


async def test_digits(pair: Pair) -> None:
    dialled, received = await pair.call()
    await dialled.send_digits("159", tone=0.06, pause=0.04)
    assert await received.heard_digits(3) == "159"
    await received.send_digits("#D", tone=0.06, pause=0.04)
    assert await dialled.heard_digits(2) == "#D"
    at = [digit.at for digit in received.report().digits]
    assert at == sorted(at)
    with pytest.raises(CallTimeoutError, match="fewer than 4 digits"):
        await received.heard_digits(4, timeout=0.05)


async def test_speech_and_files(udp: Pair, tmp_path: Path) -> None:
    dialled, received = await udp.call()
    await dialled.say("yes")
    await received.heard_sound(timeout=2)
    dialled.save(tmp_path / "quiet.wav")
    await received.play(tmp_path / "quiet.wav")


async def test_live_silence(udp: Pair) -> None:
    dialled, received = await udp.call()
    playing = asyncio.create_task(received.play(tone(0.3)))
    begin = await dialled.heard_sound(new=True)
    silent = await dialled.heard_silence(0.3, timeout=3, after=begin)
    assert silent - begin == pytest.approx(0.3, abs=0.05)
    assert time.monotonic() - silent >= 0.3
    await playing
    with pytest.raises(CallTimeoutError, match=r"sip:100@.*no sound within 0\.05 s"):
        await dialled.heard_sound(time.monotonic(), 0.05)


async def test_silence_is_sent_all_the_time_and_without_drift(udp: Pair) -> None:
    dialled, received = await udp.call()
    await asyncio.sleep(1.0)
    assert dialled.report().packets.sent == pytest.approx(51, abs=3)
    assert received.report().hearing.sounds == ()


async def test_audio_that_is_cut_off_by_the_end(udp: Pair) -> None:
    dialled, received = await udp.call()
    playing = asyncio.create_task(dialled.play(tone(9.0)))
    await received.heard_sound()
    await received.hang_up()
    with pytest.raises(CallError, match="ended before the audio did"):
        await playing
    with pytest.raises(CallError, match="cannot play audio on the call to"):
        await dialled.play(tone(0.1))


async def test_playing_can_be_stopped(udp: Pair) -> None:
    dialled, received = await udp.call()
    playing = asyncio.create_task(dialled.play(tone(9.0)))
    await received.heard_sound()
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await playing
    await received.heard_silence(0.2, timeout=1)


async def test_several_calls_at_once(udp: Pair) -> None:
    calls = [await udp.call() for _ in range(3)]
    assert len({call.call_id for call, _ in calls}) == 3
    await asyncio.gather(*(dialled.hang_up() for dialled, _ in calls))
    for _, received in calls:
        assert (await received.ended(1)).how == "bye received"


async def test_closing_the_phone_hangs_up(udp: Pair) -> None:
    udp.callee.answering = Ring()
    async with Phone() as phone:
        ringing = await phone.dial(udp.callee.uri)
        await ringing.ringing(2)
        udp.callee.answering = Answer()
        answered = await phone.dial(udp.callee.uri)
        await answered.answered(2)
    assert ringing.report().ending is Ending.CANCELLED
    assert answered.report().ending is Ending.BYE_SENT
    assert [call.report().how for call in udp.callee.calls] == ["cancelled", "bye received"]


async def test_further_header_fields_and_the_caller(udp: Pair) -> None:
    await udp.caller.dial(udp.callee.uri, caller="+15550177", headers={"X-Test": "1"})
    received = await udp.callee.next_call(2)
    assert received.number.startswith("sip:+15550177@")


async def test_no_codec_in_common() -> None:
    async with Phone(codecs=["pcmu"]) as caller, Phone(codecs=["pcma"]) as callee:
        call = await caller.dial(callee.uri)
        assert (await call.ended(2)).how == "rejected 488"
        assert "none of our codecs (PCMA)" in callee.calls[0].report().reason


async def test_waiting_has_an_end(udp: Pair) -> None:
    with pytest.raises(CallTimeoutError, match="nobody called sip:100@"):
        await udp.callee.next_call(0.05)
    dialled, _ = await udp.call()
    with pytest.raises(CallTimeoutError, match=r"not ended within 0\.05 s"):
        await dialled.ended(0.05)
    with pytest.raises(CallTimeoutError, match="no REFER"):
        await dialled.referred(0.05)


async def test_bad_input() -> None:
    with pytest.raises(PhoneError, match="not open"):
        await Phone().dial("sip:100@127.0.0.1")
    with pytest.raises(PhoneError, match="unknown codec 'g729'"):
        Phone(codecs=["g729"])
    with pytest.raises(PhoneError, match="needs a codec"):
        Phone(codecs=[])
    with pytest.raises(NumberError, match="'a b' is no number"):
        Phone("a b")
    with pytest.raises(PhoneError, match="unknown transport 'tls'"):
        await Phone(transport="tls").__aenter__()
    with pytest.raises(PhoneError, match="cannot listen on"):
        await Phone(host="192.0.2.1").__aenter__()
    with pytest.raises(PhoneError, match="status of 300"):
        Reject(200)
    with pytest.raises(PhoneError, match="cannot ring"):
        Answer(-1)
    async with Phone() as phone:
        for transport in ("udp", "tcp"):
            first = Phone(transport=transport)
            async with first:
                with pytest.raises(PhoneError, match="cannot listen on 127"):
                    await Phone(port=first.address[1], transport=transport).__aenter__()
        with pytest.raises(NumberError, match="this phone has transport='udp'"):
            await phone.dial("sip:100@127.0.0.1;transport=tcp")
        with pytest.raises(SipError):
            await phone.dial("sip:100@127.0.0.1", headers={"X": "a\r\nb"})
        with pytest.raises(PhoneError, match="ring_timeout"):
            await phone.dial("sip:100@127.0.0.1", ring_timeout=0)


async def test_what_cannot_be_done_before_the_answer(udp: Pair) -> None:
    udp.callee.answering = Ring()
    call: Call = await udp.caller.dial(udp.callee.uri)
    for act in (call.play(tone(0.1)), call.say("hi"), call.send_digits("1"), call.refer("tel:+1")):
        with pytest.raises(CallError, match=r"await answered\(\) first"):
            await act
    with pytest.raises(CallTimeoutError, match="not answered within"):
        await call.answered(0.05)
