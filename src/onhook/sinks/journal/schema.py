"""The journal's tables."""

from __future__ import annotations

from typing import Final

from onhook.sinks.sqlite_file import SqliteFile

__all__ = ["JOURNAL"]

_TABLES = """
CREATE TABLE incident (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    wall REAL NOT NULL
);
CREATE TABLE entry (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    incident INTEGER NOT NULL REFERENCES incident (n) ON DELETE CASCADE,
    step TEXT NOT NULL,
    at REAL NOT NULL,
    subject TEXT NOT NULL,
    result TEXT NOT NULL,
    detail TEXT NOT NULL,
    wall REAL NOT NULL,
    ring TEXT NOT NULL,
    opening TEXT
);
CREATE INDEX entry_of_incident ON entry (incident);
CREATE INDEX incident_by_age ON incident (wall);
"""

JOURNAL: Final = SqliteFile(
    what="journal",
    variable="ONHOOK_JOURNAL",
    application=0x6F6E686B,  # "onhk"
    version=1,
    tables=_TABLES,
)
