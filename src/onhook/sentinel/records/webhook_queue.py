"""Webhooks that are to be sent, kept in the file of call records."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from onhook.sentinel.records.calls_file import CallsFile

__all__ = ["QueuedWebhook", "WebhookQueue"]

logger = logging.getLogger("onhook")

_MOST = 100_000
"""Webhooks that wait; of more the oldest are given up."""
_LEASED = 60.0
"""Seconds for which one that is being sent is left to who sends it."""


@dataclass(frozen=True, slots=True)
class QueuedWebhook:
    """One webhook.

    Args:
        id: Its id, which never changes.
        body: JSON.
        since: When it was put here, in seconds since 1970.
        attempts: How often it was tried.
    """

    id: str
    body: bytes
    since: float
    attempts: int


class WebhookQueue:
    """Keeps them; may be called from any thread.

    Args:
        path: The file of call records.
        most: How many may wait.
        wall: Seconds since 1970.

    Raises:
        JournalError: From every method: the file cannot be used.
    """

    def __init__(
        self, path: Path, *, most: int = _MOST, wall: Callable[[], float] = time.time
    ) -> None:
        self._file = CallsFile(path)
        self._most = most
        self._wall = wall

    def put(self, webhook: str, body: bytes) -> None:
        """Add a webhook; one that waits already stays as it is.

        Args:
            webhook: Its id.
            body: JSON.
        """
        now = self._wall()
        with self._file.use() as db:
            row = (webhook, body, now, now)
            db.execute("INSERT OR IGNORE INTO webhook VALUES (?, ?, ?, ?, 0)", row)
            gone: int = db.execute(
                "DELETE FROM webhook WHERE id IN (SELECT id FROM webhook ORDER BY since "
                "LIMIT max(0, (SELECT count(*) FROM webhook) - ?))",
                (self._most,),
            ).rowcount
        if gone:
            logger.error("%d webhooks are given up: %d wait already", gone, self._most)

    def due(self, now: float, limit: int) -> Sequence[QueuedWebhook]:
        """Take webhooks that are due, the oldest first; `done` or `again` should follow each.

        Args:
            now: Seconds since 1970.
            limit: How many at most.
        """
        with self._file.use(reading=True) as db:
            if db is None:
                return ()
            rows = db.execute(
                "UPDATE webhook SET due = ? WHERE id IN "
                "(SELECT id FROM webhook WHERE due <= ? ORDER BY due, since LIMIT ?) "
                "RETURNING id, body, since, attempts",
                (now + _LEASED, now, limit),
            ).fetchall()
        return sorted((QueuedWebhook(*row) for row in rows), key=lambda found: found.since)

    def done(self, webhook: str) -> None:
        """Forget a webhook: it was taken, or is given up.

        Args:
            webhook: Its id.
        """
        with self._file.use() as db:
            db.execute("DELETE FROM webhook WHERE id = ?", (webhook,))

    def again(self, webhook: str, due: float) -> None:
        """Keep a webhook that was not taken.

        Args:
            webhook: Its id.
            due: When it is to be sent again, in seconds since 1970.
        """
        with self._file.use() as db:
            db.execute(
                "UPDATE webhook SET due = ?, attempts = attempts + 1 WHERE id = ?", (due, webhook)
            )

    def __len__(self) -> int:
        with self._file.use(reading=True) as db:
            return (
                0 if db is None else int(db.execute("SELECT count(*) FROM webhook").fetchone()[0])
            )

    def close(self) -> None:
        """Close the file."""
        self._file.close()
