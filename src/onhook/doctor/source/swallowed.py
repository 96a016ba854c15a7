"""Handlers that swallow a cancellation, or the entrypoint's own failure."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from onhook.doctor.findings import Finding
from onhook.doctor.source.entrypoints import entrypoints
from onhook.doctor.source.kinds import CANCEL_SWALLOWED, ERROR_SWALLOWED
from onhook.doctor.source.names import Function, Source

__all__ = ["judge_handlers"]

_CANCELLED = (
    *("asyncio.CancelledError", "asyncio.exceptions.CancelledError", "builtins.BaseException"),
    "concurrent.futures.CancelledError",
)
_BASE = "builtins.BaseException"
_JOINS = ("connect", "start")
_SPEAKS = ("debug", "info", "warning", "error", "exception", "critical", "log", "print")


def judge_handlers(source: Source) -> Iterator[Finding]:
    """Find handlers that swallow what has to be passed on.

    Args:
        source: The file.
    """
    for node in source.nodes(ast.Try):
        function = source.function_of(node)
        if not isinstance(node, ast.Try) or not isinstance(function, ast.AsyncFunctionDef):
            continue
        taken = False
        for handler in node.handlers:
            caught = _caught(source, handler)
            if not taken and _swallows(source, node, handler, caught, function):
                what = "except" if handler.type is None else f"except {ast.unparse(handler.type)}"
                yield CANCEL_SWALLOWED.found(
                    source.place(handler), f"`{what}:` swallows the cancellation of what it awaits"
                )
            taken = taken or bool({*caught} & {*_CANCELLED})
    yield from _entrypoints(source)


def _caught(source: Source, handler: ast.ExceptHandler) -> Sequence[str]:
    """Return what a handler catches; `BaseException` where it names nothing."""
    match handler.type:
        case None:
            return (_BASE,)
        case ast.Tuple(elts=parts):
            return tuple(source.resolve(part) for part in parts)
    return (source.resolve(handler.type),)


def _swallows(
    source: Source,
    node: ast.Try,
    handler: ast.ExceptHandler,
    caught: Sequence[str],
    function: ast.AsyncFunctionDef,
) -> bool:
    if not {*caught} & {*_CANCELLED} or not _awaits(source, node.body, function):
        return False
    if any(isinstance(each, ast.Raise) for each in _own(source, handler.body, function)):
        return False
    if _cancels(function) or _ends(source, node, handler, function):
        return False
    if _BASE in caught:
        return True
    return _loop_of(source, node, function) is not None


def _ends(
    source: Source, node: ast.Try, handler: ast.ExceptHandler, function: ast.AsyncFunctionDef
) -> bool:
    """Return whether the function ends after the handler, or its loop does: it is heeded then."""
    if any(isinstance(each, ast.Return | ast.Break) for each in handler.body):
        return True
    child: ast.AST = node
    above = source.parents.get(child)
    while above is not None and child is not function:
        if isinstance(above, ast.While | ast.For | ast.AsyncFor):
            return False
        body = getattr(above, "body", None)
        for block in (body, getattr(above, "orelse", None), getattr(above, "finalbody", None)):
            if isinstance(block, list) and child in block and block[-1] is not child:
                rest = block[block.index(child) + 1 :]
                return not _awaits(source, rest, function)
        child, above = above, source.parents.get(above)
    return True


def _loop_of(source: Source, node: ast.AST, function: ast.AST) -> ast.AST | None:
    above = source.parents.get(node)
    while above is not None and above is not function:
        if isinstance(above, ast.While | ast.For | ast.AsyncFor):
            return above
        above = source.parents.get(above)
    return None


def _cancels(function: ast.AST) -> bool:
    """Return whether a function cancels something itself: what it then awaits is its own."""
    return any(
        isinstance(node, ast.Attribute) and node.attr in ("cancel", "cancel_and_wait")
        for node in ast.walk(function)
    )


def _awaits(source: Source, body: Sequence[ast.stmt], function: ast.AST) -> bool:
    kinds = (ast.Await, ast.AsyncFor, ast.AsyncWith)
    return any(isinstance(node, kinds) for node in _own(source, body, function))


def _own(source: Source, body: Sequence[ast.stmt], function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a block that run in the function itself."""
    for statement in body:
        for node in ast.walk(statement):
            if source.function_of(node) is function:
                yield node


def _entrypoints(source: Source) -> Iterator[Finding]:
    functions = dict.fromkeys(
        each.function for each in entrypoints(source) if each.function is not None
    )
    for function in functions:
        for node in source.own_nodes(function):
            if isinstance(node, ast.Try) and source.parents.get(node) is function:
                yield from _swallowed_errors(source, node, function)


def _swallowed_errors(source: Source, node: ast.Try, function: Function) -> Iterator[Finding]:
    begins = any(
        isinstance(each, ast.Await)
        and isinstance(each.value, ast.Call)
        and isinstance(each.value.func, ast.Attribute)
        and each.value.func.attr in _JOINS
        for each in _own(source, node.body, function)
    )
    for handler in node.handlers if begins else ():
        broad = {*_caught(source, handler)} & {"builtins.Exception", _BASE}
        if broad and all(map(_only_tells, handler.body)):
            yield ERROR_SWALLOWED.found(
                source.place(handler), f"{function.name} logs what goes wrong, and goes on"
            )


def _only_tells(statement: ast.stmt) -> bool:
    """Return whether a statement does nothing but log."""
    match statement:
        case ast.Pass():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name))):
            return name in _SPEAKS or name == "print_exc"
    return False
