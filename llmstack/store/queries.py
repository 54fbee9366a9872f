"""Questions to the tables that several verbs of the store share; a rule is one of Peewee's expressions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peewee import SqliteDatabase, fn

from llmstack.domain.target import Target
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


def is_of(record: Any, target: Target) -> Any:
    """The rows of a target."""
    rule = (record.target == target.name) & (record.host == target.host)
    return rule & (record.kind == target.kind.value)


def forget(sqlite: SqliteDatabase, last: int) -> None:
    """Runs up to `last` go, with their events, and events and health from before the oldest that stays."""
    if last < 1:
        return
    RunRecord.delete().where(RunRecord.id <= last).execute(sqlite)
    oldest = RunRecord.select(fn.MIN(RunRecord.started_at))
    HealthRecord.delete().where(HealthRecord.at < oldest).execute(sqlite)
    EventRecord.delete().where(EventRecord.run.is_null() & (EventRecord.ts < oldest)).execute(sqlite)
