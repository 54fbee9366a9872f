"""The store: what llmstack remembers of models, runs, events and health."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

from peewee import fn

from llmstack.domain.event import Event, EventType
from llmstack.domain.instance import Instance, State
from llmstack.domain.ladder import Ladder
from llmstack.domain.outcome import RunResult
from llmstack.domain.stored import StoredLadder, StoredModel, StoredRun, StoredVersion
from llmstack.domain.target import Target, TargetKind
from llmstack.domain.who import Who, who
from llmstack.errors import UsageError
from llmstack.store import place, plain, rows, upkeep
from llmstack.store.database import Database
from llmstack.store.measures import WithMeasures
from llmstack.store.migrate import bring_up, check_header
from llmstack.store.queries import KEY, begun, forget, has_key, in_container, is_of, key_of, merge, select_models
from llmstack.store.records import EventRecord, HealthRecord, ModelRecord, RunRecord, VersionRecord

KEPT_RUNS = 1000
"""Older runs go, with their events and the health of their time."""
LOOK_EVERY, RUN_S = 50, 3600.0


def open_store(
    path: str | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    now: Callable[[], float] = time.time,
    who: Callable[[], Who] = who,
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
    return Store(database, notice, now, who)


class Store(upkeep.Upkeep, WithMeasures):
    """Implements `protocols.Ledger`, and the questions that go with it. Any thread may use it; every method raises
    StoreError. `notice` is a sentence for the user about the store's place, or None."""

    def __init__(
        self,
        database: Database,
        notice: str | None = None,
        now: Callable[[], float] = time.time,
        who: Callable[[], Who] = who,
    ) -> None:
        super().__init__(database)
        self._now, self._who = now, who
        self.notice = notice

    # What runs tell

    def begin_run(self, task: str, command: str) -> str:
        """Note that a run starts, and who runs it; returns its id. Fails when there is no room for what the run will
        note, so a run that calls it first finds out before it changes anything."""
        place.check_room(self.path)
        facts = {"task": task, "command": command, "started_at": self._now(), **asdict(self._who())}
        with self._database.write() as sqlite:
            run_id: int = RunRecord.insert(facts).execute(sqlite)
            forget(sqlite, run_id - KEPT_RUNS)
            upkeep.thin_out(sqlite)
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
            event_id = EventRecord.insert(row).execute(sqlite)
            if run_id is None and event_id % LOOK_EVERY == 0:  # who watches begins no runs
                upkeep.thin_out(sqlite)

    def climbed(self, ladder: Ladder, container_name: str, *, started_spec: str | None = None) -> None:
        """Keep the figures of a ladder; `started_spec` is the digest of the spec when it was that of a start which came
        to its end."""
        common = {"at": self._now(), "container_name": container_name, "started_spec": started_spec}
        with self._database.write() as sqlite:
            climb = (HealthRecord.select(fn.MAX(HealthRecord.climb)).scalar(sqlite) or 0) + 1
            if found := rows.rows_of_ladder(ladder, **common, climb=climb):
                HealthRecord.insert_many(found).execute(sqlite)

    def proved(self, version: StoredVersion) -> None:
        """Note that a version was proved ready just now; its times are the store's to set."""
        row, now = rows.row_of_version(version), self._now()
        known = is_of(VersionRecord, version.target) & (VersionRecord.digest == version.digest)
        with self._database.write() as sqlite:
            if not VersionRecord.update({**row, "ready_at": now}).where(known).execute(sqlite):
                VersionRecord.insert({**row, "installed_at": now, "ready_at": now}).execute(sqlite)

    def versions(self, target: Target) -> tuple[StoredVersion, ...]:
        """The versions of a target that were proved ready, the last one first."""
        query = VersionRecord.select().where(is_of(VersionRecord, target)).order_by(VersionRecord.ready_at.desc())
        with self._database.read() as sqlite:
            return tuple(map(rows.version_of, query.dicts().execute(sqlite)))

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
                names |= {
                    row["name"] for row in select_models(in_container(instance.container_name, instance.host), sqlite)
                }
            for name in sorted(names):
                merge(sqlite, (instance.host, instance.container_name, name), facts, self._now())

    def gone(self, target: Target, container_name: str, *, on_purpose: bool | None = None) -> None:
        """The instance (or, for a target that is a model, that one model in it) is no longer there: its rows become
        inactive. Whether it went on purpose is None where it stays as it was known of one that was stopped before;
        what is known to be gone already was told by who removed it."""
        rule = in_container(container_name, target.host)
        if target.kind is TargetKind.MODEL:
            rule &= ModelRecord.name == target.name
        absent = rows.row_of_state(State.ABSENT)
        with self._database.write() as sqlite:
            for row in select_models(rule, sqlite):
                stays = row["state"] == State.ABSENT or (on_purpose is None and row["status"] != "active")
                purpose = on_purpose or (row["stopped_on_purpose"] if stays else None)
                merge(sqlite, key_of(row), {**absent, "stopped_on_purpose": purpose}, self._now())

    # Models

    def models(self) -> tuple[StoredModel, ...]:
        """All models, by host, container and name."""
        with self._database.read() as sqlite:
            return tuple(map(rows.model_of, select_models(None, sqlite)))

    @contextmanager
    def turn(self) -> Iterator[tuple[StoredModel, ...]]:
        """All models, while nobody else may write: for who must know that they are as they were."""
        with self._database.write():
            yield self.models()

    def active_models(self) -> tuple[StoredModel, ...]:
        """The models that were ready (or degraded) when last seen."""
        with self._database.read() as sqlite:
            return tuple(map(rows.model_of, select_models(ModelRecord.status == "active", sqlite)))

    def model(self, host: str, container_name: str, name: str) -> StoredModel | None:
        """One model by its key."""
        with self._database.read() as sqlite:
            found = select_models(has_key((host, container_name, name)), sqlite)
        return rows.model_of(found[0]) if found else None

    def upsert_model(self, model: StoredModel) -> StoredModel:
        """Create or overwrite the row of a model; returns it with its times, which are the store's to set."""
        facts = rows.row_of_model(model)
        for column in (*KEY, "last_updated", "created_at"):
            del facts[column]
        key = (model.host, model.container_name, model.name)
        with self._database.write() as sqlite:
            merge(sqlite, key, facts, self._now())
            return rows.model_of(select_models(has_key(key), sqlite)[0])

    def delete_model(self, host: str, container_name: str, name: str) -> bool:
        """Forget a model; whether it was known."""
        with self._database.write() as sqlite:
            return bool(ModelRecord.delete().where(has_key((host, container_name, name))).execute(sqlite))

    def set_status(self, container_name: str, status: str, host: str | None = None) -> int:
        """Make the models of a container `active` or `inactive` (on every host that has one of that name when `host` is
        None); returns how many there are. Raises UsageError for another word."""
        if status not in ("active", "inactive"):
            raise UsageError(f"no status '{status}'", "it is 'active' or 'inactive'")
        state = State.READY if status == "active" else State.STOPPED
        facts = {**rows.row_of_state(state), "stopped_on_purpose": None}
        with self._database.write() as sqlite:
            found = select_models(in_container(container_name, host), sqlite)
            for row in found:
                if row["status"] != status:
                    merge(sqlite, key_of(row), facts, self._now())
        return len(found)

    def set_version(self, container_name: str, version: str | None, host: str | None = None) -> int:
        """Note the installed version of a container's models; returns how many there are."""
        with self._database.write() as sqlite:
            found = select_models(in_container(container_name, host), sqlite)
            for row in found:
                merge(sqlite, key_of(row), {"installed_version": version}, self._now())
        return len(found)

    # Runs, events, health

    def runs(self, limit: int | None = 20, names: Collection[str] = ()) -> tuple[StoredRun, ...]:
        """The last runs, newest first; with `names` those that worked on a model or service of such a name (or
        `name@host`), and of each only what it did with them."""
        with self._database.read() as sqlite:
            found = RunRecord.select().order_by(RunRecord.id.desc()).dicts().iterator(sqlite)
            runs = (self._run_of(row, names) for row in found)
            return tuple(islice((run for run in runs if run.items or not names), limit))

    def at_work(self, host: str, since: float) -> StoredRun | None:
        """The run that changes things on a host at the moment, or did `since`, by what it has told so far; one that was
        killed counts for an hour."""
        there = EventRecord.select(EventRecord.run).where(EventRecord.host == host)
        recent = RunRecord.ended_at.is_null() & (RunRecord.started_at > self._now() - RUN_S)
        recent |= RunRecord.ended_at > since
        query = RunRecord.select().where(recent & RunRecord.id.in_(there)).order_by(RunRecord.id.desc()).limit(1)
        with self._database.read() as sqlite:
            found = list(query.dicts().execute(sqlite))
        return rows.run_of(found[0]) if found else None

    def run(self, run_id: str) -> StoredRun | None:
        """One run."""
        if not run_id.isdecimal():
            return None
        with self._database.read() as sqlite:
            found = list(RunRecord.select().where(RunRecord.id == int(run_id)).dicts().execute(sqlite))
        return self._run_of(found[0]) if found else None

    def _run_of(self, row: Mapping[str, Any], names: Collection[str] = ()) -> StoredRun:
        run, wanted = rows.run_of(row), set(names)
        items = run.items if run.ended_at else rows.items_of(self.events(run.id))
        if wanted:
            items = tuple(item for item in items if wanted & {item["name"], item["target"]})
        return replace(run, items=items)

    def events(self, run_id: str) -> tuple[Event, ...]:
        """What happened in a run, in order."""
        if not run_id.isdecimal():
            return ()
        query = EventRecord.select().where(EventRecord.run == int(run_id)).order_by(EventRecord.id)
        with self._database.read() as sqlite:
            return tuple(map(rows.event_of, query.dicts().execute(sqlite)))

    def last_ladder(self, target: Target) -> StoredLadder | None:
        """The last climb of a target."""
        return self._last_climb(is_of(HealthRecord, target))

    def begun(self) -> frozenset[Target]:
        """What was started or fetched last, and nobody waited for its answer."""
        with self._database.read() as sqlite:
            return begun(sqlite)

    def start_s(self, target: Target, spec_digest: str) -> float | None:
        """Seconds that the last start of a target took, of this spec where there was one, else of any."""
        starts = is_of(HealthRecord, target) & HealthRecord.started_spec.is_null(False)
        last = self._last_climb(starts & (HealthRecord.started_spec == spec_digest)) or self._last_climb(starts)
        return last.ladder.start_s if last else None

    def _last_climb(self, rule: Any) -> StoredLadder | None:
        last = HealthRecord.select(fn.MAX(HealthRecord.climb)).where(rule)
        query = HealthRecord.select().where(HealthRecord.climb == last).order_by(HealthRecord.id)
        with self._database.read() as sqlite:
            found = list(query.dicts().execute(sqlite))
        return rows.ladder_of(found) if found else None
