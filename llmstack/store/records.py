"""Row classes; they stay inside this package, and each query names the database it runs on."""

from __future__ import annotations

from peewee import AutoField, BooleanField, FloatField, ForeignKeyField, IntegerField, Model, TextField

MAX_CHARS = 4000
"""Longer texts (a server's error page, an endless argument list) are cut."""


def clean(text: str) -> str:
    """`text` as SQLite can hold it: of finite length, and bytes that are no UTF-8 as question marks."""
    return text[:MAX_CHARS].encode("utf-8", "replace").decode("utf-8")


class Text(TextField):
    """Text from outside, cleaned on its way in."""

    def db_value(self, value: object) -> object:
        """Cleaned text; None stays None."""
        return clean(value) if isinstance(value, str) else value


class ModelRecord(Model):
    """A model as it was last seen."""

    id = AutoField()
    name = Text()
    host = Text()
    container_name = Text()
    service = Text(null=True)
    stack = Text(null=True)
    engine = Text(null=True)
    state = Text()
    status = Text()
    port = IntegerField(null=True)
    url = Text(null=True)
    installed_version = Text(null=True)
    stopped_on_purpose = BooleanField(null=True)
    container_id = Text(null=True)
    started_at = FloatField(null=True)
    ended_at = FloatField(null=True)
    restarts = IntegerField(null=True)
    out_of_memory = BooleanField(null=True)
    last_updated = FloatField()
    created_at = FloatField()

    class Meta:
        """Peewee's settings."""

        table_name = "models"


class RunRecord(Model):
    """A run of a task; `items` is JSON."""

    id = AutoField()
    task = Text()
    command = Text()
    started_at = FloatField()
    ended_at = FloatField(null=True)
    ms = FloatField(null=True)
    exit_code = IntegerField(null=True)
    items = TextField(null=True)
    user = Text(null=True)
    controller = Text(null=True)
    process = TextField(null=True)

    class Meta:
        """Peewee's settings."""

        table_name = "runs"


class EventRecord(Model):
    """Something that happened; `data` is JSON."""

    id = AutoField()
    run = ForeignKeyField(RunRecord, null=True, column_name="run_id")
    ts = FloatField()
    type = Text()
    task = Text()
    target = Text(null=True)
    host = Text(null=True)
    kind = Text(null=True)
    message = Text()
    data = TextField()

    class Meta:
        """Peewee's settings."""

        table_name = "events"


class HealthRecord(Model):
    """A rung of a climb; all rungs of one climb share `climb`. `why` is JSON, on the last rung of a failed climb;
    `started_spec` is set on all rungs of a start."""

    id = AutoField()
    climb = IntegerField()
    at = FloatField()
    target = Text()
    host = Text()
    kind = Text()
    container_name = Text()
    rung = Text()
    ok = BooleanField(null=True)
    ms = FloatField()
    detail = Text()
    first_token_ms = FloatField(null=True)
    tokens = IntegerField(null=True)
    tokens_per_s = FloatField(null=True)
    clock = Text(null=True)
    why = TextField(null=True)
    started_spec = Text(null=True)

    class Meta:
        """Peewee's settings."""

        table_name = "health"


class VersionRecord(Model):
    """A version of a target that was proved ready."""

    id = AutoField()
    target = Text()
    host = Text()
    kind = Text()
    source = Text()
    digest = Text()
    version = Text(null=True)
    installed_at = FloatField()
    ready_at = FloatField()

    class Meta:
        """Peewee's settings."""

        table_name = "versions"
