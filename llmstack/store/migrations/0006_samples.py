"""What instances used, minute by minute."""

from __future__ import annotations

from peewee import CompositeKey, FloatField, IntegerField, Model, SqliteDatabase, TextField


class Samples(Model):
    """As of this step; the key begins with the minute, so that old ones go cheaply."""

    minute = IntegerField()
    host = TextField()
    container_name = TextField()
    service = TextField()
    cpu_percent = FloatField(null=True)
    memory_bytes = IntegerField(null=True)
    memory_limit_bytes = IntegerField(null=True)
    network_received_bytes = IntegerField(null=True)
    network_sent_bytes = IntegerField(null=True)
    disk_read_bytes = IntegerField(null=True)
    disk_written_bytes = IntegerField(null=True)
    processes = IntegerField(null=True)
    gpu_memory_bytes = IntegerField(null=True)
    gpu_percent = FloatField(null=True)

    class Meta:
        """Peewee's settings."""

        primary_key = CompositeKey("minute", "host", "container_name")
        without_rowid = True


def up(database: SqliteDatabase) -> None:
    """A table more."""
    with database.bind_ctx([Samples]):
        database.create_tables([Samples])
