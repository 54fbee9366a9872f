"""What keeps a store in good shape: how large it is and may get, whether it is whole, and copies of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

from peewee import SqliteDatabase, fn

from llmstack.store import faults
from llmstack.store.database import Database
from llmstack.store.queries import forget
from llmstack.store.records import EventRecord, HealthRecord, ModelRecord, RunRecord, VersionRecord

MAX_BYTES = 64 * 1024 * 1024
"""From this size on the oldest quarter of what happened is forgotten; what is known of models and versions stays."""
HISTORY = (RunRecord, EventRecord, HealthRecord, VersionRecord)
BESIDE = ("", "-wal", "-shm", "-journal")


def used_bytes(sqlite: SqliteDatabase) -> int:
    """What its rows take; room of rows that are gone is used again."""
    pages = sqlite.pragma("page_count") - sqlite.pragma("freelist_count")
    return int(pages * sqlite.pragma("page_size"))


def thin_out(sqlite: SqliteDatabase) -> None:
    """Forget the oldest where the store has grown too large."""
    if used_bytes(sqlite) < MAX_BYTES:
        return
    from llmstack.store.samples import SampleRecord

    forget(sqlite, _quarter(RunRecord.id, sqlite))
    for column in (EventRecord.id, HealthRecord.id, SampleRecord.minute):
        column.model.delete().where(column < _quarter(column, sqlite)).execute(sqlite)


def _quarter(column: Any, sqlite: SqliteDatabase) -> int:
    """Where the oldest quarter ends."""
    first, last = column.model.select(fn.MIN(column), fn.MAX(column)).scalar(sqlite, as_tuple=True)
    return (first or 0) + ((last or 0) - (first or 0)) // 4


class Upkeep:
    """The part of a store that is about its file; every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def path(self) -> str:
        """Its file, or `:memory:`."""
        return self._database.path

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def info(self) -> dict[str, Any]:
        """Where it lies, its size and schema, and how many rows it has of what."""
        with self._database.read() as sqlite:
            return {
                "target": self.path,
                "schema": sqlite.pragma("user_version"),
                "journal": sqlite.pragma("journal_mode"),
                "size_bytes": size_bytes(self.path),
                "used_bytes": used_bytes(sqlite),
                "oldest_run_at": RunRecord.select(fn.MIN(RunRecord.started_at)).scalar(sqlite),
                "rows": {table._meta.table_name: table.select().count(sqlite) for table in (ModelRecord, *HISTORY)},
            }

    def copy(self, target: str) -> int:
        """Write a whole copy to a file that is not there yet, also while others write; returns its size."""
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise faults.no_copy(error, target) from error
        with self._database.read() as sqlite:
            sqlite.execute_sql("VACUUM INTO ?", (target,))  # type: ignore[no-untyped-call]
        return Path(target).stat().st_size

    def vacuum(self) -> tuple[int, int]:
        """Give room back to the disk; returns the size before and after."""
        before = size_bytes(self.path)
        with self._database.read() as sqlite:
            sqlite.execute_sql("VACUUM")  # type: ignore[no-untyped-call]
            sqlite.pragma("wal_checkpoint(TRUNCATE)")
        return before, size_bytes(self.path)

    def check(self) -> None:
        """Raises StoreError when it is not whole."""
        with self._database.read() as sqlite:
            found = [str(row[0]) for row in sqlite.execute_sql("PRAGMA integrity_check(5)")]  # type: ignore[no-untyped-call]
        if found != ["ok"]:
            raise faults.damaged(self.path, "; ".join(found))


def size_bytes(path: str) -> int:
    """Of the file and what SQLite keeps beside it."""
    beside = (Path(f"{path}{end}") for end in BESIDE)
    return sum(file.stat().st_size for file in beside if file.exists())
