"""What an operator looks at: the page, the metrics, the records, the alerts and the doctor."""

from __future__ import annotations

import asyncio
import html
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

__all__ = ["Operator"]

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_BROWSER = 60.0
_COMMAND = 60.0


@dataclass
class Operator:
    """Looks at a sentinel from outside, as a person and as a program.

    Args:
        url: The sentinel's address.
        env: Variables of the commands that are run.
        folder: For screenshots.
    """

    url: str
    env: Mapping[str, str]
    folder: Path
    pictures: list[Path] = field(default_factory=list)

    async def text(self, path: str) -> str:
        """Return a page as a person reads it."""
        page = re.sub(r"<(script|style).*?</\1>", " ", await self._got(path), flags=re.S)
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())

    async def metrics(self) -> dict[str, float]:
        """Return every sample, by name and labels as Prometheus writes them."""
        found = {}
        for family in text_string_to_metric_families(await self._got("/metrics")):
            for sample in family.samples:
                labels = ",".join(f'{k}="{v}"' for k, v in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}"] = sample.value
        return found

    async def ready(self) -> int:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(f"{self.url}/readyz") as answer,
        ):
            return answer.status

    async def turn(self, what: str, **fields: str) -> None:
        """Send a form of the outage switch, as the page gives it."""
        jar = aiohttp.CookieJar(unsafe=True)  # at an address, not a name
        async with aiohttp.ClientSession(timeout=_TIMEOUT, cookie_jar=jar) as session:
            async with session.get(f"{self.url}/outages") as answer:
                page = await answer.text()
            csrf = re.search(r'name="csrf" value="([^"]+)"', page)
            key = re.search(r'name="outage" value="([^"]+)"', page)
            given = {"csrf": csrf[1] if csrf else "", **fields}
            if what == "off" and key:
                given["outage"] = html.unescape(key[1])
            headers = {
                "Origin": self.url,
                "Content-Type": "application/x-www-form-urlencoded",
            }
            async with session.post(
                f"{self.url}/outages/{what}", data=urlencode(given), headers=headers
            ) as answer:
                assert answer.status == 200, f"{answer.status}: {await answer.text()}"

    async def run(self, *command: str) -> tuple[int, str]:
        """Run a command of onhook's; return its exit code and what it said."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "onhook.cli", *command),
            env={**os.environ, **self.env, "COLUMNS": "80"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(_COMMAND):
            out, _ = await process.communicate()
        return process.returncode or 0, out.decode()

    async def records(self) -> Sequence[Mapping[str, Any]]:
        """Return the records of calls, newest first."""
        code, said = await self.run("sentinel", "calls", "--json", "--since", "1h")
        assert code == 0, said
        told = json.loads(said)
        return list(told["calls"] if isinstance(told, dict) else told)

    async def photograph(self, path: str, name: str) -> None:
        """Keep what a real browser makes of a page."""
        browser = shutil.which("chromium")
        if browser is None:
            return
        picture = self.folder / f"{name}.png"
        process = await asyncio.create_subprocess_exec(
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *("--virtual-time-budget=3000", "--window-size=1280,1100"),
            *(f"--user-data-dir={self.folder / 'browser'}", f"--screenshot={picture}"),
            f"{self.url}{path}",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(_BROWSER):
                await process.wait()
            self.pictures.append(picture)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _got(self, path: str) -> str:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(f"{self.url}{path}") as answer,
        ):
            assert answer.status == 200, f"{path}: {answer.status}"
            return await answer.text()
