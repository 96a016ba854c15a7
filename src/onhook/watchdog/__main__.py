"""`python -m onhook.watchdog`: the process itself. People use `onhook watchdog`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

from onhook.errors import OnhookError
from onhook.watchdog.client.spawn import IDLE
from onhook.watchdog.runtime_dir import RuntimeDir

if TYPE_CHECKING:
    from onhook.watchdog.daemon.process import Watchdog

_LOG_BYTES = 1_000_000
_FAILED, _RUNNING = 1, 3


def main() -> int:
    """Watch in the foreground, or detached from whoever started it."""
    options = _options()
    try:
        place = RuntimeDir.of_this_user()
        if options.detached:
            _detach(place)
        _log(place, detached=options.detached)
        return _watch(place, options)
    except (OnhookError, OSError) as error:
        sys.stderr.write(f"onhook watchdog: {error}\n")
        return _FAILED


def _watch(place: RuntimeDir, options: argparse.Namespace) -> int:
    from onhook.sinks.journal import SqliteJournal  # noqa: PLC0415 - after the options
    from onhook.watchdog.daemon.process import AlreadyRunningError, Settings, Watchdog  # noqa: PLC0415 - heavy

    settings = Settings(
        idle=IDLE if options.detached and options.idle is None else options.idle,
        grace=options.grace,
        release=options.release,
        replace=options.replace,
    )
    try:
        asyncio.run(_run(lambda: Watchdog(place, settings, SqliteJournal())))
    except AlreadyRunningError as error:
        if not options.detached:
            sys.stderr.write(f"onhook watchdog: {error}\n")
        return _RUNNING
    return 0


async def _run(make: Callable[[], Watchdog]) -> None:
    await make().run()  # it is made where its event loop runs


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="onhook watchdog")
    parser.add_argument("--detached", action="store_true")
    parser.add_argument("--replace", action="store_true")
    parser.add_argument("--release", action="store_true")
    parser.add_argument("--grace", type=float, default=10.0)
    parser.add_argument("--idle", type=float, default=None)
    return parser.parse_args()


def _detach(place: RuntimeDir) -> None:
    """Be nobody's child, in a session and a folder of our own, with our words in a file."""
    sys.stdout.flush()
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)


def _log(place: RuntimeDir, *, detached: bool) -> None:
    handler: logging.Handler = logging.StreamHandler()
    if detached:
        handler = RotatingFileHandler(place.log, maxBytes=_LOG_BYTES, backupCount=1)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("onhook")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
