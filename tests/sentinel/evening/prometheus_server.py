"""A real Prometheus that scrapes one sentinel and judges by the alert rules."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.sentinel.line.sentinels import free_port

__all__ = ["Prometheus", "prometheus"]

RULES = Path(__file__).parents[3] / "deploy" / "prometheus" / "onhook.rules.yml"
_START = 30.0
_TIMEOUT = aiohttp.ClientTimeout(total=5)
_CONFIG = """
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: [{rules}]
scrape_configs:
  - job_name: onhook
    static_configs: [{{ targets: ["{target}"] }}]
"""


@dataclass(frozen=True)
class Prometheus:
    """It, while it runs."""

    url: str

    async def alerts(self) -> set[str]:
        """Return the names of the alerts that fire now."""
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(f"{self.url}/api/v1/alerts") as answer,
        ):
            told = await answer.json()
        return {a["labels"]["alertname"] for a in told["data"]["alerts"] if a["state"] == "firing"}

    async def fires(self, name: str, *, within: float = 15.0) -> bool:
        """Wait until an alert fires; return whether it did."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while name not in await self.alerts():  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.5)
                return True
        return False


@contextlib.asynccontextmanager
async def prometheus(target: str, folder: Path) -> AsyncIterator[Prometheus]:
    """Run a Prometheus until the context is left.

    Args:
        target: HOST:PORT of the sentinel.
        folder: For its files. Its rules wait for nothing, so that an evening takes minutes.
    """
    program = shutil.which("prometheus")
    assert program is not None, "install prometheus (Debian: apt-get install prometheus)"
    folder.mkdir(parents=True, exist_ok=True)
    rules, config, address = folder / "rules.yml", folder / "config.yml", f"127.0.0.1:{free_port()}"
    rules.write_text(re.sub(r"^ +for: .*\n", "", RULES.read_text(), flags=re.M))
    config.write_text(_CONFIG.format(rules=rules, target=target))
    with (folder / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"),
            f"--web.listen-address={address}",
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
        )
    running = Prometheus(f"http://{address}")
    try:
        async with asyncio.timeout(_START):
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    await running.alerts()
                    break
                await asyncio.sleep(0.2)
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
