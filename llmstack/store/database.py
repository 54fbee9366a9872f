"""One connection to SQLite, shared by threads under a lock; every failure leaves as a StoreError."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from peewee import PeeweeException, SqliteDatabase

from llmstack.store.faults import BUSY_TIMEOUT_S, store_error


class Database:
    """A file (or `:memory:`). SQLite lets one connection write at a time anyway, so threads take turns on ours instead
    of each having one to close; processes take turns by SQLite's own lock, for which they wait up to 10 s."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._turn = threading.RLock()
        # IMMEDIATE: a transaction that reads before it writes fails at once, whatever the time-out, when another
        # process wrote in between; taking the write lock first makes it wait instead.
        self._sqlite = SqliteDatabase(
            path,
            lock_type="IMMEDIATE",
            timeout=BUSY_TIMEOUT_S,
            pragmas=(("synchronous", "normal"), ("foreign_keys", 1)),
            thread_safe=False,
            check_same_thread=False,
        )

    @contextmanager
    def read(self) -> Iterator[SqliteDatabase]:
        """The connection, for statements that each stand alone. Raises StoreError."""
        with self._turn:
            try:
                self._sqlite.connect(reuse_if_open=True)
                yield self._sqlite
            except (PeeweeException, sqlite3.Error) as error:
                raise store_error(error, self.path) from error

    @contextmanager
    def write(self) -> Iterator[SqliteDatabase]:
        """The connection within a transaction: all or nothing, and seen by everybody once it is left."""
        with self.read() as sqlite, sqlite.atomic():
            yield sqlite

    def close(self) -> None:
        """Let go of the file; the next use opens it anew."""
        with self._turn:
            self._sqlite.close()
