"""What the names of a Python file stand for, as far as the file alone tells."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from onhook.doctor.source.bindings import bindings_of, imports_of

__all__ = ["Function", "Scope", "Source"]

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_DEEPEST = 8
"""Names that stand for names that stand for names."""


@dataclass
class Scope:
    """The names of one function, or of the module.

    Args:
        imports: Name → what it was imported as, dotted.
        bound: Name → what it was bound to; `None` where that is no expression.
    """

    imports: dict[str, str] = field(default_factory=dict)
    bound: dict[str, list[ast.expr | ast.AST | None]] = field(default_factory=dict)

    def bind(self, name: str, value: ast.AST | None) -> None:
        """Note what a name was bound to."""
        self.bound.setdefault(name, []).append(value)


class Source:
    """A file that is parsed.

    Args:
        name: The file, for people.
        text: Its text.

    Raises:
        SyntaxError: It is no Python that this interpreter reads.
        ValueError: It has a null byte.
    """

    def __init__(self, name: str, text: str | bytes) -> None:
        self.name = name
        self.tree = ast.parse(text, name)
        self.parents: dict[ast.AST, ast.AST] = {}
        self._functions: dict[ast.AST, ast.AST | None] = {}
        self._by_kind: dict[type[ast.AST], list[ast.AST]] = {}
        self._index()
        self._scopes: dict[ast.AST, Scope] = {self.tree: Scope()}
        self._stars: list[str] = []
        self._meant: dict[tuple[int, str], str] = {}
        self._own_attributes: dict[tuple[ast.ClassDef | None, str], list[ast.expr]] = {}
        for node in ast.walk(self.tree):
            self._read(node)

    def place(self, node: ast.AST) -> str:
        """Return where a node is, as `FILE:LINE`."""
        return f"{self.name}:{getattr(node, 'lineno', 1)}"

    def nodes(self, *kinds: type[ast.AST]) -> Sequence[ast.AST]:
        """Return all nodes of some kinds, in the order of their lines."""
        found = [node for kind in kinds for node in self._by_kind.get(kind, ())]
        return sorted(found, key=lambda n: (getattr(n, "lineno", 0), getattr(n, "col_offset", 0)))

    def function_of(self, node: ast.AST) -> ast.AST | None:
        """Return the function or lambda in whose body a node is; `None` in none."""
        return self._functions.get(node)

    def _index(self) -> None:
        """Note of each node its parent and the function in whose body it is."""
        stack: list[tuple[ast.AST, ast.AST | None]] = [(self.tree, None)]
        while stack:
            node, function = stack.pop()
            self._functions[node] = function
            self._by_kind.setdefault(type(node), []).append(node)
            body = node.body if isinstance(node, _FUNCTIONS) else ()
            inner = {id(each) for each in (body if isinstance(body, list) else (body,))}
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
                stack.append((child, node if id(child) in inner else function))

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """Return the class in whose body, or in whose methods, a node is."""
        above = self.parents.get(node)
        while above is not None and not isinstance(above, ast.ClassDef):
            above = self.parents.get(above)
        return above

    def own_nodes(self, function: ast.AST) -> Iterator[ast.AST]:
        """Yield the nodes of a function's body, without those of functions in it."""
        body = function.body if isinstance(function, Function | ast.Module) else []
        stack: list[ast.AST] = list(body)
        while stack:
            node = stack.pop(0)
            yield node
            if isinstance(node, ast.ClassDef):
                continue
            if isinstance(node, _FUNCTIONS):
                stack[:0] = node.decorator_list if isinstance(node, Function) else ()
                continue
            stack[:0] = list(ast.iter_child_nodes(node))

    def resolve(self, expression: ast.AST | None, depth: int = 0) -> str:
        """Return what an expression stands for, as a dotted name; empty where nobody knows.

        A call's result is written with brackets: `c` in `c = httpx.Client()` is `httpx.Client()`,
        and `c.get` is `httpx.Client().get`.

        Args:
            expression: It.
            depth: How many names have been followed.
        """
        if depth > _DEEPEST:
            return ""
        base, suffix = "", ""
        match expression:
            case ast.Name(id=name):
                base = self._named(expression, name, depth + 1)
            case ast.Attribute(value=value, attr=attr):
                if _is_self(value) and (known := self._attribute(expression, attr, depth + 1)):
                    return known
                base, suffix = self.resolve(value, depth + 1), f".{attr}"
            case ast.Call(func=function):
                base, suffix = self.resolve(function, depth + 1), "()"
            case ast.Await(value=value) | ast.NamedExpr(value=value):
                base = self.resolve(value, depth + 1)
        return f"{base}{suffix}" if base else ""

    def local_function(self, expression: ast.AST | None) -> Function | None:
        """Return the function of this file that an expression names, where it is only one."""
        if isinstance(expression, ast.Attribute) and _is_self(expression.value):
            home = self.class_of(expression)
            methods = [m for m in (home.body if home else ()) if isinstance(m, Function)]
            named = [m for m in methods if m.name == expression.attr]
            return named[0] if len(named) == 1 else None
        if not isinstance(expression, ast.Name):
            return None
        scope = self._scope_that_binds(expression, expression.id)
        values = scope.bound.get(expression.id, []) if scope else []
        if scope is None or expression.id in scope.imports or len(values) != 1:
            return None
        return values[0] if isinstance(values[0], Function) else None

    def bindings(self, name: ast.Name) -> list[ast.expr | ast.AST | None]:
        """Return what a name is bound to, where it is read."""
        scope = self._scope_that_binds(name, name.id)
        return scope.bound.get(name.id, []) if scope else []

    def _named(self, node: ast.AST, name: str, depth: int) -> str:
        scope = self._scope_that_binds(node, name)
        if scope is None:
            if hasattr(builtins, name):
                return f"builtins.{name}"
            return f"{self._stars[0]}.{name}" if len(self._stars) == 1 else ""
        if name in scope.imports:
            return scope.imports[name]
        key = (id(scope), name)
        if key not in self._meant:
            self._meant[key] = ""  # for a name that stands for itself
            values = [value for value in scope.bound[name] if not _is_none(value)]
            meant = {self.resolve(value, depth) for value in values}
            self._meant[key] = meant.pop() if len(meant) == 1 else ""
        return self._meant[key]

    def _attribute(self, node: ast.AST, attr: str, depth: int) -> str:
        """Return what `self.attr` was given in its class, where that is always the same."""
        home = self.class_of(node)
        key = (id(home), f".{attr}")
        if key not in self._meant:
            self._meant[key] = ""  # for one that stands for itself
            values = [v for v in self._own_attributes.get((home, attr), ()) if not _is_none(v)]
            meant = {self.resolve(value, depth) for value in values}
            self._meant[key] = meant.pop() if len(meant) == 1 else ""
        return self._meant[key]

    def _scope_that_binds(self, node: ast.AST, name: str) -> Scope | None:
        function = self.function_of(node)
        while function is not None:
            scope = self._scopes.setdefault(function, Scope())
            if name in scope.imports or name in scope.bound:
                return scope
            function = self.function_of(function)
        scope = self._scopes[self.tree]
        return scope if name in scope.imports or name in scope.bound else None

    def _scope(self, node: ast.AST) -> Scope:
        return self._scopes.setdefault(self.function_of(node) or self.tree, Scope())

    def _read(self, node: ast.AST) -> None:
        """Note the names that a node binds. Those of a class's body are its own."""
        if isinstance(node, Function | ast.Lambda):
            self._read_arguments(node)
        of_class = isinstance(self.parents.get(node), ast.ClassDef)
        if of_class and isinstance(node, Function | ast.Assign | ast.AnnAssign):
            return
        for name, origin in imports_of(node):
            if name == "*":
                self._stars.append(origin)
            else:
                self._scope(node).imports[name] = origin
        for target, value in bindings_of(node):
            self._bind(node, target, value)

    def _read_arguments(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        given = node.args
        scope = self._scopes.setdefault(node, Scope())
        every = (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg)
        for argument in every:
            if argument is not None:
                scope.bind(argument.arg, _instance_of(argument.annotation))

    def _bind(self, node: ast.AST, target: ast.AST | str, value: ast.AST | None) -> None:
        match target:
            case str(name) | ast.Name(id=name):
                self._scope(node).bind(name, value)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self._bind(node, part, None)
            case ast.Starred(value=inner):
                self._bind(node, inner, None)
            case ast.Attribute(value=base, attr=attr) if _is_self(base) and isinstance(
                value, ast.expr
            ):
                key = (self.class_of(node), attr)
                self._own_attributes.setdefault(key, []).append(value)


def _instance_of(annotation: ast.expr | None) -> ast.AST | None:
    """Return an expression for an argument of which only the type is known."""
    match annotation:
        case ast.Name() | ast.Attribute():
            return ast.Call(func=annotation, args=[], keywords=[])
        case ast.Subscript(value=ast.Name() | ast.Attribute() as base):
            return ast.Call(func=base, args=[], keywords=[])
    return None


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def _is_none(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
