"""The most memory that models were seen to take."""

from __future__ import annotations

from peewee import CompositeKey, FloatField, IntegerField, Model, SqliteDatabase, TextField


class Peaks(Model):
    """As of schema 7."""

    image = TextField()
    model = TextField()
    context = IntegerField()
    gpu_kind = TextField()
    host = TextField()
    container_name = TextField()
    memory_bytes = IntegerField(null=True)
    gpu_bytes = IntegerField(null=True)
    at = FloatField()

    class Meta:
        """Peewee's settings."""

        primary_key = CompositeKey("image", "model", "context", "gpu_kind")
        without_rowid = True


def up(database: SqliteDatabase) -> None:
    """One more table."""
    with database.bind_ctx([Peaks]):
        database.create_tables([Peaks])
