"""Brings a store to the schema of this llmstack, or refuses it untouched."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from peewee import OperationalError, SqliteDatabase

from llmstack.store import faults
from llmstack.store.database import Database
from llmstack.store.place import APPLICATION_ID, MEMORY, is_ours

SCHEMA = 7
"""The number of the last step in `migrations/`; a store keeps its own as SQLite's `user_version`."""


def check_header(path: str, header: bytes) -> None:
    """Refuse, before SQLite opens the file, what is no store or one of a newer llmstack. Raises StoreError."""
    if header and not is_ours(header):
        raise faults.foreign(path)
    _check(path, APPLICATION_ID, int.from_bytes(header[60:64], "big"), SCHEMA)


def bring_up(database: Database, journal: str, steps: Sequence[str] | None = None) -> None:
    """Bring the schema up to date and set the journal mode (`wal` or `delete`), or find that both stand.

    Any number of processes may do so at once: the steps run under SQLite's write lock, and whoever comes second finds
    the work done. Raises StoreError.
    """
    last = SCHEMA if steps is None else len(steps)
    with database.read() as sqlite:
        if _identity(sqlite) != (APPLICATION_ID, last):
            _migrate(database, _load() if steps is None else steps)
        if database.path != MEMORY and sqlite.pragma("journal_mode") != journal:
            _set_journal(sqlite, journal, time.monotonic() + faults.BUSY_TIMEOUT_S)


def _identity(sqlite: SqliteDatabase) -> tuple[int, int]:
    return sqlite.pragma("application_id"), sqlite.pragma("user_version")


def _check(path: str, application: int, version: int, last: int) -> None:
    if application not in (0, APPLICATION_ID) or (application == 0 and version):
        raise faults.foreign(path)
    if version > last:
        raise faults.newer(path, version, last)


def _migrate(database: Database, steps: Sequence[str]) -> None:
    with database.write() as sqlite:
        application, version = _identity(sqlite)  # anew: without the lock, these are two looks at two moments
        _check(database.path, application, version, len(steps))
        if application == 0 and sqlite.get_tables():
            raise faults.foreign(database.path)
        if 0 < version < len(steps):
            _back_up(database.path, version)
        for statement in ";".join(steps[version:]).split(";"):
            sqlite.execute_sql(statement)  # type: ignore[no-untyped-call]
        sqlite.pragma("application_id", APPLICATION_ID)
        sqlite.pragma("user_version", len(steps))


def _back_up(path: str, version: int) -> None:
    """Copy to `<path>.schema<version>`; the write lock is held, so that no one else does so or writes meanwhile."""
    copy = Path(f"{path}.schema{version}")
    with faults.placed(str(copy)):
        copy.unlink(missing_ok=True)
        os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    with closing(sqlite3.connect(path, timeout=faults.BUSY_TIMEOUT_S)) as reader:
        reader.execute("VACUUM INTO ?", (str(copy),))


def _load() -> list[str]:
    """The steps from one schema to the next, in order: statements divided by `;`, which stands nowhere else. One that
    was released is never edited."""
    steps = sorted(Path(__file__).with_name("migrations").glob("*.sql"))
    return [step.read_text(encoding="utf-8") for step in steps]


def _set_journal(sqlite: SqliteDatabase, journal: str, deadline: float) -> None:
    """SQLite does not wait for others when it changes the mode, so we do."""
    while True:
        try:
            sqlite.pragma("journal_mode", journal)
        except OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
