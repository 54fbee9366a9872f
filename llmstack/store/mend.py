"""A new start for a store that is damaged."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from peewee import Field, Model, PeeweeException

from llmstack.errors import StoreError
from llmstack.store import faults
from llmstack.store.database import Database
from llmstack.store.place import MEMORY, store_path
from llmstack.store.store import open_store
from llmstack.store.upkeep import BESIDE, HISTORY


def mend(path: str | None = None, environ: Mapping[str, str] = os.environ) -> str | None:
    """Set a damaged store aside for a new one, which keeps what can be read of what happened; returns a sentence about
    it, None where the store is whole. Raises StoreError for everything else that is wrong with it."""
    where = store_path(path, environ)
    try:
        with open_store(path, environ) as store:
            store.check()
    except StoreError as error:
        if where == MEMORY or not error.data.get("damaged"):
            raise
    else:
        return None
    aside = set_aside(where, time.time())
    open_store(path, environ).close()
    with closing(Database(where)) as database:
        kept = salvage(database, aside)
    return f"the store was damaged and lies in {aside} now; {kept} rows of its history were kept"


def set_aside(path: str, now: float) -> Path:
    """Give a damaged store another name, with what lies beside it; nothing is overwritten. Raises StoreError."""
    moment = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
    names = (f"{path}.corrupt-{moment}{f'-{number}' if number else ''}" for number in range(1000))
    aside = next(name for name in names if not os.path.lexists(name))
    with faults.placed(path):
        for end in BESIDE:
            with contextlib.suppress(FileNotFoundError):
                Path(f"{path}{end}").rename(f"{aside}{end}")
    return Path(aside)


def salvage(database: Database, aside: Path) -> int:
    """Take over what can still be read of what happened; returns how many rows. The rest is in `aside` as it was."""
    kept = 0
    untouched = "" if Path(f"{aside}-wal").exists() else "&immutable=1"
    with closing(sqlite3.connect(f"{aside.as_uri()}?mode=rw{untouched}", uri=True)) as damaged:
        damaged.row_factory = sqlite3.Row
        with contextlib.suppress(sqlite3.Error):
            damaged.execute("PRAGMA writable_schema = ON")  # else nothing of a file that was cut is read
        for table in HISTORY:
            with database.write() as sqlite:
                for row in _readable(damaged, table._meta.table_name):
                    there = {field: row[field.column_name] for field in _fields(table, row)}
                    with contextlib.suppress(PeeweeException):
                        table.insert(there).execute(sqlite)
                        kept += 1
    return kept


def _fields(table: type[Model], row: sqlite3.Row) -> list[Field]:
    """Those that an older store has too."""
    return [field for field in table._meta.sorted_fields if field.column_name in row.keys()]  # noqa: SIM118 - else values


def _readable(damaged: sqlite3.Connection, table: str) -> Iterator[sqlite3.Row]:
    """The rows of a table up to where it is damaged."""
    with contextlib.suppress(sqlite3.Error):
        yield from damaged.execute(f'SELECT * FROM "{table}" ORDER BY id')  # noqa: S608 - a name of ours
