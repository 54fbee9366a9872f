"""The most memory that models were seen to take."""

from __future__ import annotations

from peewee import SqliteDatabase

STEP = """
CREATE TABLE "peaks" ("image" TEXT NOT NULL, "model" TEXT NOT NULL, "context" INTEGER NOT NULL,
  "gpu_kind" TEXT NOT NULL, "host" TEXT NOT NULL, "container_name" TEXT NOT NULL, "memory_bytes" INTEGER,
  "gpu_bytes" INTEGER, "at" REAL NOT NULL, PRIMARY KEY ("image", "model", "context", "gpu_kind")) WITHOUT ROWID
"""


def up(database: SqliteDatabase) -> None:
    """One more table."""
    database.execute_sql(STEP)  # type: ignore[no-untyped-call]
