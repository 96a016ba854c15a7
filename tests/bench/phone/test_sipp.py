"""Calls with SIPp, a client that nobody here wrote, in both roles."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from onhook.bench.phone import Answer, Credentials, Phone, ReferAnswer, Reject, Ring
from onhook.bench.phone.codec import PCMA
from tests.bench.phone.tones import pitch, tone

pytestmark = [
    pytest.mark.sipp,
    pytest.mark.skipif(shutil.which("sipp") is None, reason="needs SIPp (apt install sip-tester)"),
]

SCENARIOS = Path(__file__).parent / "sipp"


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """Return a port that is free, and so is the next but one, which SIPp's echo takes too."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sipp:
    """A SIPp that runs one scenario once."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.server = f"127.0.0.1:{port}"

    async def succeeded(self) -> None:
        """Wait until it has ended, and believe only its exit status."""
        async with asyncio.timeout(15):
            output, _ = await self.process.communicate()
        assert self.process.returncode == 0, output.decode()[-3000:]


@contextlib.asynccontextmanager
async def sipp(
    scenario: str | Path, folder: Path, transport: str, *target: str
) -> AsyncIterator[Sipp]:
    path = SCENARIOS / f"{scenario}.xml" if isinstance(scenario, str) else scenario
    port = free_port(socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM)
    process = await asyncio.create_subprocess_exec(
        "sipp",
        *("-sf", str(path), "-i", "127.0.0.1", "-p", str(port), "-mp", str(free_port())),
        *("-m", "1", "-rtp_echo", "-nostdin", "-timeout", "12s", "-timeout_error"),
        *("-t", "u1" if transport == "udp" else "t1", *target),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
    )
    try:
        await asyncio.sleep(0.3)  # SIPp says nothing when it has bound its port
        yield Sipp(process, port)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@pytest.mark.parametrize("codec", ["pcmu", "pcma"])
async def test_we_call_and_hear_our_own_voice(transport: str, codec: str, tmp_path: Path) -> None:
    async with (
        sipp("uas", tmp_path, transport) as peer,
        Phone(transport=transport, codecs=[codec]) as phone,
    ):
        call = await phone.dial("100", server=peer.server)
        await call.ringing(2)
        await call.answered(2)
        await call.play(tone(0.5, 700))
        await call.heard_silence(0.3, after=await call.heard_sound())
        await call.hang_up()
        await peer.succeeded()
        (sound,) = call.report().hearing.sounds
        assert sound.seconds == pytest.approx(0.5, abs=0.08)
        begin = round(8000 * (sound.start - call.report().hearing.begin))
        assert pitch(call.audio()[begin + 400 : begin + 3600]) == pytest.approx(700, abs=6)


async def test_it_hangs_up(transport: str, tmp_path: Path) -> None:
    async with sipp("uas_bye", tmp_path, transport) as peer, Phone(transport=transport) as phone:
        call = await phone.dial("100", server=peer.server)
        report = await call.ended(5)
        await peer.succeeded()
        assert report.how == "bye received"
        assert report.hearing.end - report.hearing.begin == pytest.approx(0.5, abs=0.2)
        assert report.hearing.sounds == ()


@pytest.mark.parametrize(
    ("scenario", "answer"),
    [("uas_refer", ReferAnswer.accept()), ("uas_refer_refused", ReferAnswer.refuse())],
)
async def test_it_refers_us(
    transport: str, scenario: str, answer: ReferAnswer, tmp_path: Path
) -> None:
    async with (
        sipp(scenario, tmp_path, transport) as peer,
        Phone(transport=transport, on_refer=answer) as phone,
    ):
        call = await phone.dial("100", server=peer.server)
        assert await call.referred(3) == "tel:+15550123"
        assert (await call.ended(3)).how == "bye received"
        await peer.succeeded()


async def test_it_is_busy(transport: str, tmp_path: Path) -> None:
    async with sipp("uas_busy", tmp_path, transport) as peer, Phone(transport=transport) as phone:
        call = await phone.dial("100", server=peer.server)
        assert (await call.ended(3)).how == "rejected 486"
        await peer.succeeded()


async def test_it_rings_until_we_give_up(transport: str, tmp_path: Path) -> None:
    async with sipp("uas_ring", tmp_path, transport) as peer, Phone(transport=transport) as phone:
        call = await phone.dial("100", server=peer.server)
        await call.ringing(3)
        await call.cancel()
        assert call.report().how == "cancelled"
        await peer.succeeded()


@pytest.mark.parametrize("quality", ["", ', qop="auth,auth-int"'], ids=["2069", "7616"])
@pytest.mark.parametrize("password", ["secret", "wrong"])
async def test_it_wants_a_proof(password: str, quality: str, tmp_path: Path) -> None:
    scenario = tmp_path / "auth.xml"
    scenario.write_text((SCENARIOS / "uas_auth.xml").read_text().replace("QOP", quality))
    async with (
        sipp(scenario, tmp_path, "udp") as peer,
        Phone(credentials=Credentials("joe", password)) as phone,
    ):
        call = await phone.dial("100", server=peer.server)
        if password == "secret":
            await call.answered(2)
            await call.hang_up()
        else:
            assert (await call.ended(2)).how == "rejected 403"
        await peer.succeeded()


@contextlib.asynccontextmanager
async def called(
    phone: Phone, scenario: str | Path, folder: Path, transport: str
) -> AsyncIterator[Sipp]:
    target = ("-s", "100", "{}:{}".format(*phone.address))
    async with sipp(scenario, folder, transport, *target) as peer:
        yield peer


async def test_it_calls_and_hears_us_and_hangs_up(transport: str, tmp_path: Path) -> None:
    async with (
        Phone("100", transport=transport, answering=Answer(0.1)) as phone,
        called(phone, "uac", tmp_path, transport) as peer,
    ):
        call = await phone.next_call(3)
        await call.answered(3)
        await call.play(tone(0.3, 500))
        report = await call.ended(5)
        await peer.succeeded()
        assert report.how == "bye received"
        assert [round(s.seconds, 1) for s in report.hearing.sounds] == [0.3]  # SIPp's echo


async def test_it_calls_and_we_hang_up(transport: str, tmp_path: Path) -> None:
    async with (
        Phone("100", transport=transport) as phone,
        called(phone, "uac_hung_up_on", tmp_path, transport) as peer,
    ):
        call = await phone.next_call(3)
        await call.answered(3)
        await call.hang_up()
        await peer.succeeded()


async def test_it_calls_and_gives_up(transport: str, tmp_path: Path) -> None:
    async with (
        Phone("100", transport=transport, answering=Ring()) as phone,
        called(phone, "uac_cancel", tmp_path, transport) as peer,
    ):
        call = await phone.next_call(3)
        assert (await call.ended(3)).how == "cancelled"
        await peer.succeeded()


async def test_it_calls_and_is_refused(transport: str, tmp_path: Path) -> None:
    async with (
        Phone("100", transport=transport, answering=Reject(603, 0.1)) as phone,
        called(phone, "uac_rejected", tmp_path, transport) as peer,
    ):
        assert (await (await phone.next_call(3)).ended(3)).how == "rejected 603"
        await peer.succeeded()


async def test_it_changes_the_codec_and_holds(transport: str, tmp_path: Path) -> None:
    async with (
        Phone("100", transport=transport) as phone,
        called(phone, "uac_reinvite", tmp_path, transport) as peer,
    ):
        call = await phone.next_call(3)
        report = await call.ended(5)
        await peer.succeeded()
        assert report.how == "bye received"
        assert report.answered_at is not None
        assert report.ended_at is not None
        up = report.ended_at - report.answered_at
        assert report.packets.sent < 50 * (up - 0.2)  # nothing was sent while it held the line


async def test_it_plays_to_us(tmp_path: Path) -> None:
    (tmp_path / "tone.al").write_bytes(PCMA.encode(tone(1.0, 900)))
    scenario = tmp_path / "play.xml"
    text = (SCENARIOS / "uac_play.xml").read_text()
    scenario.write_text(text.replace("FILE", str(tmp_path / "tone.al")))
    async with (
        Phone("100") as phone,
        called(phone, scenario, tmp_path, "udp") as peer,
    ):
        call = await phone.next_call(3)
        report = await call.ended(5)
        await peer.succeeded()
        (sound,) = report.hearing.sounds
        assert sound.seconds == pytest.approx(1.0, abs=0.1)
        begin = round(8000 * (sound.start - report.hearing.begin))
        assert pitch(call.audio()[begin + 800 : begin + 6400]) == pytest.approx(900, abs=6)


async def test_it_asks_what_we_can_do(transport: str, tmp_path: Path) -> None:
    async with (
        Phone("100", transport=transport) as phone,
        called(phone, "options", tmp_path, transport) as peer,
    ):
        await peer.succeeded()
