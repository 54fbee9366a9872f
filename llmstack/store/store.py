"""The store: what llmstack remembers of models, runs, events and health."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from peewee import SqliteDatabase, fn

from llmstack.domain.event import Event, EventType
from llmstack.domain.instance import Instance, State
from llmstack.domain.ladder import Ladder
from llmstack.domain.outcome import RunResult
from llmstack.domain.stored import StoredLadder, StoredModel, StoredRun
from llmstack.domain.target import Target, TargetKind
from llmstack.errors import UsageError
from llmstack.store import place, plain, rows
from llmstack.store.database import Database
from llmstack.store.migrate import bring_up, check_header
from llmstack.store.records import EventRecord, HealthRecord, ModelRecord, RunRecord

KEPT_RUNS = 1000
"""Older runs go, with their events and the health of their time."""

KEY = ("host", "container_name", "name")
Key = tuple[str, str, str]


def open_store(
    path: str | None = None, environ: Mapping[str, str] = os.environ, *, now: Callable[[], float] = time.time
) -> Store:
    """The store at `path`, else `LLMSTACK_STORE`, else in the user's data folder; made or migrated where need be.

    `:memory:` keeps nothing. Raises StoreError for a store that is damaged, full, held, not writable, or written by a
    newer llmstack; such a file is left as it is.
    """
    where = place.store_path(path, environ)
    network = None
    if where != place.MEMORY:
        check_header(where, place.header_of(where))
        network = place.network_kind(os.path.realpath(where), place.read_mounts())
    database = Database(where)
    try:
        bring_up(database, "delete" if network else "wal")
    except BaseException:
        database.close()
        raise
    notice = f"the store lies on a network file system ({network}): {where}; it works, but slower" if network else None
    return Store(database, notice, now)


class Store:
    """Implements `protocols.Ledger`, and the questions that go with it. Any thread may use it; every method raises
    StoreError. `notice` is a sentence for the user about the store's place, or None."""

    def __init__(self, database: Database, notice: str | None = None, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now
        self.notice = notice

    @property
    def path(self) -> str:
        """Its file, or `:memory:`."""
        return self._database.path

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What runs tell

    def begin_run(self, task: str, command: str) -> str:
        """Note that a run starts; returns its id. Fails when there is no room for what the run will note, so a run that
        calls it first finds out before it changes anything."""
        place.check_room(self.path)
        now = self._now()
        with self._database.write() as sqlite:
            run_id: int = RunRecord.insert(task=task, command=command, started_at=now).execute(sqlite)
            _forget(sqlite, run_id - KEPT_RUNS)
        return str(run_id)

    def end_run(self, run_id: str, result: RunResult) -> None:
        """Note what a run came to, with each outcome."""
        items = plain.dumps([outcome.as_json() for outcome in result.outcomes])
        facts = {"ended_at": self._now(), "ms": result.ms, "exit_code": result.exit_code, "items": items}
        with self._database.write() as sqlite:
            RunRecord.update(facts).where(RunRecord.id == int(run_id)).execute(sqlite)

    def record(self, run_id: str | None, event: Event) -> None:
        """Keep one event; progress is not kept, since the result tells what came of it."""
        if event.type is EventType.PROGRESS:
            return
        row = {**rows.row_of_event(event), "run": int(run_id) if run_id else None}
        with self._database.write() as sqlite:
            EventRecord.insert(row).execute(sqlite)

    def climbed(self, ladder: Ladder, container_name: str) -> None:
        """Keep the figures of a ladder."""
        found = rows.rows_of_ladder(ladder, container_name, self._now())
        with self._database.write() as sqlite:
            climb = (HealthRecord.select(fn.MAX(HealthRecord.climb)).scalar(sqlite) or 0) + 1
            if found:
                HealthRecord.insert_many([{**row, "climb": climb} for row in found]).execute(sqlite)

    def seen(
        self, instance: Instance, models: Iterable[str], version: str | None = None, url: str | None = None
    ) -> None:
        """Make the rows of an instance's models say what its state says; None keeps the version and url known before.

        An instance that runs no more takes all its rows with it, also those of models not named here.
        """
        facts = rows.row_of_instance(instance, version, url)
        names = set(models)
        with self._database.write() as sqlite:
            if not (instance.running or instance.state.active):
                names |= {row["name"] for row in _select(_of(instance.container_name, instance.host), sqlite)}
            for name in sorted(names):
                self._merge(sqlite, (instance.host, instance.container_name, name), facts, instance.started_at)

    def gone(self, target: Target, container_name: str) -> None:
        """The instance (or, for a target that is a model, that one model in it) is no longer there: its rows become
        inactive. Whether it went on purpose stays known where it was stopped before."""
        rule = _of(container_name, target.host)
        if target.kind is TargetKind.MODEL:
            rule &= ModelRecord.name == target.name
        absent = rows.row_of_state(State.ABSENT)
        with self._database.write() as sqlite:
            for row in _select(rule, sqlite):
                purpose = None if row["status"] == "active" else row["stopped_on_purpose"]
                self._merge(sqlite, _key_of(row), {**absent, "stopped_on_purpose": purpose})

    # Models

    def models(self) -> tuple[StoredModel, ...]:
        """All models, by host, container and name."""
        with self._database.read() as sqlite:
            return tuple(map(rows.model_of, _select(None, sqlite)))

    def active_models(self) -> tuple[StoredModel, ...]:
        """The models that were ready (or degraded) when last seen."""
        with self._database.read() as sqlite:
            return tuple(map(rows.model_of, _select(ModelRecord.status == "active", sqlite)))

    def model(self, host: str, container_name: str, name: str) -> StoredModel | None:
        """One model by its key."""
        with self._database.read() as sqlite:
            found = _select(_is((host, container_name, name)), sqlite)
        return rows.model_of(found[0]) if found else None

    def upsert_model(self, model: StoredModel) -> StoredModel:
        """Create or overwrite the row of a model; returns it with its times, which are the store's to set."""
        facts = rows.row_of_model(model)
        for column in (*KEY, "last_updated", "created_at"):
            del facts[column]
        key = (model.host, model.container_name, model.name)
        with self._database.write() as sqlite:
            self._merge(sqlite, key, facts)
            return rows.model_of(_select(_is(key), sqlite)[0])

    def delete_model(self, host: str, container_name: str, name: str) -> bool:
        """Forget a model; whether it was known."""
        with self._database.write() as sqlite:
            return bool(ModelRecord.delete().where(_is((host, container_name, name))).execute(sqlite))

    def set_status(self, container_name: str, status: str, host: str | None = None) -> int:
        """Make the models of a container `active` or `inactive` (on every host that has one of that name when `host` is
        None); returns how many there are. Raises UsageError for another word."""
        if status not in ("active", "inactive"):
            raise UsageError(f"no status '{status}'", "it is 'active' or 'inactive'")
        state = State.READY if status == "active" else State.STOPPED
        facts = {**rows.row_of_state(state), "stopped_on_purpose": None}
        with self._database.write() as sqlite:
            found = _select(_of(container_name, host), sqlite)
            for row in found:
                if row["status"] != status:
                    self._merge(sqlite, _key_of(row), facts)
        return len(found)

    def set_version(self, container_name: str, version: str | None, host: str | None = None) -> int:
        """Note the installed version of a container's models; returns how many there are."""
        with self._database.write() as sqlite:
            found = _select(_of(container_name, host), sqlite)
            for row in found:
                self._merge(sqlite, _key_of(row), {"installed_version": version})
        return len(found)

    # Runs, events, health

    def runs(self, limit: int = 20) -> tuple[StoredRun, ...]:
        """The last runs, newest first."""
        with self._database.read() as sqlite:
            found = RunRecord.select().order_by(RunRecord.id.desc()).limit(limit).dicts().execute(sqlite)
            return tuple(map(rows.run_of, found))

    def run(self, run_id: str) -> StoredRun | None:
        """One run."""
        if not run_id.isdecimal():
            return None
        with self._database.read() as sqlite:
            found = list(RunRecord.select().where(RunRecord.id == int(run_id)).dicts().execute(sqlite))
        return rows.run_of(found[0]) if found else None

    def events(self, run_id: str) -> tuple[Event, ...]:
        """What happened in a run, in order."""
        if not run_id.isdecimal():
            return ()
        query = EventRecord.select().where(EventRecord.run == int(run_id)).order_by(EventRecord.id)
        with self._database.read() as sqlite:
            return tuple(map(rows.event_of, query.dicts().execute(sqlite)))

    def last_ladder(self, target: Target) -> StoredLadder | None:
        """The last climb of a target."""
        mine = (HealthRecord.target == target.name) & (HealthRecord.host == target.host)
        mine &= HealthRecord.kind == target.kind.value
        last = HealthRecord.select(fn.MAX(HealthRecord.climb)).where(mine)
        query = HealthRecord.select().where(HealthRecord.climb == last).order_by(HealthRecord.id)
        with self._database.read() as sqlite:
            found = list(query.dicts().execute(sqlite))
        return rows.ladder_of(found) if found else None

    def _merge(
        self, sqlite: SqliteDatabase, key: Key, facts: Mapping[str, object], started_at: float | None = None
    ) -> None:
        """Write what differs; that it was started since is a difference too."""
        found = _select(_is(key), sqlite)
        now = self._now()
        if not found:
            names = dict(zip(KEY, key, strict=True))
            ModelRecord.insert({**facts, **names, "created_at": now, "last_updated": now}).execute(sqlite)
        elif (started_at or 0) > found[0]["last_updated"] or any(found[0][name] != facts[name] for name in facts):
            ModelRecord.update({**facts, "last_updated": now}).where(_is(key)).execute(sqlite)


def _select(rule: Any, sqlite: SqliteDatabase) -> list[dict[str, Any]]:
    query = ModelRecord.select().order_by(ModelRecord.host, ModelRecord.container_name, ModelRecord.name)
    return list((query if rule is None else query.where(rule)).dicts().execute(sqlite))


def _of(container_name: str, host: str | None) -> Any:
    rule = ModelRecord.container_name == container_name
    return rule if host is None else rule & (ModelRecord.host == host)


def _is(key: Key) -> Any:
    host, container_name, name = key
    return _of(container_name, host) & (ModelRecord.name == name)


def _key_of(row: Mapping[str, Any]) -> Key:
    return row["host"], row["container_name"], row["name"]


def _forget(sqlite: SqliteDatabase, last: int) -> None:
    """Runs up to `last` go, with their events, and events and health from before the oldest that stays."""
    if last < 1:
        return
    RunRecord.delete().where(RunRecord.id <= last).execute(sqlite)
    oldest = RunRecord.select(fn.MIN(RunRecord.started_at))
    HealthRecord.delete().where(HealthRecord.at < oldest).execute(sqlite)
    EventRecord.delete().where(EventRecord.run.is_null() & (EventRecord.ts < oldest)).execute(sqlite)
