"""What an entrypoint forgets: to join, to await, to keep a task, to speak its last words."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from onhook.doctor.findings import Finding
from onhook.doctor.source.entrypoints import entrypoints
from onhook.doctor.source.kinds import (
    GOODBYE_CUT,
    LATE_CONNECT,
    NEVER_AWAITED,
    NEVER_CONNECTS,
    RULE_CONFIG,
    TASK_DROPPED,
)
from onhook.doctor.source.names import Function, Source

__all__ = ["judge_lifecycle"]

_LATE = 3.0
"""Seconds of waiting before the room is joined."""
_TASKS = (
    *("asyncio.create_task", "asyncio.ensure_future", "asyncio.tasks.create_task"),
    *("asyncio.get_running_loop().create_task", "asyncio.get_event_loop().create_task"),
)
_CONTEXTS = ("livekit.agents.JobContext()", "livekit.agents.job.JobContext()")
_SESSIONS = ("livekit.agents.AgentSession()", "livekit.agents.voice.AgentSession()")
_COROUTINES = {
    "asyncio.sleep": "asyncio.sleep",
    **{f"{each}.connect": "ctx.connect" for each in _CONTEXTS},
    **{f"{each}.wait_for_participant": "ctx.wait_for_participant" for each in _CONTEXTS},
    **{f"{each}.start": "session.start" for each in _SESSIONS},
    **{f"{each}.aclose": "session.aclose" for each in _SESSIONS},
    **{f"{each}.drain": "session.drain" for each in _SESSIONS},
}
_SPEECH = ("say", "generate_reply")
_ENDS = ("shutdown", "delete_room", "disconnect")
_BLOCKS = (
    *(ast.AsyncFunctionDef, ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith),
    *(ast.Try, ast.ExceptHandler, ast.match_case),
)
"""What has a block of statements that runs in the same function."""
_RULE_FIELDS = ("room_config", "room_preset", "trunk_ids", "attributes", "metadata", "rule")


def judge_lifecycle(source: Source) -> Iterator[Finding]:
    """Find what is forgotten.

    Args:
        source: The file.
    """
    yield from _joins(source)
    yield from _dropped_tasks(source)
    yield from _never_awaited(source)
    yield from _cut_goodbyes(source)
    yield from _rule_configs(source)


def _joins(source: Source) -> Iterator[Finding]:
    functions = dict.fromkeys(
        each.function for each in entrypoints(source) if each.function is not None
    )
    for function in functions:
        context = _context(function)
        if not context or not isinstance(function, ast.AsyncFunctionDef):
            continue
        if not _may_join(source, function, context):
            yield NEVER_CONNECTS.found(
                source.place(function), f"{function.name} neither connects nor starts a session"
            )
        else:
            yield from _late(source, function)


def _context(function: Function) -> str:
    given = [*function.args.posonlyargs, *function.args.args]
    return given[0].arg if given else ""


def _may_join(source: Source, function: ast.AsyncFunctionDef, context: str) -> bool:
    """Return whether a function joins, refuses the call, or gives its context to others."""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and node.attr in (*_ENDS, "connect", "start"):
            return True
        if isinstance(node, ast.Raise):
            return True  # it is meant to fail
        if not (isinstance(node, ast.Name) and node.id == context):
            continue
        chain: ast.AST = node
        above = source.parents.get(node)
        while isinstance(above, ast.Attribute):
            chain, above = above, source.parents.get(above)
        called = isinstance(above, ast.Call) and above.func is chain
        whole = chain is node or (isinstance(chain, ast.Attribute) and chain.attr == "room")
        if whole and not called and not isinstance(above, ast.Expr | ast.FormattedValue):
            return True
    return False


def _late(source: Source, function: ast.AsyncFunctionDef) -> Iterator[Finding]:
    """Find waits of some seconds before anything is joined, in the entrypoint itself."""
    waited = 0.0
    for statement in function.body:
        nodes = [node for node in ast.walk(statement) if source.function_of(node) is function]
        for node in nodes:
            if isinstance(node, ast.Attribute) and node.attr in ("connect", "start"):
                return
            if isinstance(node, ast.Call) and source.resolve(node.func) == "asyncio.sleep":
                waited += _seconds(node)
                if waited >= _LATE:
                    yield LATE_CONNECT.found(
                        source.place(node), f"{function.name} waits {waited:g} s before it joins"
                    )
                    return


def _seconds(node: ast.Call) -> float:
    value = node.args[0] if node.args else None
    number = value.value if isinstance(value, ast.Constant) else None
    return float(number) if isinstance(number, int | float) else 0.0


def _dropped_tasks(source: Source) -> Iterator[Finding]:
    for node in source.nodes(ast.Call):
        if not isinstance(node, ast.Call) or source.resolve(node.func) not in _TASKS:
            continue
        above = source.parents.get(node)
        if isinstance(above, ast.Expr | ast.Lambda) or _is_unread(source, node, above):
            yield TASK_DROPPED.found(source.place(node), "the task that is started is not kept")


def _is_unread(source: Source, node: ast.Call, above: ast.AST | None) -> bool:
    """Return whether a task is given a name that nobody reads, in a function that ends."""
    if not (isinstance(above, ast.Assign) and len(above.targets) == 1):
        return False
    target, function = above.targets[0], source.function_of(node)
    if not isinstance(target, ast.Name) or function is None:
        return False
    return not any(
        (isinstance(each, ast.Name) and each.id == target.id and isinstance(each.ctx, ast.Load))
        or (isinstance(each, ast.Global | ast.Nonlocal) and target.id in each.names)
        for each in ast.walk(function)
    )


def _never_awaited(source: Source) -> Iterator[Finding]:
    for node in source.nodes(ast.Expr):
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call):
            continue
        name = _COROUTINES.get(source.resolve(call.func), "")
        own = source.local_function(call.func)
        if not name and isinstance(own, ast.AsyncFunctionDef) and not own.decorator_list:
            generates = any(isinstance(each, ast.Yield) for each in source.own_nodes(own))
            name = "" if generates else own.name
        if name:
            yield NEVER_AWAITED.found(source.place(node), f"{name}(...) is not awaited")


def _cut_goodbyes(source: Source) -> Iterator[Finding]:
    for node in source.nodes(*_BLOCKS):
        function = node if isinstance(node, ast.AsyncFunctionDef) else source.function_of(node)
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        for block in (getattr(node, "body", None), getattr(node, "orelse", None)):
            if isinstance(block, list):
                yield from _cut_in(source, block)


def _cut_in(source: Source, block: Sequence[ast.stmt]) -> Iterator[Finding]:
    spoken: ast.Call | None = None
    for statement in block:
        call = statement.value if isinstance(statement, ast.Expr) else None
        inner = call.value if isinstance(call, ast.Await) else call
        name = _method(inner)
        if spoken is not None and name in _ENDS and _ends_job(source, inner):
            yield GOODBYE_CUT.found(
                source.place(statement),
                f"{name}() follows {_method(spoken)}(...), which nobody has waited for",
            )
            return
        if any(isinstance(node, ast.Await | ast.AsyncFor) for node in ast.walk(statement)):
            spoken = None
        if isinstance(call, ast.Call) and name in _SPEECH and _is_session(source, call):
            spoken = call


def _method(node: ast.AST | None) -> str:
    is_method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    return node.func.attr if is_method else ""  # type: ignore[union-attr]


def _is_session(source: Source, call: ast.Call) -> bool:
    base = call.func.value if isinstance(call.func, ast.Attribute) else None
    known = source.resolve(base)
    text = ast.unparse(base) if base is not None else ""
    return known in _SESSIONS or text.endswith("session")


def _ends_job(source: Source, call: ast.AST | None) -> bool:
    base = (
        call.func.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        else None
    )
    known = source.resolve(base)
    text = ast.unparse(base) if base is not None else ""
    if known in _SESSIONS or text.endswith("session"):
        return False  # a session's shutdown drains what is still to be said
    return known.startswith(_CONTEXTS) or text in ("ctx", "self.ctx", "ctx.room", "job_ctx")


def _rule_configs(source: Source) -> Iterator[Finding]:
    for node in source.nodes(ast.Call):
        if not isinstance(node, ast.Call):
            continue
        name = source.resolve(node.func).rpartition(".")[2]
        given = {each.arg for each in node.keywords}
        if name == "CreateSIPDispatchRuleRequest" and "dispatch_rule" in given:
            beside = [each for each in _RULE_FIELDS if each in given]
            if beside:
                yield RULE_CONFIG.found(
                    source.place(node), f"{', '.join(beside)} beside dispatch_rule: ignored"
                )
