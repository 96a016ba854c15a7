"""What the phone says to messages that no well-behaved peer would send, or seldom."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from onhook.bench.phone import Answer, Phone, Ring, Timers

SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP {}\r\n"


class Stranger:
    """Writes SIP by hand."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.connect(target)
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        self.branches = 0

    def message(
        self,
        method: str,
        sequence: int = 1,
        *,
        tag: str = "",
        call: str = "call-1",
        branch: str = "",
        body: str = "",
        contact: bool = True,
        require: str = "",
    ) -> bytes:
        self.branches += 1
        branch = branch or f"z9hG4bK{self.branches}"
        lines = [
            f"{method} sip:100@127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:1;branch={branch};rport",
            f"From: <sip:stranger@127.0.0.1:{self.port}>;tag=s",
            f"To: <sip:100@127.0.0.1>{';tag=' + tag if tag else ''}",
            f"Call-ID: {call}",
            f"CSeq: {sequence} {method}",
            *([f"Contact: <sip:stranger@127.0.0.1:{self.port}>"] if contact else []),
            *([f"Require: {require}"] if require else []),
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def send(self, data: bytes) -> None:
        self.socket.send(data)

    async def response(self, begin: str) -> str:
        """Return the next message that begins so."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(3):
            while True:
                text = (await loop.sock_recv(self.socket, 65536)).decode()
                if text.startswith(begin):
                    return text

    async def final(self, method: str) -> tuple[int, str]:
        """Return status and text of the next final response to a method."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(3):
            while True:
                text = (await loop.sock_recv(self.socket, 65536)).decode()
                first = text.split(maxsplit=2)
                if first[0] == "SIP/2.0" and f" {method}\r\n" in text and int(first[1]) >= 200:
                    return int(first[1]), text

    async def ask(self, method: str, sequence: int = 1, **more: str) -> tuple[int, str]:
        self.send(self.message(method, sequence, **more))  # type: ignore[arg-type]
        return await self.final(method)

    async def call(self) -> str:
        """Be answered; return the phone's tag."""
        status, text = await self.ask("INVITE", body=SDP.format(0))
        assert status == 200
        tag = tag_in(text)
        self.send(self.message("ACK", tag=tag))
        return tag


def tag_in(response: str) -> str:
    return response.split("\r\nTo: ")[1].split("tag=")[1].split("\r\n", maxsplit=1)[0]


@pytest_asyncio.fixture
async def phone() -> AsyncIterator[Phone]:
    async with Phone("100", timers=Timers(t1=0.02)) as phone:
        yield phone


@pytest.fixture
def stranger(phone: Phone) -> Iterator[Stranger]:
    stranger = Stranger(phone.address)
    yield stranger
    stranger.socket.close()


async def test_options_and_unknown_methods(stranger: Stranger) -> None:
    status, text = await stranger.ask("OPTIONS")
    assert status == 200
    assert "Allow: INVITE" in text
    assert f"rport={stranger.port};received=127.0.0.1" in text
    assert (await stranger.ask("PUBLISH"))[0] == 405


async def test_an_extension_that_is_required(phone: Phone, stranger: Stranger) -> None:
    status, text = await stranger.ask("INVITE", body=SDP.format(0), require="100rel, timer")
    assert status == 420
    assert "Unsupported: 100rel, timer\r\n" in text
    assert phone.calls == []


async def test_a_bye_while_it_rings(phone: Phone, stranger: Stranger) -> None:
    phone.answering = Ring()
    stranger.send(stranger.message("INVITE", body=SDP.format(0)))
    call = await phone.next_call(3)
    tag = tag_in(await stranger.response("SIP/2.0 180"))
    assert (await stranger.ask("BYE", 2, tag=tag))[0] == 200
    assert (await stranger.final("INVITE"))[0] == 487
    assert call.report().how == "bye received"


async def test_requests_of_calls_that_are_none(stranger: Stranger) -> None:
    assert (await stranger.ask("BYE", tag="none"))[0] == 481
    assert (await stranger.ask("CANCEL"))[0] == 481
    stranger.send(stranger.message("ACK", tag="none"))  # nobody answers an ACK


async def test_invites_that_cannot_be_answered(phone: Phone, stranger: Stranger) -> None:
    stranger.send(stranger.message("INVITE", contact=False, body=SDP.format(0)))
    assert (await stranger.final("INVITE"))[0] == 400
    assert (await stranger.ask("INVITE", call="2", body=SDP.format(9)))[0] == 488
    assert (await stranger.ask("INVITE", call="3"))[0] == 488
    assert "no audio stream" in phone.calls[-1].report().reason


async def test_within_a_call(phone: Phone, stranger: Stranger) -> None:
    tag = await stranger.call()
    assert (await stranger.ask("INFO", 2, tag=tag))[0] == 200
    assert (await stranger.ask("OPTIONS", 3, tag=tag))[0] == 200
    assert (await stranger.ask("MESSAGE", 4, tag=tag))[0] == 405
    assert (await stranger.ask("REFER", 5, tag=tag))[0] == 400
    assert (await stranger.ask("INVITE", 6, tag=tag, body=SDP.format(9)))[0] == 488
    status, text = await stranger.ask("INVITE", 7, tag=tag)
    assert (status, "m=audio" in text) == (200, True)
    stranger.send(stranger.message("ACK", 7, tag=tag))
    assert (await stranger.ask("BYE", 2, tag=tag))[0] == 500
    assert phone.calls[0].is_up
    assert (await stranger.ask("BYE", 8, tag=tag))[0] == 200
    assert (await stranger.ask("INFO", 9, tag=tag))[0] == 481
    assert phone.calls[0].report().how == "bye received"


async def test_a_request_that_comes_again_gets_the_same_response(
    phone: Phone, stranger: Stranger
) -> None:
    message = stranger.message("INVITE", body=SDP.format(0))
    stranger.send(message)
    _, first = await stranger.final("INVITE")
    stranger.send(message)
    assert (await stranger.final("INVITE"))[1] == first
    assert len(phone.calls) == 1


async def test_a_cancel_on_the_heels_of_the_invite(phone: Phone, stranger: Stranger) -> None:
    phone.answering = Answer(after=1.0)
    stranger.send(stranger.message("INVITE", branch="z9hG4bKsame", body=SDP.format(0)))
    stranger.send(stranger.message("CANCEL", branch="z9hG4bKsame"))
    assert (await stranger.final("CANCEL"))[0] == 200
    assert (await stranger.final("INVITE"))[0] == 487
    await asyncio.sleep(0.1)
    assert all(call.report().how == "cancelled" for call in phone.calls)


async def test_too_many_calls_are_busy(phone: Phone, stranger: Stranger) -> None:
    phone.answering = Ring()
    for index in range(17):
        stranger.send(stranger.message("INVITE", call=f"many-{index}", body=SDP.format(0)))
    assert (await stranger.final("INVITE"))[0] == 486
    await asyncio.sleep(0.2)
    assert len(phone.calls) == 16


async def test_garbage(phone: Phone, stranger: Stranger, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(7)  # noqa: S311
    messages = [stranger.message(method, body=SDP.format(0)) for method in ("INVITE", "BYE", "ACK")]
    for _ in range(300):
        data = bytearray(chance.choice(messages))
        for _ in range(chance.randrange(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        stranger.send(bytes(data))
    stranger.send(b"\r\n\r\n")
    while True:
        try:
            assert (await stranger.ask("OPTIONS", call="alive"))[0] == 200
        except OSError:
            continue
        break
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_stream_in_pieces() -> None:
    async with Phone("100", transport="tcp") as phone:
        helper = Stranger(("127.0.0.1", 9))
        helper.socket.close()
        reader, writer = await asyncio.open_connection(*phone.address)
        data = b"\r\n\r\n" + helper.message("OPTIONS") + helper.message("OPTIONS")
        for begin in range(0, len(data), 50):
            writer.write(data[begin : begin + 50])
            await asyncio.sleep(0.001)
        for _ in range(2):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2)
            assert head.startswith(b"SIP/2.0 200 OK")
        writer.write(b"Content-Length: 999999999\r\n\r\n")
        assert await asyncio.wait_for(reader.read(), 2) == b""  # it hangs up on that
        writer.close()
        await writer.wait_closed()
