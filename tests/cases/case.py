"""One case: a call of the field, what its caller does, and what is expected of onhook."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.cases.expected import Expected
from tests.cases.layout import Script

if TYPE_CHECKING:
    from tests.cases.scene import Scene
    from tests.cases.side_by_side import SideBySide

__all__ = ["Case", "Surroundings", "case"]

WAIT = 1800.0
"""Seconds that a test waits for its call, which may be queued behind many others."""

Drive = Callable[["Scene"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A worker of the case's own, in surroundings of its own.

    `{folder}` stands for the worker's folder.

    Args:
        env: Variables of its environment.
        wrap: A command that starts the worker.
        owner: The user id that owns its folders.
    """

    env: dict[str, str] = field(default_factory=dict)
    wrap: Sequence[str] = ()
    owner: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A call.

    Args:
        name: The test's name without `test_`.
        agent: The agent of tests/cases/agents that has the call.
        expected: What the caller may notice.
        drive: What the caller does.
        script: What the agent's simulated provider says and understands.
        own: Surroundings of its own; the worker is shared without.
        alone: Whether no other call may be under way, for what disturbs all of them.
    """

    name: str
    agent: str
    expected: Expected
    drive: Drive
    script: Script
    own: Surroundings | None
    alone: bool


def case(
    agent: str,
    expected: Expected,
    *,
    script: Script | None = None,
    own: Surroundings | None = None,
    alone: bool = False,
    brief: bool = False,
    unsolved: str = "",
) -> Callable[[Drive], Callable[..., Awaitable[None]]]:
    """Make a test of what the caller does; see `Case` for the arguments.

    Args:
        brief: Whether it belongs to the part that runs everywhere; that part is short.
        unsolved: Why it cannot be as expected yet; the README states that limit.
    """

    def decorate(drive: Drive) -> Callable[..., Awaitable[None]]:
        name = drive.__name__.removeprefix("test_")
        made = Case(name, agent, expected, drive, script or Script(), own, alone)

        async def test(side_by_side: SideBySide) -> None:
            result = await side_by_side.result(made)
            if result.trouble:
                pytest.fail(f"the case itself went wrong: {result.trouble}", pytrace=False)
            if result.wrong and (made.expected.healthy or not side_by_side.control):
                pytest.fail(f"expected {made.expected}; {'; '.join(result.wrong)}", pytrace=False)

        test.__name__ = drive.__name__
        test.__doc__ = drive.__doc__
        test.__module__ = drive.__module__
        marked: Any = test
        marks = [pytest.mark.case, pytest.mark.stack, pytest.mark.timeout(WAIT)]
        for mark in [*marks, pytest.mark.asyncio(loop_scope="session")]:
            marked = mark(marked)
        if brief:
            marked = pytest.mark.brief(marked)
        if unsolved:
            marked = pytest.mark.xfail(reason=unsolved, strict=True)(marked)
        marked.case = made
        return test

    return decorate
