"""Templates, and how they are filled in: everything that comes from elsewhere is escaped."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2

from onhook.sentinel.web.wording import duration, moment, short_duration

__all__ = ["Templates"]

_FOLDER = Path(__file__).with_name("templates")


class Templates:
    """Fills templates in.

    Args:
        wall: Seconds since 1970.
    """

    def __init__(self, *, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._env = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._env.filters["duration"] = duration
        self._env.filters["short_duration"] = short_duration
        self._env.filters["moment"] = lambda at: moment(at, wall())

    def render(self, name: str, root: str, **values: Any) -> str:
        """Return a template, filled in.

        Args:
            name: The template.
            root: Path below which the page is; links begin with it.
            values: What is filled in.
        """
        given: Mapping[str, Any] = {"root": root, "now": self._wall(), **values}
        return self._env.get_template(name).render(given)
