"""`onhook call` as a program of its own, against our phone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from onhook.bench.phone import Answer, Phone, ReferAnswer, Reject, Ring, load_audio, save_wav
from tests.bench.phone.tones import tone


class Program:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def ended(self) -> tuple[int, str, str]:
        async with asyncio.timeout(15):
            out, err = await self.process.communicate()
        return int(self.process.returncode or 0), out.decode(), err.decode()


@contextlib.asynccontextmanager
async def onhook(*arguments: str) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from onhook.cli import main; main()", "call", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            "PATH": "/usr/bin:/bin",
            "COLUMNS": "80",
            "NO_COLOR": "1",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        },
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def run(*arguments: str) -> tuple[int, str, str]:
    async with onhook(*arguments) as program:
        return await program.ended()


def server(phone: Phone) -> tuple[str, str]:
    return "--server", "{}:{}".format(*phone.address)


async def test_a_call_with_a_report_that_fits_80_columns(tmp_path: Path) -> None:
    save_wav(tmp_path / "hello.wav", tone(0.3))
    heard = tmp_path / "heard.wav"
    arguments = ("--play", str(tmp_path / "hello.wav"), "--dtmf", "12", "--save", str(heard))
    async with (
        Phone("100", answering=Answer(0.2)) as phone,
        onhook("100", *server(phone), *arguments) as program,
    ):
        call = await phone.next_call(10)
        await call.answered(5)
        await call.play(tone(0.4))
        assert await call.heard_digits(2) == "12"
        assert await call.refer("tel:+15550123") == 200
        await call.hang_up()
        status, out, err = await program.ended()
    assert (status, err) == (0, "")
    assert max(len(line) for line in out.splitlines()) <= 80
    for words in ("invited", "ringing", "answered", "sound", "REFER to tel:+15550123: 202"):
        assert words in out
    assert "bye received" in out
    assert "0 lost" in out
    assert [round(s.seconds, 1) for s in call.report().hearing.sounds] == [0.3]
    assert len(load_audio(heard)) > 4000


async def test_json(tmp_path: Path) -> None:
    async with Phone("100", transport="tcp") as phone:
        status, out, _ = await run(
            *("100", *server(phone), "--transport", "tcp", "--codec", "pcma"),
            *("--say", "yes", "--hangup-after", "0.5", "--json"),
        )
    report = json.loads(out)
    assert status == 0
    assert report["ending"] == "bye sent"
    assert report["heard"]["stretches"][0]["kind"] == "silence"
    assert report["packets"]["sent"] > 10


async def test_ctrl_c_hangs_up_and_still_reports() -> None:
    async with (
        Phone("100") as phone,
        onhook(f"sip:100@{phone.address[0]}:{phone.address[1]}") as program,
    ):
        call = await phone.next_call(10)
        await call.answered(5)
        program.process.send_signal(signal.SIGINT)
        assert (await call.ended(5)).how == "bye received"
        status, out, _ = await program.ended()
    assert status == 0
    assert "bye sent" in out


async def test_ctrl_c_while_it_rings() -> None:
    async with Phone("100", answering=Ring()) as phone, onhook("5", *server(phone)) as program:
        call = await phone.next_call(10)
        await asyncio.sleep(0.2)
        program.process.send_signal(signal.SIGINT)
        assert (await call.ended(5)).how == "cancelled"
        status, out, _ = await program.ended()
    assert status == 1
    assert "cancelled (Request Terminated)" in out


async def test_not_answered() -> None:
    async with Phone("100", answering=Reject(486)) as phone:
        status, out, _ = await run("100", *server(phone))
        assert (status, "rejected 486 (Busy Here)" in out) == (1, True)
        phone.answering = Ring()
        status, out, _ = await run("100", *server(phone), "--cancel-after", "0.3")
        assert (status, "timeout (Request Terminated)" in out) == (1, True)


@pytest.mark.parametrize(("choice", "outcome"), [("refuse", 603), ("fail", 486)])
async def test_answer_refer(choice: str, outcome: int) -> None:
    async with Phone("100") as phone, onhook("5", *server(phone), "--answer-refer", choice):
        call = await phone.next_call(10)
        await call.answered(5)
        assert await call.refer("tel:+1") == outcome
        await call.hang_up()


async def listening(program: Program) -> str:
    assert program.process.stderr is not None
    async with asyncio.timeout(10):
        line = (await program.process.stderr.readline()).decode()
    assert line.startswith("listening: ")
    return line.split()[1]


async def test_being_called() -> None:
    async with onhook("--listen", "--answer-after", "0.2", "--say", "yes") as program:
        uri = await listening(program)
        async with Phone(on_refer=ReferAnswer.accept()) as phone:
            call = await phone.dial(uri)
            await call.answered(5)
            await call.heard_sound()
            await call.hang_up()
        status, out, _ = await program.ended()
    assert status == 0
    assert "Call from sip:+15550199@" in out


@pytest.mark.parametrize(
    ("arguments", "how"), [(("--reject", "603"), "rejected 603"), (("--never-answer",), "timeout")]
)
async def test_refusing_to_be_called(arguments: tuple[str, ...], how: str) -> None:
    async with onhook("--listen", "--answer-after", "0", *arguments) as program, Phone() as phone:
        call = await phone.dial(await listening(program), ring_timeout=0.5)
        assert (await call.ended(5)).how == how
        assert (await program.ended())[0] == 1


async def test_interrupted_before_anybody_called() -> None:
    async with onhook("--listen") as program:
        await listening(program)
        program.process.send_signal(signal.SIGTERM)
        status, _, err = await program.ended()
    assert status == 1
    assert "nobody called" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["100"], "pass --server HOST:PORT"),
        ([], "give either a NUMBER to call, or --listen"),
        (["100", "--listen"], "give either a NUMBER"),
        (["100", "--server", "nowhere"], "give HOST:PORT"),
        (["1 0", "--server", "127.0.0.1:5060"], "is no number"),
        (["100", "--server", "127.0.0.1:9", "--play", "none.wav"], "there is no audio file"),
        (["100", "--server", "127.0.0.1:9", "--play", "a", "--say", "b"], "not both"),
        (["100", "--server", "127.0.0.1:9", "--dtmf", "x"], "have a key"),
        (["100", "--server", "127.0.0.1:9", "--hangup-after", "0"], "greater than 0"),
        (["100", "--server", "127.0.0.1:9", "--save", "/no/such/x.wav"], "there is no folder"),
        (["100", "--server", "127.0.0.1:9", "--hangup-after", "nan"], "greater than 0"),
        (["100", "--server", "127.0.0.1:9", "--say", " "], "takes the words"),
        (["100", "--server", "127.0.0.1:9", "--save", "/"], "give the name of a file"),
        (["100", "--server", "127.0.0.1:9", "--save", ""], "give the name of a file"),
        (["sips:100@127.0.0.1"], "only 'sip:NUMBER@HOST:PORT' can be dialled"),
        (["--listen", "--bind", "127.0.0.1:65536"], "give --bind HOST"),
        (["--listen", "--reject", "200"], "give a status of 300"),
        (["--listen", "--bind", ":x"], "give --bind HOST"),
        (["100", "--server", "127.0.0.1:9", "--codec", "opus"], "Invalid value"),
    ],
)
async def test_a_wrong_command_line(arguments: list[str], message: str) -> None:
    status, out, err = await run(*arguments)
    assert status == 2
    assert out == ""
    assert message in " ".join(err.split())
