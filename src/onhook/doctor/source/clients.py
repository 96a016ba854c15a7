"""Clients that are opened and never closed."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from onhook.doctor.findings import Finding
from onhook.doctor.source.kinds import CLIENT_OPEN
from onhook.doctor.source.names import Source

__all__ = ["judge_clients"]

_CLIENTS = {
    "livekit.api.LiveKitAPI": "LiveKitAPI",
    "livekit.api.livekit_api.LiveKitAPI": "LiveKitAPI",
    "aiohttp.ClientSession": "aiohttp.ClientSession",
    "httpx.AsyncClient": "httpx.AsyncClient",
}
_CLOSES = ("aclose", "close", "__aexit__")


def judge_clients(source: Source) -> Iterator[Finding]:
    """Find clients that a function opens, keeps for itself and does not close.

    Args:
        source: The file.
    """
    for node in source.nodes(ast.Call):
        if not isinstance(node, ast.Call):
            continue
        client = _CLIENTS.get(source.resolve(node.func))
        function = source.function_of(node)
        if client is None or function is None:
            continue  # one of the module's lives as long as the process
        if _is_left_open(source, node, function):
            yield CLIENT_OPEN.found(source.place(node), f"{client}(...) is opened and never closed")


def _is_left_open(source: Source, node: ast.Call, function: ast.AST) -> bool:
    above = source.parents.get(node)
    match above:
        case ast.Attribute():  # `LiveKitAPI().room.delete_room(...)`
            return above.attr not in _CLOSES
        case ast.Expr():
            return True
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return not _is_outside(function, name) and not _closed_or_handed_on(
                source, function, name
            )
        case ast.Assign(targets=[ast.Attribute(attr=attr)]):
            return not _attribute_closed(source, attr)
    return False  # `async with`, an argument, what is returned: somebody else's


def _is_outside(function: ast.AST, name: str) -> bool:
    """Return whether a name is the module's, or an outer function's."""
    return any(
        isinstance(node, ast.Global | ast.Nonlocal) and name in node.names
        for node in ast.walk(function)
    )


def _closed_or_handed_on(source: Source, function: ast.AST, name: str) -> bool:
    for node in ast.walk(function):
        if not (isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)):
            continue
        above = source.parents.get(node)
        if isinstance(above, ast.Attribute):
            if above.attr in _CLOSES:
                return True
            continue  # a request
        if not isinstance(above, ast.Compare | ast.If | ast.BoolOp | ast.UnaryOp | ast.IfExp):
            return True  # given, returned, kept, entered: somebody else may close it
    return False


def _attribute_closed(source: Source, attr: str) -> bool:
    """Return whether anything in the file closes an attribute of that name, or hands it on."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Attribute) or node.attr != attr:
            continue
        above = source.parents.get(node)
        if isinstance(above, ast.Attribute):
            if above.attr in _CLOSES:
                return True
        elif isinstance(node.ctx, ast.Load) and not isinstance(
            above, ast.Compare | ast.If | ast.BoolOp
        ):
            return True
    return False
