"""What is found in an agent's source, and what is not; nothing of it is run."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from onhook.doctor.source.agent_file import judge_file, judge_text
from onhook.errors import ConfigurationError

ROOT = Path(__file__).parent.parent.parent.parent
HEAD = """
import asyncio, contextlib, functools, subprocess, time, threading
import httpx, requests
import onhook
from livekit import api
from livekit.agents import Agent, AgentServer, AgentSession, JobContext, WorkerOptions, cli
server = AgentServer()
"""
JOINS = "async def e(ctx): await ctx.connect()"
GUARDED = """
@server.rtc_session(agent_name="desk")
@onhook.guard
async def entrypoint(ctx: JobContext):
    session = AgentSession()
    await session.start(Agent(instructions=""), room=ctx.room)
"""


def codes(body: str, head: str = HEAD + GUARDED) -> list[str]:
    file = judge_text("agent.py", head + textwrap.dedent(body).replace("ENTRY", JOINS))
    return [found.code.removeprefix("source.") for found in file.findings]


def inside(body: str) -> list[str]:
    """Judge statements of an asynchronous function."""
    return codes(
        "async def work(ctx: JobContext, session: AgentSession):\n"
        + textwrap.indent(textwrap.dedent(body), "    ")
    )


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.stem)
def test_our_examples_are_sound(path: Path) -> None:
    file = judge_file(path)
    assert file.findings == ()
    is_agent = "rtc_session" in path.read_text()
    assert (file.registers, len(file.names)) == (is_agent, int(is_agent))


@pytest.mark.parametrize(
    "body",
    [
        '@server.rtc_session(agent_name="x")\n@onhook.guard\nENTRY',
        "@server.rtc_session\n@onhook.guard(onhook.Policy())\nENTRY",
        "from onhook import guard as g\n@server.rtc_session()\n@g\nENTRY",
        "import onhook as oh\n@server.rtc_session()\n@oh.guard\nENTRY",
        "safe = onhook.guard(onhook.Policy())\n@server.rtc_session()\n@safe\nENTRY",
        "def safe(f):\n    return onhook.guard(f)\n@server.rtc_session()\n@safe\nENTRY",
        "from ours import safe\n@server.rtc_session()\n@safe\nENTRY",
        "ENTRY\nserver.rtc_session(agent_name='x')(onhook.guard(e))",
        "ENTRY\nserver.rtc_session(onhook.guard(e), agent_name='x')",
        "ENTRY\ncli.run_app(WorkerOptions(entrypoint_fnc=onhook.guard(e)))",
        "ENTRY\ne2 = onhook.guard(e)\nWorkerOptions(e2)",
        "@onhook.guard\nENTRY\nWorkerOptions(entrypoint_fnc=e)",
        "async def e(ctx, n): await ctx.connect()\n"
        "WorkerOptions(functools.partial(onhook.guard(e), n=1))",
        "from ours import e\nWorkerOptions(entrypoint_fnc=e)",
        "from ours import e\nserver.rtc_session()(onhook.guard(e))",
    ],
)
def test_guards_in_every_form(body: str) -> None:
    assert codes(body, HEAD) == []


@pytest.mark.parametrize(
    "body",
    [
        "@server.rtc_session()\nENTRY",
        "@server.rtc_session\nENTRY",
        "@server.rtc_session()\n@functools.wraps(print)\nENTRY",
        "ENTRY\nWorkerOptions(entrypoint_fnc=e)",
        "ENTRY\nWorkerOptions(e)",
        "ENTRY\nserver.rtc_session(agent_name='x')(e)",
        "ENTRY\nserver.rtc_session(e)",
        "ENTRY\nf = e\nWorkerOptions(f)",
        "from livekit import agents\nENTRY\n"
        "agents.cli.run_app(agents.WorkerOptions(entrypoint_fnc=e))",
        "def other(f):\n    return f\n@server.rtc_session()\n@other\nENTRY",
    ],
)
def test_entrypoints_without_a_guard(body: str) -> None:
    assert codes(body, HEAD) == ["unguarded"]


def test_the_wrong_order() -> None:
    body = "@onhook.guard\n@server.rtc_session()\nENTRY"
    assert codes(body, HEAD) == ["order"]


@pytest.mark.parametrize(
    "body",
    [
        "time.sleep(1)",
        "requests.get('http://x')",
        "r = requests.Session()\nr.post('http://x')",
        "with httpx.Client() as client:\n    client.get('http://x')",
        "subprocess.run(['ls'])",
        "subprocess.Popen(['ls']).wait()",
        "from time import sleep\nsleep(2)",
        "import time as t\nt.sleep(2)",
        "nap = time.sleep\nnap(3)",
        "import urllib.request\nurllib.request.urlopen('http://x').read()",
        "from openai import OpenAI\nclient = OpenAI()\nclient.chat.completions.create(model='x')",
        "import psycopg2\nc = psycopg2.connect('x')",
        "from transformers import AutoModel\nAutoModel.from_pretrained('x')",
        "threading.Event().wait()",
        "[time.sleep(1) for _ in range(3)]",
        "if True:\n    time.sleep(0.5)",
        "answer = input('?')",
    ],
)
def test_calls_that_block(body: str) -> None:
    assert inside(body) == ["blocking"]


@pytest.mark.parametrize(
    "body",
    [
        "await asyncio.sleep(1)",
        "await asyncio.to_thread(time.sleep, 1)",
        "await asyncio.to_thread(lambda: time.sleep(1))",
        "await asyncio.get_running_loop().run_in_executor(None, requests.get, 'http://x')",
        "def later():\n    time.sleep(1)\nawait asyncio.to_thread(later)",
        "threading.Thread(target=time.sleep, args=(1,)).start()",
        "async with httpx.AsyncClient() as client:\n    await client.get('http://x')",
        "from asyncio import sleep\nawait sleep(1)",
        "time = ctx.clock\ntime.sleep(1)",
        "import redis.asyncio as redis\nr = redis.Redis()\nawait r.get('x')",
        "from openai import AsyncOpenAI\nc = AsyncOpenAI()\nawait c.chat.completions.create()",
        "threading.Event().wait(0)",
        "time.sleep(0)",
        "headers = requests.structures.CaseInsensitiveDict()\nheaders.get('x')",
        "open('small.json').read()",
    ],
)
def test_calls_that_do_not_block(body: str) -> None:
    assert inside(body) == []


def test_a_plain_function_that_blocks_is_found_where_the_loop_calls_it() -> None:
    body = """
    def look_up():
        return requests.get("http://x")

    def deeper():
        return look_up()

    class Desk(Agent):
        def read(self):
            time.sleep(1)

        async def on_enter(self):
            self.read()

    async def tool():
        deeper()
        await asyncio.to_thread(look_up)
    """
    assert codes(body) == ["blocking", "blocking"]


def test_a_handler_of_events_runs_in_the_loop() -> None:
    body = "session = AgentSession()\n@session.on('error')\ndef failed(event):\n    time.sleep(1)"
    assert codes(body) == ["blocking"]
    assert codes("def prewarm(process):\n    time.sleep(1)") == []


@pytest.mark.parametrize(
    "body",
    [
        "client = api.LiveKitAPI()\nawait client.room.list_rooms(api.ListRoomsRequest())",
        "await api.LiveKitAPI().room.list_rooms(api.ListRoomsRequest())",
        "import aiohttp\ns = aiohttp.ClientSession()\nawait s.get('http://x')",
    ],
)
def test_clients_that_stay_open(body: str) -> None:
    assert inside(body) == ["client-open"]


@pytest.mark.parametrize(
    "body",
    [
        "async with api.LiveKitAPI() as client:\n    await client.room.list_rooms(None)",
        "client = api.LiveKitAPI()\ntry:\n    pass\nfinally:\n    await client.aclose()",
        "client = api.LiveKitAPI()\nreturn client",
        "client = api.LiveKitAPI()\nasync with contextlib.aclosing(client):\n    pass",
        "client = api.LiveKitAPI()\nctx.add_shutdown_callback(client.aclose)",
        "ctx.proc.userdata['api'] = api.LiveKitAPI()",
        "await ctx.api.room.list_rooms(None)",
        "async with contextlib.AsyncExitStack() as s:\n"
        "    await s.enter_async_context(api.LiveKitAPI())",
    ],
)
def test_clients_that_are_closed_or_somebody_elses(body: str) -> None:
    assert inside(body) == []


def test_an_attribute_is_closed_anywhere_in_the_file() -> None:
    opened = "class A:\n    def __init__(self):\n        self.api = api.LiveKitAPI()\n"
    assert codes(opened) == ["client-open"]
    assert codes(opened + "    async def end(self):\n        await self.api.aclose()") == []


@pytest.mark.parametrize(
    "body",
    [
        "while True:\n    try:\n        await asyncio.sleep(1)\n    except:\n        pass",
        "while 1:\n    try:\n        await asyncio.sleep(1)\n    except asyncio.CancelledError:\n"
        "        continue",
        "for i in range(3):\n    try:\n        await ctx.connect()\n    except BaseException:\n"
        "        print('again')",
        "try:\n    await asyncio.sleep(1)\nexcept BaseException:\n    pass\nawait asyncio.sleep(2)",
    ],
)
def test_cancellations_that_are_swallowed(body: str) -> None:
    assert inside(body) == ["cancel-swallowed"]


@pytest.mark.parametrize(
    "body",
    [
        "try:\n    await asyncio.sleep(1)\nexcept asyncio.CancelledError:\n    raise",
        "try:\n    await asyncio.sleep(1)\nexcept Exception:\n    pass\nawait asyncio.sleep(1)",
        "try:\n    await asyncio.sleep(1)\nexcept asyncio.CancelledError:\n    pass",
        "while 1:\n    try:\n        await asyncio.sleep(1)\n    except asyncio.CancelledError:\n"
        "        break",
        "task = asyncio.create_task(asyncio.sleep(1))\ntask.cancel()\ntry:\n    await task\n"
        "except asyncio.CancelledError:\n    pass\nawait asyncio.sleep(1)",
        "try:\n    await asyncio.sleep(1)\nexcept asyncio.CancelledError:\n    raise\n"
        "except BaseException:\n    pass\nawait asyncio.sleep(1)",
        "with contextlib.suppress(asyncio.CancelledError):\n    await asyncio.sleep(1)",
        "try:\n    int('x')\nexcept:\n    pass\nawait asyncio.sleep(1)",
    ],
)
def test_cancellations_that_are_heeded(body: str) -> None:
    assert inside(body) == []


def entry(body: str) -> list[str]:
    head = '@server.rtc_session(agent_name="x")\n@onhook.guard\nasync def e(ctx: JobContext):\n'
    return codes(head + textwrap.indent(textwrap.dedent(body), "    "), HEAD)


def test_an_entrypoint_that_swallows_its_failure() -> None:
    start = "try:\n    session = AgentSession()\n    await session.start(None, room=ctx.room)\n"
    assert entry(start + "except Exception as e:\n    print(e)") == ["error-swallowed"]
    assert entry(start + "except Exception:\n    raise") == []
    assert entry(start + "except Exception:\n    ctx.shutdown('broken')") == []
    assert entry(start + "except TimeoutError:\n    pass") == []


@pytest.mark.parametrize(
    "body",
    [
        "await ctx.connect()",
        "await ctx.connect(auto_subscribe=None)\nawait asyncio.sleep(10)",
        "session = AgentSession()\nawait session.start(None, room=ctx.room)",
        "await run(ctx)",
        "room = ctx.room\nawait run(room)",
        "ctx.shutdown('not today')",
        "raise RuntimeError('not today')",
        "await asyncio.sleep(1)\nawait ctx.connect()",
        "class B:\n    pass\nb = B()\nb.ctx = ctx\nawait b.run()",
    ],
)
def test_entrypoints_that_join_or_may(body: str) -> None:
    assert entry(body) == []


def test_entrypoints_that_do_not_join_or_late() -> None:
    assert entry("print(ctx.job.metadata)") == ["never-connects"]
    assert entry("await asyncio.sleep(5)\nawait ctx.connect()") == ["late-connect"]
    waits = "await asyncio.sleep(2)\nprint(1)\nawait asyncio.sleep(2)\nawait ctx.connect()"
    assert entry(waits) == ["late-connect"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("asyncio.create_task(asyncio.sleep(1))", ["task-dropped"]),
        ("asyncio.ensure_future(asyncio.sleep(1))", ["task-dropped"]),
        ("loop = asyncio.get_running_loop()\nloop.create_task(asyncio.sleep(1))", ["task-dropped"]),
        ("session.on('x', lambda e: asyncio.create_task(asyncio.sleep(1)))", ["task-dropped"]),
        ("task = asyncio.create_task(asyncio.sleep(1))", ["task-dropped"]),
        ("task = asyncio.create_task(asyncio.sleep(1))\nawait task", []),
        ("tasks = set()\ntasks.add(asyncio.create_task(asyncio.sleep(1)))", []),
        ("async with asyncio.TaskGroup() as g:\n    g.create_task(asyncio.sleep(1))", []),
        ("ctx.task = asyncio.create_task(asyncio.sleep(1))", []),
        ("await asyncio.gather(asyncio.create_task(asyncio.sleep(1)))", []),
    ],
)
def test_tasks_that_nobody_keeps(body: str, expected: list[str]) -> None:
    assert inside(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("session.start(None, room=ctx.room)", ["never-awaited"]),
        ("ctx.connect()", ["never-awaited"]),
        ("asyncio.sleep(1)", ["never-awaited"]),
        ("async def helper():\n    pass\nhelper()", ["never-awaited"]),
        ("async def helper():\n    pass\nawait helper()", []),
        ("session.say('hello')", []),
        ("ctx.shutdown()", []),
    ],
)
def test_coroutines_that_are_never_awaited(body: str, expected: list[str]) -> None:
    assert inside(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("session.say('bye')\nctx.shutdown()", ["goodbye-cut"]),
        ("session.generate_reply(instructions='bye')\nctx.delete_room()", ["goodbye-cut"]),
        ("await session.say('bye')\nctx.shutdown()", []),
        ("handle = session.say('bye')\nawait handle.wait_for_playout()\nctx.shutdown()", []),
        ("session.say('hello')\nawait asyncio.sleep(1)\nctx.shutdown()", []),
        ("session.say('bye')\nsession.shutdown()", []),
    ],
)
def test_goodbyes_that_are_cut(body: str, expected: list[str]) -> None:
    assert inside(body) == expected


def test_a_room_config_that_the_server_ignores() -> None:
    beside = "api.CreateSIPDispatchRuleRequest(dispatch_rule=x, room_config=y)"
    assert codes(f"x = y = None\n{beside}") == ["rule-config"]
    assert codes("api.CreateSIPDispatchRuleRequest(rule=1, room_config=2)") == []


def test_a_file_that_is_no_python_is_a_finding() -> None:
    (found,) = judge_text("agent.py", "def f(:\n").findings
    assert (found.code, found.subject) == ("source.unreadable", "agent.py:1")
    assert judge_text("agent.py", b"\x00").findings[0].code == "source.unreadable"
    assert (
        judge_text("agent.py", "# -*- coding: latin-1 -*-\nx = 'é'".encode("latin-1")).findings
        == ()
    )


def test_nothing_of_a_file_is_run(tmp_path: Path) -> None:
    path = tmp_path / "agent.py"
    path.write_text("raise SystemExit(3)")
    assert judge_file(path).findings == ()


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        judge_file(tmp_path / "none.py")


@pytest.mark.parametrize(
    ("given", "unnamed"),
    [
        ("()", 1),
        ("", 1),
        ("(agent_name='')", 1),
        ("(agent_name='desk')", 0),
        ("(agent_name=NAME)", 0),
        ("(**options)", 0),
    ],
)
def test_entrypoints_without_a_name(given: str, unnamed: int) -> None:
    body = f"@server.rtc_session{given}\n@onhook.guard\n{JOINS}"
    assert len(judge_text("agent.py", HEAD + body).unnamed) == unnamed


def test_what_a_file_registers_and_says() -> None:
    body = 'p = onhook.Policy(lost=[onhook.Say("Sorry."), onhook.Say("Bye.", audio="b.wav")])'
    file = judge_text("agent.py", HEAD + GUARDED + body)
    assert (file.names, file.registers) == (("desk",), True)
    assert [words.text for words in file.words] == ["Sorry."]
