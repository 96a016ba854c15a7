"""Which names a node of the syntax tree binds, and to what."""

from __future__ import annotations

import ast
from collections.abc import Iterator

__all__ = ["bindings_of", "imports_of"]


def imports_of(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names that an import binds, with what they stand for; `*` with its module.

    Args:
        node: Any node.
    """
    if isinstance(node, ast.Import):
        for each in node.names:
            top = each.name.split(".")[0]
            yield (each.asname, each.name) if each.asname else (top, top)
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        for each in node.names:
            star = each.name == "*"
            yield each.asname or each.name, module if star else f"{module}.{each.name}"


def bindings_of(node: ast.AST) -> Iterator[tuple[ast.AST | str, ast.AST | None]]:
    """Yield what a node binds, with what it is bound to; `None` where that is no expression.

    Args:
        node: Any node.
    """
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name, node
        case ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
            yield name, None
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield target, value
        case ast.AnnAssign() | ast.NamedExpr() if node.value is not None:
            yield node.target, node.value
        case ast.AugAssign() | ast.For() | ast.AsyncFor() | ast.comprehension():
            yield node.target, None
        case ast.withitem(context_expr=value, optional_vars=target) if target is not None:
            yield target, value
