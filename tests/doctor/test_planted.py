"""Mistakes planted on real servers: each is found, alone, and a sound deployment says nothing."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from livekit import api

from onhook.bench.phone import Phone
from onhook.cli.doctor_call import place_call
from onhook.doctor.findings import Group, Report
from tests.doctor.conftest import OTHER_KEYS
from tests.doctor.planting import AGENT, Bench, changed, closed_port, sip_peer

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture
def sound_file(tmp_path: Path) -> Path:
    path = tmp_path / "agent.py"
    path.write_text(
        "import onhook\nfrom livekit.agents import AgentServer, AgentSession, Agent, JobContext\n"
        f"server = AgentServer()\n@server.rtc_session(agent_name={AGENT!r})\n@onhook.guard\n"
        "async def entrypoint(ctx: JobContext) -> None:\n    session = AgentSession()\n"
        "    await session.start(Agent(instructions=''), room=ctx.room)\n"
    )
    return path


async def test_nothing_is_said_of_a_sound_one(bench: Bench, sound_file: Path) -> None:
    before = await bench.everything()
    order = changed(bench.sound, files=(sound_file,))
    report = await bench.examined(order)
    assert report.findings == ()
    assert await bench.everything() == before
    webhooks = changed(bench.sound, groups=(Group.WEBHOOKS,), wait_webhook=10.0)
    assert (await bench.examined(webhooks)).findings == ()


async def test_the_command_says_nothing_of_a_sound_one(bench: Bench, sound_file: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "onhook.cli", "doctor", "--json", "--agent", str(sound_file)),
        *("--sip", bench.stack.sip_address or ""),
        env={**os.environ, **bench.stack.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    told = json.loads(out)
    assert (process.returncode, told["findings"], told["sound"]) == (0, [], True), err
    assert bench.stack.env["LIVEKIT_API_SECRET"] not in out.decode()


Plant = Callable[[Bench], Awaitable[object]]


async def _routed(bench: Bench, **trunk: object) -> None:
    await bench.rule(await bench.trunk(**trunk))


async def _gone_trunk(bench: Bench) -> None:
    trunk = await bench.trunk()
    await bench.rule(trunk)
    async with bench.client() as client:
        await client.sip.delete_trunk(api.DeleteSIPTrunkRequest(sip_trunk_id=trunk))


async def _no_agents(bench: Bench) -> None:
    await bench.rule(await bench.trunk(), room_config=api.RoomConfiguration())


async def _ignored_config(bench: Bench) -> None:
    individual = api.SIPDispatchRuleIndividual(room_prefix="call-")
    request = api.CreateSIPDispatchRuleRequest(
        dispatch_rule=api.SIPDispatchRuleInfo(
            trunk_ids=[await bench.trunk()],
            rule=api.SIPDispatchRule(dispatch_rule_individual=individual),
        ),
        room_config=api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=AGENT)]),
    )
    await bench.rule_of(request)


async def _one_room(bench: Bench) -> None:
    direct = api.SIPDispatchRuleDirect(room_name="lobby")
    rule = api.SIPDispatchRule(dispatch_rule_direct=direct)
    await bench.rule(await bench.trunk(), rule=rule)


async def _named(bench: Bench, *agents: str) -> None:
    await bench.rule(await bench.trunk(), *agents)


async def _numbered(bench: Bench, **rule: object) -> None:
    await bench.rule(await bench.trunk(), **rule)


EVERYBODY = {"numbers": (), "allowed_numbers": ["+15550777"], "allowed_addresses": ["0.0.0.0/0"]}
"""With numbers of callers, else it would be in the way of the stack's own catch-all trunk."""

ROUTES: dict[str, tuple[Plant, set[str]]] = {
    "rings for ever": (
        lambda b: _routed(b, ringing_timeout=None),
        {"trunk.ringing-timeout"},
    ),
    "rings for three minutes": (
        lambda b: _routed(b, ringing_timeout=Duration(seconds=180)),
        {"trunk.ringing-timeout"},
    ),
    "rings too short": (
        lambda b: _routed(b, ringing_timeout=Duration(seconds=2)),
        {"trunk.ringing-short"},
    ),
    "lasts for a day": (lambda b: _routed(b, max_call_duration=None), {"trunk.max-duration"}),
    "open to everybody": (lambda b: _routed(b, **EVERYBODY), {"trunk.open"}),
    "protected by numbers alone": (
        lambda b: _routed(b, allowed_addresses=()),
        {"trunk.numbers-alone"},
    ),
    "an address with a port": (
        lambda b: _routed(b, allowed_addresses=["127.0.0.0/8", "203.0.113.7:5060"]),
        {"trunk.address"},
    ),
    "an address with a scheme": (
        lambda b: _routed(b, allowed_addresses=["sip://203.0.113.7"]),
        {"trunk.address", "trunk.numbers-alone"},
    ),
    "a national number": (
        lambda b: _routed(b, numbers=["030 901820"]),
        {"trunk.number-format"},
    ),
    "a password without a user": (
        lambda b: _routed(b, auth_password="a-password-that-is-no-secret"),
        {"trunk.auth"},
    ),
    "a trunk without a rule": (lambda b: b.trunk(), {"trunk.no-rule"}),
    "a rule open to any trunk": (lambda b: b.rule(""), {"rule.any-trunk"}),
    "a rule of a trunk that is gone": (_gone_trunk, {"rule.missing-trunk"}),
    "a rule without agents": (_no_agents, {"rule.no-agent"}),
    "a room_config that is ignored": (_ignored_config, {"rule.no-agent"}),
    "a rule with one room for all": (_one_room, {"rule.shared-room"}),
    "an agent with a space": (lambda b: _named(b, "front-desk "), {"rule.agent-spelling"}),
    "an agent twice": (lambda b: _named(b, AGENT, AGENT), {"rule.agent-twice"}),
    "a rule's number without a plus": (
        lambda b: _numbered(b, numbers=["15550123"]),
        {"rule.number"},
    ),
    "a rule's number of no trunk": (
        lambda b: _numbered(b, numbers=["+15550123", "+15550124"]),
        {"rule.number"},
    ),
    "a caller's number in words": (
        lambda b: _numbered(b, inbound_numbers=["0301234567"]),
        {"rule.number"},
    ),
    "an outbound number without a plus": (
        lambda b: b.outbound(numbers=["15550199"]),
        {"trunk.number-format"},
    ),
}


@pytest.mark.parametrize("name", ROUTES)
async def test_what_is_planted_in_trunks_and_rules_is_found(bench: Bench, name: str) -> None:
    plant, expected = ROUTES[name]
    await plant(bench)
    report = await bench.examined(changed(bench.sound, groups=(Group.SERVER, Group.ROUTES)))
    assert codes(report) == expected, report.findings
    assert all(found.why and found.mend and found.subject for found in report.findings)


KEYS: dict[str, tuple[Callable[[dict[str, str]], dict[str, str]], set[str]]] = {
    "no secret": (lambda e: {"LIVEKIT_API_SECRET": ""}, {"env.missing"}),
    "an unknown key": (lambda e: {"LIVEKIT_API_KEY": "APIotherkey123"}, {"key.unknown"}),
    "another secret": (
        lambda e: {"LIVEKIT_API_SECRET": "another-secret-of-more-than-32-characters"},
        {"key.secret"},
    ),
    "key and secret swapped": (
        lambda e: {
            "LIVEKIT_API_KEY": e["LIVEKIT_API_SECRET"],
            "LIVEKIT_API_SECRET": e["LIVEKIT_API_KEY"],
        },
        {"env.swapped", "key.unknown"},
    ),
    "an address in quotes": (lambda e: {"LIVEKIT_URL": f'"{e["LIVEKIT_URL"]}"'}, {"env.untrimmed"}),
    "a secret with a newline": (
        lambda e: {"LIVEKIT_API_SECRET": f"{e['LIVEKIT_API_SECRET']}\n"},
        {"env.untrimmed", "key.secret"},
    ),
    "an address without a scheme": (
        lambda e: {"LIVEKIT_URL": e["LIVEKIT_URL"].removeprefix("ws://")},
        {"env.url"},
    ),
    "a server that is not there": (
        lambda e: {"LIVEKIT_URL": f"ws://127.0.0.1:{closed_port()}"},
        {"server.unreachable"},
    ),
    "a host without an address": (
        lambda e: {"LIVEKIT_URL": "wss://no-such-host.invalid"},
        {"server.unknown-host"},
    ),
}


@pytest.mark.parametrize("name", KEYS)
async def test_what_is_planted_in_the_environment_is_found(bench: Bench, name: str) -> None:
    change, expected = KEYS[name]
    env = change(dict(bench.stack.env))
    report = await bench.examined(env=env)
    assert codes(report) == expected, report.findings
    told = json.dumps(report.as_dict())
    secret = bench.stack.env["LIVEKIT_API_SECRET"]
    assert secret not in told
    assert "eyJ" not in told, "no token is shown"


async def test_a_token_that_allows_little_is_found(bench: Bench) -> None:
    env = bench.stack.env
    token = api.AccessToken(env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"])
    token = token.with_grants(api.VideoGrants(room_list=True))
    given = {"LIVEKIT_API_KEY": "", "LIVEKIT_API_SECRET": "", "LIVEKIT_TOKEN": token.to_jwt()}
    report = await bench.examined(env=given)
    missing = {f.subject for f in report.findings if f.code == "grant.missing"}
    assert missing == {"roomAdmin", "roomCreate", "sip.admin", "sip.call"}
    assert codes(report) == {"grant.missing", "env.token-alone"}


@pytest.mark.parametrize(("ahead", "level"), [(20.0, "warning"), (-90.0, "error")])
async def test_a_clock_that_is_wrong_is_found(bench: Bench, ahead: float, level: str) -> None:
    report = await bench.examined(clock=lambda: time.time() + ahead)
    assert [(f.code, str(f.level)) for f in report.findings] == [("clock.skew", level)]


async def test_a_sip_service_that_is_not_there_is_found(bench: Bench) -> None:
    port = closed_port(socket.SOCK_DGRAM)
    report = await bench.examined(changed(bench.sound, sip=f"127.0.0.1:{port}", timeout=2.0))
    assert codes(report) == {"sip.unreachable"}


async def test_carriers_are_asked_whether_they_take_refer(bench: Bench) -> None:
    order = changed(bench.sound, groups=(Group.ROUTES,), carriers=True, timeout=2.0)
    async with sip_peer("INVITE, ACK, BYE, CANCEL, OPTIONS") as address:
        await bench.outbound(address=address)
        report = await bench.examined(order)
        assert codes(report) == {"refer.refused"}
        await bench.clear()
    async with sip_peer("INVITE, ACK, BYE, REFER, NOTIFY") as address:
        await bench.outbound(address=address)
        assert codes(await bench.examined(order)) == set()
        await bench.clear()
    await bench.outbound(address=f"127.0.0.1:{closed_port(socket.SOCK_DGRAM)}")
    assert codes(await bench.examined(order)) == {"carrier.unreachable"}


async def test_webhooks_that_do_not_arrive_are_found(bench: Bench) -> None:
    order = changed(bench.sound, groups=(Group.WEBHOOKS,), wait_webhook=1.5)
    elsewhere = changed(order, webhook=("127.0.0.1", closed_port()))
    assert codes(await bench.examined(elsewhere)) == {"webhook.none"}
    other = {"LIVEKIT_API_KEY": OTHER_KEYS.key, "LIVEKIT_API_SECRET": OTHER_KEYS.secret}
    refused = await bench.examined(changed(order, wait_webhook=4.0), env=other)
    assert codes(refused) == {"webhook.refused"}


async def test_a_rule_whose_agent_no_worker_has_is_found_by_a_canary(bench: Bench) -> None:
    order = changed(bench.sound, groups=(Group.AGENTS,), canary=True)
    report = await bench.examined(order)
    assert [(f.code, f.subject) for f in report.findings] == [("agent.unregistered", AGENT)]


async def test_a_caller_who_waits_for_an_agent_is_found(bench: Bench) -> None:
    async with Phone() as phone:
        call = await phone.dial("+15550100", server=bench.stack.sip_address)
        order = changed(bench.sound, groups=(Group.AGENTS,))
        async with asyncio.timeout(30):
            while not (report := await bench.examined(order)).findings:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(1.0)
        await call.hang_up()
    assert codes(report) == {"agent.untaken"}
    assert "5550199" not in json.dumps(report.as_dict()), "the caller's number is masked"


async def test_a_call_is_placed_and_told(bench: Bench) -> None:
    address = bench.stack.sip_address or ""

    async def call() -> object:
        return await place_call("+15550177", address, ring=15.0, listen=3.0)

    report = await bench.examined(changed(bench.sound, groups=(Group.CALL,), place_call=call))
    assert codes(report) == {"call.rejected"}, report.findings
    assert "refused (486) after" in report.heard
    assert "+15550177" not in json.dumps(report.as_dict())


async def test_what_is_planted_on_the_host_is_found(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sound_file: Path
) -> None:
    order = changed(bench.sound, groups=(Group.HOST,))
    monkeypatch.setenv("ONHOOK_SENTINEL", f"http://127.0.0.1:{closed_port()}")
    assert codes(await bench.examined(order)) == {"sentinel.unreachable"}
    monkeypatch.delenv("ONHOOK_SENTINEL")
    monkeypatch.setenv("ONHOOK_WATCHDOG", "external")
    assert codes(await bench.examined(order)) == {"watchdog.none"}
    monkeypatch.delenv("ONHOOK_WATCHDOG")
    monkeypatch.setenv("ONHOOK_JOURNAL", str(sound_file / "incidents.db"))
    assert codes(await bench.examined(order)) == {"host.journal"}


def codes(report: Report) -> set[str]:
    return {found.code for found in report.findings}


async def test_a_file_that_registers_another_agent_than_rules_send_is_found(
    bench: Bench, sound_file: Path
) -> None:
    order = changed(bench.sound, groups=(Group.AGENTS,), files=(sound_file,))
    sound = sound_file.read_text()
    sound_file.write_text(sound.replace(f"agent_name={AGENT!r}", ""))
    assert codes(await bench.examined(order)) == {"worker.unnamed"}
    sound_file.write_text(sound.replace(AGENT, "front_desk"))
    assert codes(await bench.examined(order)) == {"agent.unregistered"}
    sound_file.write_text(sound.replace(AGENT, "outbound-reminder"))
    assert codes(await bench.examined(order)) == set(), "other agents may be other files'"


async def test_the_carrier_of_inbound_calls_is_asked_too(bench: Bench) -> None:
    order = changed(bench.sound, groups=(Group.ROUTES,), carriers=True, timeout=2.0)
    await bench.rule(await bench.trunk(allowed_addresses=["127.0.0.1"]))
    assert codes(await bench.examined(order)) == set(), "one that does not answer is no fault"
