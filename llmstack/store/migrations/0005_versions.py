"""Which versions were installed, and when each was proved ready."""

from __future__ import annotations

from peewee import FloatField, Model, SqliteDatabase, TextField


class Versions(Model):
    """As of schema 4."""

    target = TextField()
    host = TextField()
    kind = TextField()
    source = TextField()
    digest = TextField()
    version = TextField(null=True)
    installed_at = FloatField()
    ready_at = FloatField()


Versions.add_index(Versions.target, Versions.host, Versions.kind, Versions.digest, unique=True)


def up(database: SqliteDatabase) -> None:
    """One more table."""
    with database.bind_ctx([Versions]):
        database.create_tables([Versions])
