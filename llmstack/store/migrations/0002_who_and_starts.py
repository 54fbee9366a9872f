"""Who ran what; and which climbs were starts, of which spec."""

from __future__ import annotations

from peewee import SqliteDatabase


def up(database: SqliteDatabase) -> None:
    """From schema 1 to schema 2."""
    for table, column in (("runs", "user"), ("runs", "controller"), ("health", "started_spec")):
        database.execute_sql(f'ALTER TABLE "{table}" ADD COLUMN "{column}" TEXT')  # type: ignore[no-untyped-call]
