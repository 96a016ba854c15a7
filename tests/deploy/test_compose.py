"""The compose file: by its schema, by what it names, and its services as they really start."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml  # type: ignore[import-untyped]
from livekit import api

from onhook.bench.stack import health
from onhook.bench.stack.config import Keys
from onhook.bench.stack.ports import Ports, choose_ports
from onhook.bench.stack.programs import find_programs
from onhook.bench.stack.server_process import Server
from onhook.sentinel.plans_file import PlansFile
from onhook.sentinel.sentinel_settings import PORT
from tests.deploy.deploy_files import DEPLOY, ROOT, accepted, documents, known_variables

FOLDER = DEPLOY / "compose"
START = 90.0
LIVEKIT, REDIS, SIP = 7880, 6379, 5060
"""The ports of the files."""


def compose() -> dict[str, Any]:
    (document,) = documents(FOLDER / "compose.yaml")
    return document


def filled(text: str, given: Mapping[str, str]) -> str:
    """Put variables into a text as compose does (its specification, "Interpolation")."""

    def value(found: re.Match[str]) -> str:
        name, kind, more = found.group("name", "kind", "more")
        if given.get(name):
            return given[name]
        assert kind != ":?", f"{name} is required"
        return more or ""

    return re.sub(r"\$\{(?P<name>\w+)(?:(?P<kind>:[-?])(?P<more>[^}]*))?\}", value, text)


def environment(service: str, given: Mapping[str, str]) -> dict[str, str]:
    told = compose()["services"][service].get("environment", {})
    return {name: filled(str(value), given) for name, value in told.items()}


def test_it_is_a_compose_file() -> None:
    schema = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    validator = jsonschema.Draft202012Validator(json.loads(schema.read_text()))
    validator.validate(compose())
    wrong = compose()
    wrong["services"]["sentinel"]["read_olny"] = True
    assert [error.message for error in validator.iter_errors(wrong)]


def test_the_servers_are_those_that_onhook_is_tested_with() -> None:
    setup = (ROOT / "scripts" / "setup.sh").read_text()
    versions = dict(re.findall(r"^(server|sip)_version=(\S+)", setup, re.MULTILINE))
    images = {name: told["image"] for name, told in compose()["services"].items()}
    assert images["livekit"].endswith(f":v{versions['server']}")
    assert images["sip"].endswith(f":v{versions['sip']}")
    assert all(re.search(r":v?\d", image) for image in images.values())


def test_the_sentinels_command_variables_and_files_exist() -> None:
    sentinel = compose()["services"]["sentinel"]
    assert accepted(["onhook", *sentinel["command"]]) == "sentinel run"
    assert set(sentinel["environment"]) <= known_variables()
    build = sentinel["build"]
    assert (FOLDER / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).exists()
    PlansFile(FOLDER / "plans.toml", own=())
    for service in compose()["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            there = (
                (FOLDER / source).exists() if source[0] == "." else source in compose()["volumes"]
            )
            assert there, volume


def test_what_has_to_be_given_is_in_the_example() -> None:
    example = re.findall(r"^(\w+)=", (FOLDER / "env.example").read_text(), re.MULTILINE)
    text = (FOLDER / "compose.yaml").read_text()
    assert set(re.findall(r"\$\{(\w+)", text)) == set(example)
    with pytest.raises(AssertionError, match="LIVEKIT_API_KEY is required"):
        environment("livekit", {})


def test_it_listens_on_loopback_and_may_write_to_its_volume_alone() -> None:
    sentinel = compose()["services"]["sentinel"]
    assert sentinel["network_mode"] == "host"
    where = sentinel["command"][sentinel["command"].index("--webhook") + 1]
    assert where == f"127.0.0.1:{PORT}"
    (livekit,) = documents(FOLDER / "livekit.yaml")
    assert livekit["webhook"]["urls"] == [f"http://{where}/webhook"]
    assert livekit["bind_addresses"] == ["127.0.0.1"]
    redis = compose()["services"]["redis"]["command"]
    assert redis[redis.index("--bind") + 1] == "127.0.0.1"
    assert sentinel["read_only"]
    assert sentinel["cap_drop"] == ["ALL"]
    assert all(volume.endswith((":ro", ":/var/lib/onhook")) for volume in sentinel["volumes"])


@dataclass(frozen=True)
class Started:
    """The services of the compose file, with ports of their own."""

    env: Mapping[str, str]
    sentinel: str
    logs: Mapping[str, Path]

    async def json(self, path: str) -> dict[str, Any]:
        async with aiohttp.ClientSession() as session, session.get(self.sentinel + path) as answer:
            return dict(await answer.json())


def moved(text: str, ports: Ports) -> str:
    """Put the ports of this run in the place of the files' own."""
    for port, other in (
        *((LIVEKIT, ports.http), (REDIS, ports.redis), (SIP, ports.sip)),
        *((PORT, ports.rtc_udp), ("10000-20000", f"{ports.rtp}-{ports.rtp_last}")),
    ):
        text = re.sub(rf"(?<!\d){port}(?!\d)", str(other), text)
    return text


def on_loopback(name: str, ports: Ports) -> str:
    """Return a configuration with ports of this run, for media on loopback alone."""
    told = yaml.safe_load(moved((FOLDER / name).read_text(), ports))
    if name == "livekit.yaml":
        told["rtc"] = {"node_ip": "127.0.0.1", "tcp_port": 0, "udp_port": ports.rtp_last + 1}
        told["rtc"] |= {"enable_loopback_candidate": True, "interfaces": {"includes": ["lo"]}}
    else:
        told |= {"listen_ip": "127.0.0.1", "nat_1_to_1_ip": "127.0.0.1", "local_net": "127.0.0.0/8"}
    return json.dumps(told)


@contextlib.asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Started]:
    """Start redis, livekit, sip and sentinel with the commands and variables of the file."""
    ports, programs, keys = choose_ports(), find_programs(sip=True, sip_required=True), Keys()
    given = {"LIVEKIT_API_KEY": keys.key, "LIVEKIT_API_SECRET": keys.secret}
    services = compose()["services"]
    places = {
        "/etc/livekit.yaml": folder / "livekit.yaml",
        "/sip/config.yaml": folder / "sip.yaml",
        "/etc/onhook/plans.toml": FOLDER / "plans.toml",
    }
    for name in ("livekit.yaml", "sip.yaml"):
        (folder / name).write_text(on_loopback(name, ports))

    def here(text: str) -> str:
        return str(places.get(text) or moved(text, ports))

    assert services["redis"]["command"][0] == "redis-server"
    url = f"http://127.0.0.1:{ports.rtc_udp}"
    commands = {
        "redis": [programs.redis, *services["redis"]["command"][1:]],
        "livekit": [programs.server, *services["livekit"]["command"]],
        "sip": [programs.sip],
        "sentinel": [sys.executable, "-m", "onhook.cli", *services["sentinel"]["command"]],
    }
    checks = {
        "redis": lambda: health.redis(ports.redis),
        "livekit": lambda: answers(f"http://127.0.0.1:{ports.http}/"),
        "sip": lambda: health.sip(ports.sip),
        "sentinel": lambda: answers(f"{url}/healthz"),
    }
    own = {"ONHOOK_JOURNAL": str(folder / "incidents.db"), "PYTHONPATH": str(ROOT / "src")}
    servers: dict[str, Server] = {}
    try:
        for name, command in commands.items():
            env = {key: here(value) for key, value in environment(name, given).items()}
            words = [here(str(word)) for word in command]
            servers[name] = Server(name, words, folder / f"{name}.log", {**own, **env})
            await servers[name].start()
            await servers[name].healthy(checks[name], deadline=START)
        livekit = environment("sentinel", given)
        env = {name: here(value) for name, value in livekit.items()}
        yield Started(env, url, {name: server.log for name, server in servers.items()})
    finally:
        for server in reversed(servers.values()):
            await server.stop()


async def answers(url: str) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status == 200
    return False


@pytest.mark.stack
async def test_its_services_start_and_find_each_other(tmp_path: Path) -> None:
    async with started(tmp_path) as running:
        async with api.LiveKitAPI(
            running.env["LIVEKIT_URL"],
            running.env["LIVEKIT_API_KEY"],
            running.env["LIVEKIT_API_SECRET"],
        ) as livekit:
            await livekit.room.create_room(api.CreateRoomRequest(name="call-1"))
            async with asyncio.timeout(30.0):
                while not (await running.json("/healthz"))["webhooks"]:  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.1)
            await livekit.room.delete_room(api.DeleteRoomRequest(room="call-1"))
        status = await running.json("/status")
        assert status["mode"] == "observe"
        assert status["webhooks"] == {"room_started": 1} or status["webhooks"]["room_finished"]
        assert status["refused"] == {"webhook": {}, "lease": {}, "report": {}}
        assert status["failing"] == []
        assert status["fleet"]["polls"], "it shares the Redis, and leads"
    said = running.logs["sentinel"].read_text()
    assert "Traceback" not in said
    for log in running.logs.values():
        assert running.env["LIVEKIT_API_SECRET"] not in log.read_text(errors="replace")
