"""examples/fastapi_sentinel.py, served by uvicorn, hears the webhooks of a real livekit-server.

In the middle of a rotation: the server signs with the old key, the application has the new one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import aiohttp
import pytest
from livekit import api

from onhook.bench.stack import Stack
from onhook.bench.stack.config import Keys
from tests.deploy.deploy_files import ROOT
from tests.sentinel.line.sentinels import free_port

START = 90.0


@pytest.mark.stack
async def test_a_real_webhook_arrives_below_the_prefix(tmp_path: Path) -> None:
    port, log, new = free_port(), tmp_path / "uvicorn.log", Keys()
    base = f"http://127.0.0.1:{port}"
    async with Stack(sip="off", webhooks=[f"{base}/onhook/webhook"], next_keys=new) as stack:
        _, old_key, old_secret = stack.env.values()
        (tmp_path / "old-keys").write_text(f"{old_key}: {old_secret}\n")
        env = {
            **os.environ,
            **stack.env,
            "LIVEKIT_API_KEY": new.key,
            "LIVEKIT_API_SECRET": new.secret,
            "ONHOOK_WEBHOOK_KEYS": str(tmp_path / "old-keys"),
            "ONHOOK_JOURNAL": str(tmp_path / "incidents.db"),
            "ONHOOK_MODE": "observe",
        }
        command = ("-m", "uvicorn", "--app-dir", str(ROOT / "examples"), "fastapi_sentinel:app")
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, *command, "--port", str(port), "--timeout-keep-alive", "120"),
                env=env,
                stdout=out,
                stderr=asyncio.subprocess.STDOUT,
            )
        try:
            async with aiohttp.ClientSession() as session, asyncio.timeout(START):
                while await asked(session, f"{base}/onhook/healthz") is None:
                    assert process.returncode is None, log.read_text()
                    await asyncio.sleep(0.2)
                assert await asked(session, base) == {"service": "front desk"}
                async with api.LiveKitAPI(*stack.env.values()) as livekit:
                    await livekit.room.create_room(api.CreateRoomRequest(name="call-1"))
                while True:
                    told = await asked(session, f"{base}/onhook/healthz")
                    assert told is not None
                    if told["webhooks"] == {"room_started": 1}:
                        break
                    await asyncio.sleep(0.1)
                status = await asked(session, f"{base}/onhook/status")
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(15.0):
                await process.wait()
            took = time.monotonic() - began
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
    said = log.read_text()
    assert status is not None
    assert status["failing"] == [], "the new key is good for the API"
    signed = status["signed_at"]
    assert isinstance(signed, dict)
    assert signed.pop(new.key) == "never"
    assert set(signed) == {old_key}
    assert signed[old_key] != "never"
    assert took <= 5.0, said
    assert "where it is mounted" in said
    assert "Application shutdown complete" in said
    assert "Traceback" not in said
    assert old_secret not in said
    assert new.secret not in said


async def asked(session: aiohttp.ClientSession, url: str) -> dict[str, object] | None:
    try:
        async with session.get(url) as answer:
            return dict(await answer.json()) if answer.status == 200 else None
    except aiohttp.ClientError:
        return None
