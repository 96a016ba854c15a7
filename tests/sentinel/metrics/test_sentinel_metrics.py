"""What a whole sentinel tells Prometheus, by Prometheus' own tool and by the page for people."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from onhook.sentinel.metrics.definitions import METRICS
from onhook.sentinel.service import Sentinel
from tests.sentinel.test_service_life import ringing, running, server, until

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \| (.*) \|$", re.MULTILINE)

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool (apt install prometheus)"
)


async def scraped(sentinel: Sentinel, accept: str = "", path: str = "/metrics") -> str:
    headers = {"Accept": accept} if accept else {}
    url = f"http://127.0.0.1:{sentinel.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith(
            accept.split(";", maxsplit=1)[0] or "text/plain"
        )
        return await answer.text()


class Told:
    """The values of a text that was told."""

    def __init__(self, text: str) -> None:
        self.samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        return self.samples[f"onhook_{name}", frozenset(labels.items())]


@pytest.fixture(scope="module")
def of_a_call_that_nobody_takes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The metrics of a sentinel that has seen one such call and may not touch it."""

    async def run() -> str:
        folder = tmp_path_factory.mktemp("metrics")
        async with (
            server(**ringing()) as at,
            running(at, folder, absent=0.1, observe=True) as (
                sentinel,
                *_,
            ),
        ):
            await until(lambda: sentinel.status()["incidents"]["endings"])
            text = ""
            async with asyncio.timeout(20.0):
                while "onhook_sentinel_longest_wait_seconds 0.0" in text or not text:
                    text = await scraped(sentinel)
            return text

    return asyncio.run(run())


def test_all_that_is_documented_is_told_and_nothing_else(of_a_call_that_nobody_takes: str) -> None:
    told = {
        line.split()[2]
        for line in of_a_call_that_nobody_takes.splitlines()
        if line.startswith("# TYPE") and line.split()[2].startswith("onhook_")
    }
    assert told == set(METRICS)


def test_the_docs_have_each_with_its_type_and_labels() -> None:
    documented = {
        name: (kind, tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels, _ in ROW.findall(DOCS.read_text())
    }
    assert documented == {m.name: (m.kind, m.labels) for m in METRICS.values()}


@needs_promtool
def test_promtool_finds_nothing_wrong_with_them(of_a_call_that_nobody_takes: str) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=of_a_call_that_nobody_takes,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_call_that_waits_is_in_its_state_with_its_incident(
    of_a_call_that_nobody_takes: str,
) -> None:
    told = Told(of_a_call_that_nobody_takes)
    assert told("sentinel_calls", state="no_agent") == 1
    assert told("sentinel_suspected_calls", fault="agent.absent") == 1
    assert told("sentinel_longest_wait_seconds") > 0.1
    which = {"fault": "agent.absent", "ring": "sentinel", "mode": "observe"}
    assert told("incidents_opened_total", **which) == 1
    assert told("incidents_total", outcome="observed", **which) == 1
    assert told("detection_lag_seconds_count", fault="agent.absent") == 1
    assert told("time_to_safe_seconds_count", ring="sentinel") == 0, "it is not safe"
    assert told("sentinel_polls_total", result="ok") >= 1
    assert told("sentinel_ready") == 1


def test_no_room_number_or_secret_is_in_them(of_a_call_that_nobody_takes: str) -> None:
    for private in ("call-1", "5550100", "5550199", "SCL_1", "RM_1", "secret"):
        assert private not in of_a_call_that_nobody_takes
    assert "_created" not in of_a_call_that_nobody_takes


async def test_who_takes_openmetrics_gets_it(tmp_path: Path) -> None:
    async with server() as at, running(at, tmp_path) as (sentinel, *_):
        text = await scraped(sentinel, "application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")
