"""Questions to the tables that several verbs of the store share; a rule is one of Peewee's expressions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peewee import SqliteDatabase, fn

from llmstack.domain.ladder import Rung
from llmstack.domain.target import Target, TargetKind
from llmstack.store.records import EventRecord, HealthRecord, ModelRecord, RunRecord

KEY = ("host", "container_name", "name")
Key = tuple[str, str, str]


def select_models(rule: Any, sqlite: SqliteDatabase) -> list[dict[str, Any]]:
    """The rows of models that a rule lets through (all, when it is None), by host, container and name."""
    query = ModelRecord.select().order_by(ModelRecord.host, ModelRecord.container_name, ModelRecord.name)
    return list((query if rule is None else query.where(rule)).dicts().execute(sqlite))


def in_container(container_name: str, host: str | None) -> Any:
    """The models of a container, on every host when `host` is None."""
    rule = ModelRecord.container_name == container_name
    return rule if host is None else rule & (ModelRecord.host == host)


def has_key(key: Key) -> Any:
    """One model."""
    host, container_name, name = key
    return in_container(container_name, host) & (ModelRecord.name == name)


def key_of(row: Mapping[str, Any]) -> Key:
    """The key of a model's row."""
    return row["host"], row["container_name"], row["name"]


def merge(sqlite: SqliteDatabase, key: Key, facts: Mapping[str, object], now: float) -> None:
    """Write what differs of a model, a new row where it has none."""
    found = select_models(has_key(key), sqlite)
    if not found:
        names = dict(zip(KEY, key, strict=True))
        ModelRecord.insert({**facts, **names, "created_at": now, "last_updated": now}).execute(sqlite)
    elif any(found[0][name] != facts[name] for name in facts):
        ModelRecord.update({**facts, "last_updated": now}).where(has_key(key)).execute(sqlite)


def is_of(record: Any, target: Target) -> Any:
    """The rows of a target."""
    rule = (record.target == target.name) & (record.host == target.host)
    return rule & (record.kind == target.kind.value)


def begun(sqlite: SqliteDatabase) -> frozenset[Target]:
    """Targets whose last climb ended well below an answer: nobody waited for it."""
    of = (HealthRecord.target, HealthRecord.host, HealthRecord.kind)
    last = HealthRecord.select(fn.MAX(HealthRecord.climb)).group_by(*of)
    tops = HealthRecord.select(*of, HealthRecord.rung, HealthRecord.ok, fn.MAX(HealthRecord.id))
    found = tops.where(HealthRecord.climb.in_(last)).group_by(*of).dicts().execute(sqlite)
    low = (row for row in found if row["ok"] and row["rung"] in (Rung.RUNNING, Rung.WEIGHTS))
    return frozenset(Target(row["target"], row["host"], TargetKind(row["kind"])) for row in low)


def forget(sqlite: SqliteDatabase, last: int) -> None:
    """Runs up to `last` go, with their events, and events and health from before the oldest that stays."""
    if last < 1:
        return
    RunRecord.delete().where(RunRecord.id <= last).execute(sqlite)
    oldest = RunRecord.select(fn.MIN(RunRecord.started_at))
    HealthRecord.delete().where(HealthRecord.at < oldest).execute(sqlite)
    EventRecord.delete().where(EventRecord.run.is_null() & (EventRecord.ts < oldest)).execute(sqlite)
