"""What instances used, one sample a minute for a week, and the most memory that a model was seen to take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

from peewee import CompositeKey, FloatField, IntegerField, Model, SqliteDatabase, fn

from llmstack.domain.measured import Peak, StoredSample
from llmstack.domain.usage import StatsRow, Usage
from llmstack.store.database import Database
from llmstack.store.records import Text

MINUTE_S, KEPT_MINUTES = 60, 7 * 24 * 60
MEASURED = tuple(field.name for field in fields(Usage))
KEY = ("image", "model", "context", "gpu_kind")
FIGURES = ("memory_bytes", "gpu_bytes")


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


class WithMeasures:
    """Samples and peaks; every method raises StoreError."""

    _database: Database
    _now: Callable[[], float]

    def keep_samples(self, rows: Sequence[StatsRow]) -> None:
        """Keep what was measured now, unless something of that minute is there; what is older than a week goes. What is
        more than was ever seen of a model stays."""
        minute = int(self._now() // MINUTE_S)
        found = [_row_of(row, minute) for row in rows]
        with self._database.write() as sqlite:
            if found:
                SampleRecord.insert_many(found).on_conflict_ignore().execute(sqlite)
            _raise_to(sqlite, rows)
            SampleRecord.delete().where(SampleRecord.minute < minute - KEPT_MINUTES).execute(sqlite)

    def samples(self) -> tuple[StoredSample, ...]:
        """Everything that is kept of what was measured, by instance, oldest first."""
        order = (SampleRecord.host, SampleRecord.service, SampleRecord.container_name, SampleRecord.minute)
        with self._database.read() as sqlite:
            return tuple(map(_sample_of, SampleRecord.select().order_by(*order).dicts().execute(sqlite)))

    def keep_peak(self, peak: Peak) -> None:
        """Keep the higher of what is known and what was measured now."""
        row = {**asdict(peak), "at": self._now()}
        with self._database.write() as sqlite:
            known = self.peak(peak.image, peak.model, peak.context, peak.gpu_kind)
            for name in FIGURES if known else ():
                row[name] = max(filter(None, (row[name], getattr(known, name))), default=None)
            PeakRecord.insert(row).on_conflict_replace().execute(sqlite)

    def peak(self, image: str, model: str, context: int, gpu_kind: str) -> Peak | None:
        """The most memory that was measured of just that."""
        key = zip(KEY, (image, model, context, gpu_kind), strict=True)
        query = PeakRecord.select().where(*(getattr(PeakRecord, name) == value for name, value in key))
        with self._database.read() as sqlite:
            for row in query.dicts().execute(sqlite):
                del row["at"]
                return Peak(**row)
        return None


def _raise_to(sqlite: SqliteDatabase, rows: Iterable[StatsRow]) -> None:
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
