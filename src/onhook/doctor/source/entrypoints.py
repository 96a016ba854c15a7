"""Which functions a file registers as entrypoints, and whether they are guarded."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from onhook.doctor.findings import Finding
from onhook.doctor.source.kinds import ORDER, UNGUARDED
from onhook.doctor.source.names import Function, Source

__all__ = ["Entrypoint", "agent_names", "entrypoints", "judge_entrypoints"]

_GUARD = "onhook.guard"
_HARMLESS = ("functools.", "typing.", "livekit.", "builtins.", "contextlib.")
"""Decorators of these modules do not guard."""
_DEEPEST = 4
"""Wrappers of wrappers that are looked into."""


@dataclass(frozen=True, slots=True)
class Entrypoint:
    """One registration.

    Args:
        node: Where it is registered.
        function: What is registered, where it is of this file.
        guarded: Whether it is guarded; `None` where the file does not tell.
        misplaced: Whether the guard is above the registration.
        name: The agent's name; empty without one, or where it is no constant.
        named: Whether it is given a name at all.
    """

    node: ast.AST
    function: Function | None
    guarded: bool | None
    misplaced: bool
    name: str
    named: bool


def entrypoints(source: Source) -> Sequence[Entrypoint]:
    """Return what a file registers.

    Args:
        source: The file.
    """
    found = [*_decorated(source), *_called(source)]
    return sorted(found, key=lambda each: getattr(each.node, "lineno", 0))


def agent_names(source: Source) -> Sequence[str]:
    """Return the names that a file registers agents under.

    Args:
        source: The file.
    """
    return tuple(dict.fromkeys(each.name for each in entrypoints(source) if each.name))


def judge_entrypoints(source: Source) -> Iterator[Finding]:
    """Judge whether each entrypoint is guarded, in the right order.

    Args:
        source: The file.
    """
    for each in entrypoints(source):
        name = each.function.name if each.function is not None else "the entrypoint"
        place = source.place(each.function or each.node)
        if each.misplaced:
            yield ORDER.found(place, f"{name}: @onhook.guard stands above rtc_session")
        elif each.guarded is False:
            yield UNGUARDED.found(place, f"{name} is registered without a guard")


def _decorated(source: Source) -> Iterator[Entrypoint]:
    for node in source.nodes(ast.FunctionDef, ast.AsyncFunctionDef):
        decorators = node.decorator_list if isinstance(node, Function) else []
        places = [i for i, each in enumerate(decorators) if _registers(each)]
        if not places or not isinstance(node, Function):
            continue
        guards = [_guards(source, each) for each in decorators]
        misplaced = True in guards[: places[0]]
        below = guards[places[0] + 1 :]
        guarded = True if True in below else (None if None in below else False)
        yield Entrypoint(node, node, guarded, misplaced, *_name(decorators[places[0]]))


def _called(source: Source) -> Iterator[Entrypoint]:
    for node in source.nodes(ast.Call):
        if not isinstance(node, ast.Call):
            continue
        target, named = _registered(source, node)
        if target is not None:
            function = _function(source, target)
            yield Entrypoint(node, function, _guarded(source, target), False, *_name(named))


def _registered(source: Source, node: ast.Call) -> tuple[ast.expr | None, ast.expr]:
    """Return what a call registers, and the call that gives the name."""
    if _registers(node.func) and isinstance(node.func, ast.Call):
        return (node.args[0] if node.args else None), node.func
    if _registers(node.func):
        return (node.args[0] if node.args else _keyword(node, "func")), node
    called = source.resolve(node.func) or _last(node.func)
    if called.rpartition(".")[2] == "WorkerOptions":
        return _keyword(node, "entrypoint_fnc") or (node.args[0] if node.args else None), node
    return None, node


def _registers(expression: ast.expr) -> bool:
    function = expression.func if isinstance(expression, ast.Call) else expression
    return isinstance(function, ast.Attribute) and function.attr == "rtc_session"


def _guarded(source: Source, target: ast.expr, depth: int = 0) -> bool | None:
    """Return whether what is registered is guarded."""
    told: set[bool | None] = {None}
    if isinstance(target, ast.Lambda):
        told = {False}
    elif isinstance(target, ast.Call):
        called = source.resolve(target.func)
        if called in (_GUARD, f"{_GUARD}()"):
            told = {True}
        elif called == "functools.partial" and target.args and depth < _DEEPEST:
            told = {_guarded(source, target.args[0], depth + 1)}
    elif function := source.local_function(target):
        guards = [_guards(source, each) for each in function.decorator_list]
        told = {True if True in guards else (None if None in guards else False)}
    elif isinstance(target, ast.Name) and depth < _DEEPEST:
        values = [each for each in source.bindings(target) if isinstance(each, ast.expr)]
        told = {_guarded(source, value, depth + 1) for value in values}
    return told.pop() if len(told) == 1 else None


def _function(source: Source, target: ast.expr, depth: int = 0) -> Function | None:
    """Return the function behind what is registered, where it is of this file."""
    if isinstance(target, ast.Call) and target.args and depth < _DEEPEST:
        return _function(source, target.args[0], depth + 1)
    return source.local_function(target)


def _guards(source: Source, decorator: ast.expr) -> bool | None:
    """Return whether a decorator guards; `None` where it is another file's."""
    meant = source.resolve(decorator)
    if meant in (_GUARD, f"{_GUARD}()"):
        return True
    if _registers(decorator) or meant.startswith(_HARMLESS):
        return False
    inner = decorator.func if isinstance(decorator, ast.Call) else decorator
    own = source.local_function(inner)
    if own is None:
        return None
    return any(
        source.resolve(node) == _GUARD
        for node in ast.walk(own)
        if isinstance(node, ast.Name | ast.Attribute)
    )


def _name(call: ast.expr) -> tuple[str, bool]:
    """Return the agent's name, and whether there may be one that the file does not tell."""
    given = _keyword(call, "agent_name") if isinstance(call, ast.Call) else None
    spread = isinstance(call, ast.Call) and any(each.arg is None for each in call.keywords)
    if isinstance(given, ast.Constant):
        return str(given.value or ""), bool(given.value)
    return "", given is not None or spread


def _keyword(call: ast.expr, name: str) -> ast.expr | None:
    keywords = call.keywords if isinstance(call, ast.Call) else []
    return next((each.value for each in keywords if each.arg == name), None)


def _last(expression: ast.expr) -> str:
    return expression.attr if isinstance(expression, ast.Attribute) else ""
