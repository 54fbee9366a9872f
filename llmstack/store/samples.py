"""What instances used, one sample a minute for a week."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

from peewee import CompositeKey, FloatField, IntegerField, Model, SqliteDatabase

from llmstack.domain.measured import StoredSample
from llmstack.domain.usage import StatsRow, Usage
from llmstack.store import peaks
from llmstack.store.records import Text

MINUTE_S, KEPT_MINUTES = 60, 7 * 24 * 60
MEASURED = tuple(field.name for field in fields(Usage))


class SampleRecord(Model):
    """An instance in a minute, with every figure of `Usage`."""

    minute = IntegerField()
    host = Text()
    container_name = Text()
    service = Text()

    class Meta:
        """Peewee's settings."""

        table_name = "samples"
        primary_key = CompositeKey("minute", "host", "container_name")


for name in MEASURED:
    kind = FloatField if name.endswith("_percent") else IntegerField
    SampleRecord._meta.add_field(name, kind(null=True))


def keep(sqlite: SqliteDatabase, rows: Sequence[StatsRow], at: float) -> None:
    """Keep what was measured, unless something of that minute is there; what is older than a week goes. What is more
    than was ever seen of a model stays."""
    minute = int(at // MINUTE_S)
    found = [_row_of(row, minute) for row in rows]
    if found:
        SampleRecord.insert_many(found).on_conflict_ignore().execute(sqlite)
    peaks.raise_to(sqlite, rows)
    SampleRecord.delete().where(SampleRecord.minute < minute - KEPT_MINUTES).execute(sqlite)


def kept(sqlite: SqliteDatabase) -> Iterable[StoredSample]:
    """Every sample, by instance, oldest first."""
    order = (SampleRecord.host, SampleRecord.service, SampleRecord.container_name, SampleRecord.minute)
    return map(_sample_of, SampleRecord.select().order_by(*order).dicts().execute(sqlite))


def _row_of(row: StatsRow, minute: int) -> dict[str, object]:
    names = {"host": row.host, "container_name": row.container_name, "service": row.service}
    return {"minute": minute, **names, **asdict(row.usage)}


def _sample_of(row: dict[str, Any]) -> StoredSample:
    return StoredSample(
        at=float(row["minute"] * MINUTE_S),
        host=row["host"],
        service=row["service"],
        container_name=row["container_name"],
        usage=Usage(**{name: row[name] for name in MEASURED}),
    )
