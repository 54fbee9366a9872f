"""The most memory that a model was seen to take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from peewee import CompositeKey, FloatField, IntegerField, Model, SqliteDatabase, fn

from llmstack.domain.measured import Peak
from llmstack.domain.usage import StatsRow
from llmstack.store.records import Text

KEY = ("image", "model", "context", "gpu_kind")
FIGURES = ("memory_bytes", "gpu_bytes")


class PeakRecord(Model):
    """By image, model file, context and kind of GPU; `host` and `container_name` are of the last one that ran so."""

    image = Text()
    model = Text()
    context = IntegerField()
    gpu_kind = Text()
    host = Text()
    container_name = Text()
    memory_bytes = IntegerField(null=True)
    gpu_bytes = IntegerField(null=True)
    at = FloatField()

    class Meta:
        """Peewee's settings."""

        table_name = "peaks"
        primary_key = CompositeKey("image", "model", "context", "gpu_kind")
        without_rowid = True


def keep(sqlite: SqliteDatabase, peak: Peak, at: float) -> None:
    """Keep the higher of what is known and what was measured now."""
    known = find(sqlite, peak.image, peak.model, peak.context, peak.gpu_kind)
    row = {**asdict(peak), "at": at}
    for name in FIGURES if known else ():
        row[name] = max(filter(None, (row[name], getattr(known, name))), default=None)
    PeakRecord.insert(row).on_conflict_replace().execute(sqlite)


def raise_to(sqlite: SqliteDatabase, rows: Iterable[StatsRow]) -> None:
    """Whatever an instance takes later counts for what it was started as."""
    for row in rows:
        mine = (PeakRecord.host == row.host) & (PeakRecord.container_name == row.container_name)
        last = PeakRecord.select(fn.MAX(PeakRecord.at)).where(mine)
        usage = {"memory_bytes": row.usage.memory_bytes, "gpu_bytes": row.usage.gpu_memory_bytes}
        for name, value in usage.items():
            column = getattr(PeakRecord, name)
            if value:
                more = column.is_null() | (column < value)
                PeakRecord.update({name: value}).where(mine, PeakRecord.at == last, more).execute(sqlite)


def find(sqlite: SqliteDatabase, image: str, model: str, context: int, gpu_kind: str) -> Peak | None:
    """What was measured of just that."""
    key = zip(KEY, (image, model, context, gpu_kind), strict=True)
    query = PeakRecord.select().where(*(getattr(PeakRecord, name) == value for name, value in key))
    for row in query.dicts().execute(sqlite):
        del row["at"]
        return Peak(**row)
    return None
