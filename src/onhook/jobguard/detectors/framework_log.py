"""What livekit-agents only logs: exceptions of an agent's own code that no event tells of.

An `on_enter`, an `on_user_turn_completed` or a handoff that raises leaves nothing behind but a line
in the framework's log with its traceback. The log is read as any log handler reads it: one that is
silenced below ERROR tells nothing, and then only the silence itself is noticed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType

from onhook.livekit.framework.agent_log import LOGGER, what_broke_the_turn

__all__ = ["FrameworkLog"]


class FrameworkLog:
    """Listens to the framework's log for one job. Enter it to begin, leave to end.

    Args:
        tell: Is told of each exception, with what it means for the turn: an empty string where
            it may mean nothing and is but evidence.
    """

    def __init__(self, tell: Callable[[BaseException, str], None]) -> None:
        self._tell = tell
        self._logger = logging.getLogger(LOGGER)
        self._loop = asyncio.get_running_loop()
        self._handler = _Handler(self._heard)

    def __enter__(self) -> FrameworkLog:
        self._logger.addHandler(self._handler)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._logger.removeHandler(self._handler)

    def _heard(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or not self._is_ours():
            return
        self._tell(error, what_broke_the_turn(record.getMessage()))

    def _is_ours(self) -> bool:
        """Return whether this job logs; with the thread executor other jobs share the log."""
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False


class _Handler(logging.Handler):
    def __init__(self, heard: Callable[[logging.LogRecord], None]) -> None:
        super().__init__(logging.ERROR)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._heard(record)
        except Exception:  # noqa: BLE001 - a log handler reports its errors and raises none
            self.handleError(record)
