"""`python -m onhook.watchdog`: the process itself. People use `onhook watchdog`."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import sys
from logging.handlers import RotatingFileHandler

from onhook.errors import OnhookError
from onhook.livekit.credentials import Credentials
from onhook.livekit.framework.rtc_exit import exit_after_callbacks
from onhook.tasks import end
from onhook.watchdog.options import WatchdogOptions
from onhook.watchdog.runtime_dir import RuntimeDir, WatchdogFiles

_LOG_BYTES = 1_000_000
_LOOK = 30.0
"""Seconds between looks at the length of the output."""
_FAILED, _RUNNING = 1, 3
_M_ARENA_MAX = -8
"""glibc, malloc.h."""


def main() -> int:
    """Watch in the foreground, or detached from whoever started it."""
    _share_memory()
    exit_after_callbacks()
    try:
        options = WatchdogOptions.of(sys.argv[1:])
        credentials = Credentials.from_env()  # without them nobody could be rescued
        files = RuntimeDir.of_this_user().of(credentials)
        if options.detached:
            _detach(files)
        _log(files, detached=options.detached)
        return _watch(files, credentials, options)
    except (OnhookError, OSError) as error:
        sys.stderr.write(f"onhook watchdog: {error}\n")
        return _FAILED


def _watch(files: WatchdogFiles, credentials: Credentials, options: WatchdogOptions) -> int:
    from onhook.sinks.journal import SqliteJournal  # noqa: PLC0415 - heavy
    from onhook.watchdog.daemon.process import AlreadyRunningError, Watchdog  # noqa: PLC0415 - heavy

    async def run() -> None:  # it is made where its event loop runs
        bounding = asyncio.create_task(_bound_output()) if options.detached else None
        try:
            await Watchdog(files, credentials, options, SqliteJournal()).run()
        finally:
            if bounding is not None:
                await end(bounding)

    try:
        asyncio.run(run())
    except AlreadyRunningError as error:
        if not options.detached:
            sys.stderr.write(f"onhook watchdog: {error}\n")
        return _RUNNING
    return 0


def _detach(files: WatchdogFiles) -> None:
    """Be nobody's child, in a session and a folder of our own, with our words in files.

    Whoever started us waits for the parent that ends here, so that no zombie stays.
    """
    sys.stdout.flush()
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    null = os.open(os.devnull, os.O_RDONLY)
    # not into the log, which is rotated: a descriptor of its own would keep the old file growing
    output = os.open(files.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)


async def _bound_output() -> None:
    """Keep what libraries print from filling the disk: the file is begun anew when it is long."""
    while True:
        _cut(sys.stdout.fileno())
        await asyncio.sleep(_LOOK)


def _cut(descriptor: int) -> None:
    """Empty a long file that is appended to."""
    with contextlib.suppress(OSError):
        if os.fstat(descriptor).st_size > _LOG_BYTES:
            os.ftruncate(descriptor, 0)


def _share_memory() -> None:
    """Let all threads allocate from one pool, where the C library is glibc.

    By default each of LiveKit's ten threads reserves up to 128 MB of address space of its own, and
    under a limit (`ulimit -v`) the first rescue would end the watchdog. Measured until the first
    announcement: 1120 MB without this, 270 MB with it.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _log(files: WatchdogFiles, *, detached: bool) -> None:
    handler: logging.Handler = logging.StreamHandler()
    if detached:
        handler = RotatingFileHandler(files.log, maxBytes=_LOG_BYTES, backupCount=1)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("onhook")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
