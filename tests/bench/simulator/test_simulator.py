from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

import aiohttp
import pytest

from onhook.bench.simulator import Endpoint, Kind, ProviderFault, Script, Simulator, SimulatorError


async def control(simulator: Simulator, order: object = None) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as http:
        method = "GET" if order is None else "PUT"
        async with http.request(method, simulator.control_url, json=order) as response:
            return response.status, await response.json()


async def ask(simulator: Simulator) -> int:
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{simulator.base_url}/chat/completions", json=body) as response,
    ):
        await response.read()
        return response.status


async def test_another_process_sees_and_changes_the_faults(simulator: Simulator) -> None:
    once, always = ProviderFault.error(429).to_dict(), ProviderFault.error(401).to_dict()
    status, _ = await control(simulator, {"queue": {"chat": [once]}, "standing": {"chat": always}})
    assert status == 200
    assert [await ask(simulator) for _ in range(3)] == [429, 401, 401]
    status, facts = await control(simulator, {"standing": {"chat": None}})
    assert await ask(simulator) == 200
    assert [each["fault"] for each in facts["requests"]] == ["status"] * 3
    assert facts["requests"][0]["text"] == "hello"


async def test_another_process_closes_and_opens_the_port(simulator: Simulator) -> None:
    await control(simulator, {"listening": False})
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(simulator)
    _, facts = await control(simulator)
    assert facts["listening"] is False
    await control(simulator, {"listening": True})
    assert await ask(simulator) == 200


async def test_another_process_writes_the_script(simulator: Simulator) -> None:
    answers = ["Hello.", {"tool": "book", "arguments": {"guests": 2}}]
    status, _ = await control(simulator, {"script": {"answers": answers, "pace": 0.0}})
    assert status == 200


@pytest.mark.parametrize(
    ("order", "named"),
    [
        ([], "a control message has"),
        ({"faults": {}}, "a control message has"),
        ({"queue": {"chats": []}}, "names endpoints"),
        ({"standing": {"chat": {"kind": "late"}}}, "no fault is of kind 'late'"),
        ({"standing": {"chat": {"kind": "mute"}}}, "a fault of speech"),
        ({"standing": {"chat": {"kind": "slow", "minutes": 1}}}, "minutes"),
        ({"script": {"answers": []}}, "at least one"),
        ({"script": {"answers": [3]}}, "an answer is text or"),
        ({"script": {"words": ["a"]}}, "words"),
    ],
)
async def test_an_order_that_makes_no_sense_changes_nothing(
    simulator: Simulator, order: object, named: str
) -> None:
    status, answer = await control(simulator, order)
    assert status == 400
    assert named in answer["error"]["message"]
    assert await ask(simulator) == 200


@pytest.mark.parametrize(
    "settings",
    [
        {"status": 200},
        {"status": 600},
        {"chunks": -1},
        {"bytes": -1},
        {"seconds": float("inf")},
        {"seconds": -1.0},
        {"rate": 0},
    ],
)
def test_a_fault_that_cannot_be_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SimulatorError, match=next(iter(settings))):
        ProviderFault(Kind.STATUS, **settings)


def test_faults_travel_as_json() -> None:
    for fault in (ProviderFault.stall(bytes=7), ProviderFault.slow(1.5), ProviderFault.empty()):
        assert ProviderFault.from_dict(fault.to_dict()) == fault


def test_a_script_has_lines() -> None:
    with pytest.raises(SimulatorError, match="heard"):
        Script(heard=())
    with pytest.raises(SimulatorError, match="answers"):
        Script(answers="Hello.")  # type: ignore[arg-type]


async def test_a_port_that_is_taken_is_named(simulator: Simulator) -> None:
    port = int(simulator.base_url.split(":")[2].split("/")[0])
    with pytest.raises(SimulatorError, match=str(port)):
        async with Simulator(port=port):
            pass


async def test_a_stall_does_not_hold_up_the_end() -> None:
    async with Simulator() as simulator:
        simulator.fail(Endpoint.CHAT, ProviderFault.stall())
        waiting = asyncio.create_task(ask(simulator))
        async with asyncio.timeout(5):
            while not simulator.requests:  # noqa: ASYNC110 - it is the server's task that notes it
                await asyncio.sleep(0.01)
            await simulator.refuse()
            with pytest.raises(aiohttp.ClientError):
                await waiting


async def test_the_command_prints_its_environment_and_ends_on_ctrl_c() -> None:
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "onhook.cli", "simulator"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert program.stdout is not None
    try:
        async with asyncio.timeout(30):
            printed = [(await program.stdout.readline()).decode() for _ in range(2)]
            env = dict(line.removeprefix("export ").strip().split("=", 1) for line in printed)
            assert set(env) == {"OPENAI_BASE_URL", "OPENAI_API_KEY"}
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"{env['OPENAI_BASE_URL']}/models") as response,
            ):
                assert response.status == 200
            program.send_signal(signal.SIGINT)
            _, errors = await program.communicate()
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    assert program.returncode == 0, errors.decode()
    assert b"Traceback" not in errors
