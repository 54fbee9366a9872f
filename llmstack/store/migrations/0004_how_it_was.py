"""What an engine told of a model's instance last, to tell what happened since."""

from __future__ import annotations

from peewee import SqliteDatabase

COLUMNS = '"container_id" TEXT, "started_at" REAL, "ended_at" REAL, "restarts" INTEGER, "out_of_memory" SMALLINT'


def up(database: SqliteDatabase) -> None:
    """More columns of models."""
    for column in COLUMNS.split(", "):
        database.execute_sql(f'ALTER TABLE "models" ADD COLUMN {column}')  # type: ignore[no-untyped-call]
