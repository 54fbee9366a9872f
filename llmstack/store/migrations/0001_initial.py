"""Models, runs, events and health."""

from __future__ import annotations

from peewee import BooleanField, FloatField, ForeignKeyField, IntegerField, Model, SqliteDatabase, TextField


class Models(Model):
    """As of schema 1."""

    name = TextField()
    host = TextField()
    container_name = TextField()
    service = TextField(null=True)
    stack = TextField(null=True)
    engine = TextField(null=True)
    state = TextField()
    status = TextField()
    port = IntegerField(null=True)
    url = TextField(null=True)
    installed_version = TextField(null=True)
    stopped_on_purpose = BooleanField(null=True)
    last_updated = FloatField()
    created_at = FloatField()


class Runs(Model):
    """As of schema 1."""

    task = TextField()
    command = TextField()
    started_at = FloatField()
    ended_at = FloatField(null=True)
    ms = FloatField(null=True)
    exit_code = IntegerField(null=True)
    items = TextField(null=True)


class Events(Model):
    """As of schema 1."""

    run = ForeignKeyField(Runs, null=True, column_name="run_id", on_delete="CASCADE")
    ts = FloatField(index=True)
    type = TextField()
    task = TextField()
    target = TextField(null=True)
    host = TextField(null=True)
    kind = TextField(null=True)
    message = TextField()
    data = TextField()


class Health(Model):
    """As of schema 1."""

    climb = IntegerField(index=True)
    at = FloatField(index=True)
    target = TextField()
    host = TextField()
    kind = TextField()
    container_name = TextField()
    rung = TextField()
    ok = BooleanField(null=True)
    ms = FloatField()
    detail = TextField()
    first_token_ms = FloatField(null=True)
    tokens = IntegerField(null=True)
    tokens_per_s = FloatField(null=True)
    clock = TextField(null=True)
    why = TextField(null=True)


Models.add_index(Models.host, Models.container_name, Models.name, unique=True)
Health.add_index(Health.target, Health.host, Health.kind, Health.climb)


def up(database: SqliteDatabase) -> None:
    """From an empty file to schema 1."""
    tables = [Models, Runs, Events, Health]
    with database.bind_ctx(tables):
        database.create_tables(tables)
