"""The phone and LiveKit's own SIP service: what it hears is what a room says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from livekit import api, rtc

from onhook.bench.phone import Answer, Phone, ReferAnswer, Reject, Ring
from onhook.bench.phone.codec import RATE
from onhook.bench.stack import Route, Stack
from tests.bench.phone.tones import pitch, tone

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module")]

NUMBER = "+15550100"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    async with Stack([Route(NUMBER, "nobody")]) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def lk(stack: Stack) -> AsyncIterator[api.LiveKitAPI]:
    async with api.LiveKitAPI(*_access(stack)) as client:
        yield client


def _access(stack: Stack) -> tuple[str, str, str]:
    return stack.url, stack.env["LIVEKIT_API_KEY"], stack.env["LIVEKIT_API_SECRET"]


class Agent:
    """Somebody in the room who can be heard."""

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.source = rtc.AudioSource(RATE, 1)

    @classmethod
    async def join(cls, stack: Stack, room: str) -> Agent:
        agent = cls()
        url, key, secret = _access(stack)
        grants = api.VideoGrants(room_join=True, room=room)
        token = api.AccessToken(key, secret).with_identity("agent").with_grants(grants)
        await agent.room.connect(url, token.to_jwt())
        track = rtc.LocalAudioTrack.create_audio_track("voice", agent.source)
        await agent.room.local_participant.publish_track(track)
        return agent

    async def play(self, seconds: float, hertz: float) -> None:
        samples = tone(seconds, hertz)
        for begin in range(0, len(samples), 80):
            piece = samples[begin : begin + 80]
            await self.source.capture_frame(rtc.AudioFrame(piece.tobytes(), RATE, 1, len(piece)))

    async def leave(self) -> None:
        await self.room.disconnect()
        await self.source.aclose()


async def room_with_a_caller(lk: api.LiveKitAPI) -> tuple[str, str]:
    """Return the room and the identity of the caller who is in it."""
    async with asyncio.timeout(5):
        while True:
            for room in (await lk.room.list_rooms(api.ListRoomsRequest())).rooms:
                request = api.ListParticipantsRequest(room=room.name)
                for one in (await lk.room.list_participants(request)).participants:
                    if one.kind == api.ParticipantInfo.Kind.SIP:
                        return room.name, one.identity
            await asyncio.sleep(0.05)


async def gone(lk: api.LiveKitAPI, room: str) -> None:
    await lk.room.delete_room(api.DeleteRoomRequest(room=room))


@pytest.mark.parametrize(("transport", "codec"), [("udp", "pcmu"), ("tcp", "pcma")])
async def test_inbound(stack: Stack, lk: api.LiveKitAPI, transport: str, codec: str) -> None:
    async with Phone(transport=transport, codecs=[codec]) as phone:
        call = await phone.dial(NUMBER, server=stack.sip_address)
        await call.ringing(5)
        room, identity = await room_with_a_caller(lk)
        agent = await Agent.join(stack, room)
        await call.answered(5)
        await agent.play(0.6, 500)
        sound = await call.heard_sound(timeout=5)
        await call.heard_silence(0.4, after=sound)
        await call.send_digits("12")
        await call.say("good bye")
        transfer = api.TransferSIPParticipantRequest(
            room_name=room, participant_identity=identity, transfer_to="tel:+15550123"
        )
        for refusal in (ReferAnswer.refuse(603), ReferAnswer.fail(486)):
            call.on_refer = refusal
            with pytest.raises(api.TwirpError):
                await lk.sip.transfer_sip_participant(transfer)
            assert call.is_up
        call.on_refer = ReferAnswer.accept()
        await lk.sip.transfer_sip_participant(transfer)
        report = await call.ended(5)  # LiveKit hangs up one second later
        await agent.leave()
        await gone(lk, room)
    assert report.how == "bye received"
    assert [refer.status for refer in report.refers] == [603, 202, 202]
    assert report.hearing.sounds[0].seconds == pytest.approx(0.6, abs=0.15)
    begin = round(RATE * (sound - report.hearing.begin))
    assert pitch(call.audio()[begin + 800 : begin + 4000]) == pytest.approx(500, abs=10)
    assert report.packets.lost == 0


async def test_released(stack: Stack, lk: api.LiveKitAPI) -> None:
    async with Phone() as phone:
        call = await phone.dial(NUMBER, server=stack.sip_address)
        room, _ = await room_with_a_caller(lk)
        await gone(lk, room)
        assert (await call.ended(5)).how == "rejected 486"

        call = await phone.dial(NUMBER, server=stack.sip_address)
        room, _ = await room_with_a_caller(lk)
        agent = await Agent.join(stack, room)
        await call.answered(5)
        before = time.monotonic()
        await gone(lk, room)
        report = await call.ended(5)
        assert report.how == "bye received"
        assert report.ended_at is not None
        assert report.ended_at - before < 2
        await agent.leave()

        call = await phone.dial(NUMBER, server=stack.sip_address)
        room, _ = await room_with_a_caller(lk)
        await call.cancel()
        assert call.report().status == 487


async def test_outbound(stack: Stack, lk: api.LiveKitAPI) -> None:
    async with Phone("100") as phone:
        trunk = await stack.add_outbound_trunk("{}:{}".format(*phone.address))
        await lk.room.create_room(api.CreateRoomRequest(name="outbound"))
        agent = await Agent.join(stack, "outbound")
        dial = api.CreateSIPParticipantRequest(
            sip_trunk_id=trunk,
            sip_call_to="100",
            room_name="outbound",
            participant_identity="callee",
            wait_until_answered=True,
        )
        phone.answering = Answer(0.2)
        await lk.sip.create_sip_participant(dial)
        call = await phone.next_call(1)
        before = time.monotonic()
        await agent.play(0.4, 800)
        await call.heard_sound(before, 5)
        await call.hang_up()

        phone.answering = Reject(603, 0.1)
        with pytest.raises(api.TwirpError, match="603"):
            await lk.sip.create_sip_participant(dial)
        assert (await (await phone.next_call(1)).ended(2)).how == "rejected 603"

        phone.answering = Ring()
        dial.wait_until_answered = False
        await lk.sip.create_sip_participant(dial)
        call = await phone.next_call(5)
        callee = api.RoomParticipantIdentity(room="outbound", identity="callee")
        await lk.room.remove_participant(callee)
        assert (await call.ended(5)).how == "cancelled"
        await agent.leave()
        await gone(lk, "outbound")
