"""Calls that block the event loop, in it or one function away from it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from onhook.doctor.findings import Finding
from onhook.doctor.source.kinds import BLOCKING
from onhook.doctor.source.names import Function, Source

__all__ = ["judge_blocking"]

_THREAD = "await asyncio.to_thread(...)"
_BLOCKS: Mapping[str, str] = {
    "time.sleep": "await asyncio.sleep(...)",
    "os.system": "await asyncio.create_subprocess_shell(...)",
    "os.popen": "await asyncio.create_subprocess_shell(...)",
    "os.wait": "await process.wait() of asyncio's subprocess",
    "os.waitpid": "await process.wait() of asyncio's subprocess",
    "builtins.input": "nothing: an agent has no terminal",
    **dict.fromkeys(
        (
            *("subprocess.run", "subprocess.call", "subprocess.check_call"),
            *("subprocess.check_output", "subprocess.getoutput", "subprocess.getstatusoutput"),
            *("subprocess.Popen().wait", "subprocess.Popen().communicate"),
        ),
        "await asyncio.create_subprocess_exec(...)",
    ),
    **dict.fromkeys(
        (
            *("urllib.request.urlopen", "urllib.request.urlretrieve"),
            *(f"requests.{verb}" for verb in ("get", "post", "put", "patch", "delete", "head")),
            *("requests.options", "requests.request"),
            *(f"httpx.{verb}" for verb in ("get", "post", "put", "patch", "delete", "head")),
            *("httpx.options", "httpx.request", "httpx.stream"),
        ),
        "`aiohttp`, or `httpx.AsyncClient`",
    ),
    **dict.fromkeys(
        (
            *("socket.create_connection", "socket.gethostbyname", "socket.getaddrinfo"),
            *("smtplib.SMTP", "smtplib.SMTP_SSL", "ftplib.FTP", "imaplib.IMAP4_SSL"),
            *("concurrent.futures.wait", "threading.Thread().join", "threading.Event().wait"),
            *("queue.Queue().get", "queue.SimpleQueue().get", "queue.Queue().join"),
            *("asyncio.run_coroutine_threadsafe().result", "multiprocessing.Process().join"),
            *("concurrent.futures.ThreadPoolExecutor().submit().result",),
            *("concurrent.futures.ProcessPoolExecutor().submit().result",),
        ),
        _THREAD,
    ),
    **dict.fromkeys(
        (
            *("psycopg2.connect", "psycopg.connect", "psycopg.Connection.connect"),
            *("pymysql.connect", "MySQLdb.connect", "mysql.connector.connect", "pyodbc.connect"),
            *("oracledb.connect", "snowflake.connector.connect"),
        ),
        f"an asynchronous driver (asyncpg, psycopg.AsyncConnection), or {_THREAD}",
    ),
    **dict.fromkeys(
        (
            *("torch.load", "pickle.load", "joblib.load", "whisper.load_model", "librosa.load"),
            *("soundfile.read", "transformers.pipeline", "faster_whisper.WhisperModel"),
            *("sentence_transformers.SentenceTransformer", "pydub.AudioSegment.from_file"),
            *("pandas.read_csv", "pandas.read_excel", "pandas.read_parquet", "pandas.read_sql"),
            "pandas.read_json",
        ),
        "load it once in the process's set-up (`server.setup_fnc`), or in a thread",
    ),
}
"""What blocks, and what to use in its place."""
_CLIENTS = (
    *("requests.Session()", "requests.session()", "httpx.Client()", "http.client.HTTPConnection()"),
    *("http.client.HTTPSConnection()", "urllib3.PoolManager()", "openai.OpenAI()"),
    *("openai.AzureOpenAI()", "anthropic.Anthropic()", "groq.Groq()", "twilio.rest.Client()"),
    *("boto3.client()", "boto3.resource()", "pymongo.MongoClient()", "redis.Redis()"),
    *("redis.StrictRedis()", "redis.from_url()", "redis.Redis.from_url()", "psycopg2.connect()"),
    *("psycopg.connect()", "pymysql.connect()", "mysql.connector.connect()", "smtplib.SMTP()"),
    *("smtplib.SMTP_SSL()", "paramiko.SSHClient()", "elasticsearch.Elasticsearch()"),
    *("supabase.create_client()", "sqlalchemy.create_engine()", "elevenlabs.ElevenLabs()"),
)
"""Clients of which each request blocks."""
_REQUEST = re.compile(
    r"\.(get|post|put|patch|delete|head|options|request|send|create|generate|execute|executemany"
    r"|fetchone|fetchall|fetchmany|commit|find|find_one|insert_one|update_one|aggregate|search"
    r"|set|hget|hset|lpush|rpop|blpop|publish|get_object|put_object|invoke|scan|query"
    r"|put_item|get_item|convert|connect|login|sendmail|send_message|exec_command|begin|ping"
    r"|index|urlopen|stream|transcribe|synthesize_speech|recv|read)$"
)
_SHORT = 0.05
"""Seconds of `time.sleep` that nobody hears."""


def judge_blocking(source: Source) -> Iterator[Finding]:
    """Find calls that block the event loop.

    Args:
        source: The file.
    """
    helpers = _helpers(source)
    seen = set()
    for node in source.nodes(ast.Call):
        if not isinstance(node, ast.Call) or not _in_loop(source, node):
            continue
        place = source.place(node)
        if what := _blocks(source, node):
            name, instead = what
            how = ""
        else:
            helper = source.local_function(node.func)
            if helper is None or helper not in helpers:
                continue
            name, instead = helpers[helper]
            how = f" (in {helper.name}, which is called here)"
        if (place, name) not in seen:
            seen.add((place, name))
            mend = instead if instead.startswith(("load", "nothing")) else f"use {instead}"
            yield BLOCKING.found(place, f"{name}(...) blocks the event loop{how}", mend=mend)


def _helpers(source: Source) -> Mapping[Function, tuple[str, str]]:
    """Return the plain functions of a file that block, with what does; also by each other."""
    found: dict[Function, tuple[str, str]] = {}
    plain = [
        node
        for node in source.nodes(ast.FunctionDef)
        if isinstance(node, ast.FunctionDef) and not node.decorator_list
    ]
    while True:
        before = len(found)
        for function in plain:
            if function in found:
                continue
            for node in source.own_nodes(function):
                if not isinstance(node, ast.Call) or source.function_of(node) is not function:
                    continue
                helper = source.local_function(node.func)
                what = _blocks(source, node) or (found.get(helper) if helper else None)
                if what:
                    found[function] = what
                    break
        if len(found) == before:
            return found


def _in_loop(source: Source, node: ast.AST) -> bool:
    """Return whether a node runs in the event loop, and not in what is only handed on."""
    function = source.function_of(node)
    if isinstance(function, ast.AsyncFunctionDef):
        return True
    return isinstance(function, ast.FunctionDef) and any(
        isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr == "on"
        for each in function.decorator_list  # `@session.on("...")`: called in the loop
    )


def _blocks(source: Source, node: ast.Call) -> tuple[str, str] | None:
    """Return what a call blocks in and what to use in its place; `None` where it does not."""
    awaited = isinstance(source.parents.get(node), ast.Await)  # then it is something else
    name = "" if awaited else source.resolve(node.func)
    if not name or _is_short(name, node):
        return None
    instead = _BLOCKS.get(name, "")
    if not instead and name.endswith(".from_pretrained"):
        instead = _BLOCKS["torch.load"]
    if not instead and name.startswith(_CLIENTS) and _REQUEST.search(name):
        instead = f"the client's asynchronous twin, or {_THREAD}"
    return (name.removeprefix("builtins."), instead) if instead else None


def _is_short(name: str, node: ast.Call) -> bool:
    if name == "time.sleep":
        return _at_most(node, _SHORT)
    return name in ("threading.Event().wait", "queue.Queue().get") and _does_not_wait(node)


def _at_most(node: ast.Call, seconds: float) -> bool:
    value = node.args[0] if node.args else None
    return (
        isinstance(value, ast.Constant)
        and isinstance(value.value, int | float)
        and value.value <= seconds
    )


def _does_not_wait(node: ast.Call) -> bool:
    given = [
        *node.args,
        *(each.value for each in node.keywords if each.arg in ("block", "timeout")),
    ]
    return any(isinstance(each, ast.Constant) and each.value in (False, 0) for each in given)
