"""Which process a run is, to tell one that was killed from one that goes on."""

from __future__ import annotations

from peewee import SqliteDatabase


def up(database: SqliteDatabase) -> None:
    """One more column of runs."""
    database.execute_sql('ALTER TABLE "runs" ADD COLUMN "process" TEXT')  # type: ignore[no-untyped-call]
