"""Schemas: made, migrated, refused."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing

import pytest

from llmstack.domain.target import Target
from llmstack.errors import StoreError
from llmstack.store import migrate, open_store, records
from llmstack.store.database import Database

SCHEMA_1 = """
PRAGMA application_id = 1819045235; PRAGMA user_version = 1;
CREATE TABLE "models" ("id" INTEGER NOT NULL PRIMARY KEY, "name" TEXT NOT NULL, "host" TEXT NOT NULL,
  "container_name" TEXT NOT NULL, "service" TEXT, "stack" TEXT, "engine" TEXT, "state" TEXT NOT NULL,
  "status" TEXT NOT NULL, "port" INTEGER, "url" TEXT, "installed_version" TEXT, "stopped_on_purpose" INTEGER,
  "last_updated" REAL NOT NULL, "created_at" REAL NOT NULL);
CREATE UNIQUE INDEX "models_host_container_name_name" ON "models" ("host", "container_name", "name");
CREATE TABLE "runs" ("id" INTEGER NOT NULL PRIMARY KEY, "task" TEXT NOT NULL, "command" TEXT NOT NULL,
  "started_at" REAL NOT NULL, "ended_at" REAL, "ms" REAL, "exit_code" INTEGER, "items" TEXT);
CREATE TABLE "events" ("id" INTEGER NOT NULL PRIMARY KEY, "run_id" INTEGER, "ts" REAL NOT NULL, "type" TEXT NOT NULL,
  "task" TEXT NOT NULL, "target" TEXT, "host" TEXT, "kind" TEXT, "message" TEXT NOT NULL, "data" TEXT NOT NULL,
  FOREIGN KEY ("run_id") REFERENCES "runs" ("id") ON DELETE CASCADE);
CREATE INDEX "events_run_id" ON "events" ("run_id");
CREATE INDEX "events_ts" ON "events" ("ts");
CREATE TABLE "health" ("id" INTEGER NOT NULL PRIMARY KEY, "climb" INTEGER NOT NULL, "at" REAL NOT NULL,
  "target" TEXT NOT NULL, "host" TEXT NOT NULL, "kind" TEXT NOT NULL, "container_name" TEXT NOT NULL,
  "rung" TEXT NOT NULL, "ok" INTEGER, "ms" REAL NOT NULL, "detail" TEXT NOT NULL, "first_token_ms" REAL,
  "tokens" INTEGER, "tokens_per_s" REAL, "clock" TEXT, "why" TEXT);
CREATE INDEX "health_climb" ON "health" ("climb");
CREATE INDEX "health_at" ON "health" ("at");
CREATE INDEX "health_target_host_kind_climb" ON "health" ("target", "host", "kind", "climb");
INSERT INTO models VALUES (1, 'demo', 'localhost', 'llmstack-lab-demo', 'demo', 'lab', 'process', 'ready', 'active',
  8080, 'http://127.0.0.1:8080', '0.5.0', NULL, 1700000001.5, 1700000000.5);
INSERT INTO runs VALUES (1, 'up', 'invoke up', 1700000000.0, 1700000001.5, 1500.0, 0, '[{"status": "changed"}]');
"""
"""A store as schema 1 made it, written down and never to be changed."""

NEWEST = (
    SCHEMA_1
    + """
PRAGMA user_version = 2;
ALTER TABLE "runs" ADD COLUMN "user" TEXT; ALTER TABLE "runs" ADD COLUMN "controller" TEXT;
ALTER TABLE "health" ADD COLUMN "started_spec" TEXT;
PRAGMA user_version = 3;
ALTER TABLE "models" ADD COLUMN "container_id" TEXT; ALTER TABLE "models" ADD COLUMN "started_at" REAL;
ALTER TABLE "models" ADD COLUMN "ended_at" REAL; ALTER TABLE "models" ADD COLUMN "restarts" INTEGER;
ALTER TABLE "models" ADD COLUMN "out_of_memory" SMALLINT;
PRAGMA user_version = 4;
CREATE TABLE "versions" ("id" INTEGER NOT NULL PRIMARY KEY, "target" TEXT NOT NULL, "host" TEXT NOT NULL,
  "kind" TEXT NOT NULL, "source" TEXT NOT NULL, "digest" TEXT NOT NULL, "version" TEXT, "installed_at" REAL NOT NULL,
  "ready_at" REAL NOT NULL);
CREATE UNIQUE INDEX "versions_target_host_kind_digest" ON "versions" ("target", "host", "kind", "digest");
PRAGMA user_version = 5;
CREATE TABLE "samples" ("minute" INTEGER NOT NULL, "host" TEXT NOT NULL, "container_name" TEXT NOT NULL,
  "service" TEXT NOT NULL, "cpu_percent" REAL, "memory_bytes" INTEGER, "memory_limit_bytes" INTEGER,
  "network_received_bytes" INTEGER, "network_sent_bytes" INTEGER, "disk_read_bytes" INTEGER,
  "disk_written_bytes" INTEGER, "processes" INTEGER, "gpu_memory_bytes" INTEGER, "gpu_percent" REAL,
  PRIMARY KEY ("minute", "host", "container_name")) WITHOUT ROWID;
PRAGMA user_version = 6;
ALTER TABLE "runs" ADD COLUMN "process" TEXT;
PRAGMA user_version = 7;
CREATE TABLE "peaks" ("image" TEXT NOT NULL, "model" TEXT NOT NULL, "context" INTEGER NOT NULL,
  "gpu_kind" TEXT NOT NULL, "host" TEXT NOT NULL, "container_name" TEXT NOT NULL, "memory_bytes" INTEGER,
  "gpu_bytes" INTEGER, "at" REAL NOT NULL, PRIMARY KEY ("image", "model", "context", "gpu_kind")) WITHOUT ROWID;
"""
)


def make(path, script):
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def shape(path):
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
    return {name: "".join(sql.replace("IF NOT EXISTS", "").split()) for name, sql in found}


ADD_NOTE = 'ALTER TABLE "models" ADD COLUMN "note" TEXT'
FAIL = 'DROP TABLE "models"; boom'


@pytest.fixture
def steps():
    return [*migrate._load(), ADD_NOTE]


def test_the_schema_number_is_that_of_the_last_step():
    assert len(migrate._load()) == migrate.SCHEMA


def test_an_empty_file_becomes_a_store(path):
    path.parent.mkdir()
    path.touch()
    with open_store(str(path), {}) as store:
        assert store.models() == ()
    assert path.read_bytes().startswith(b"SQLite format 3\0")


def test_a_fresh_store_has_the_shape_that_was_written_down(path, tmp_path):
    open_store(str(path), {}).close()
    make(tmp_path / "frozen.db", NEWEST)
    assert shape(path) == shape(tmp_path / "frozen.db")


def test_a_store_of_schema_1_is_read_and_written(path):
    make(path, SCHEMA_1)
    with open_store(str(path), {}) as store:
        (model,) = store.active_models()
        assert (model.name, model.url, model.installed_version) == ("demo", "http://127.0.0.1:8080", "0.5.0")
        old = store.run("1")
        assert (old.exit_code, old.items, old.user, old.controller) == (0, ({"status": "changed"},), None, None)
        assert store.begin_run("up", "") == "2"
    make(path.with_name("frozen.db"), NEWEST)
    assert shape(path) == shape(path.with_name("frozen.db"))


def test_a_climb_of_before_it_was_known_what_was_started_is_no_start(path):
    make(path, SCHEMA_1)
    demo = Target("demo", "localhost")
    with closing(sqlite3.connect(path)) as connection, connection:
        columns = "climb, at, target, host, kind, container_name, rung, ok, ms, detail"
        values = "1, 5.0, 'demo', 'localhost', 'service', 'box', 'created', 1, 20.0, ''"
        connection.execute(f"INSERT INTO health ({columns}) VALUES ({values})")
    with open_store(str(path), {}) as store:
        assert store.last_ladder(demo).at == 5.0
        assert store.start_s(demo, "") is None


@pytest.mark.parametrize("record", [getattr(records, name) for name in dir(records) if name.endswith("Record")])
def test_the_records_name_the_columns_that_the_steps_make(path, record):
    open_store(str(path), {}).close()
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(f"PRAGMA table_info({record._meta.table_name})").fetchall()
    columns = {name: bool(not_null) for _, name, _, not_null, _, _ in found}
    assert columns == {field.column_name: not field.null for field in record._meta.sorted_fields}


def test_an_older_store_is_copied_and_then_migrated(path, steps):
    make(path, SCHEMA_1)
    database = Database(str(path))
    migrate.bring_up(database, "wal", steps)
    database.close()
    copy = path.with_name("store.db.schema1")
    assert "note" not in shape(copy)["models"]
    assert "note" in shape(path)["models"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT name FROM models").fetchall() == [("demo",)]
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)


def test_the_copy_of_an_interrupted_migration_is_made_anew(path, steps):
    make(path, SCHEMA_1)
    copy = path.with_name("store.db.schema1")
    copy.write_text("half a copy")
    database = Database(str(path))
    migrate.bring_up(database, "wal", steps)
    database.close()
    assert copy.read_bytes().startswith(b"SQLite format 3\0")


def test_a_store_that_cannot_be_copied_is_not_migrated(path, steps):
    make(path, SCHEMA_1)
    path.with_name("store.db.schema1").mkdir()
    before = shape(path)
    database = Database(str(path))
    with pytest.raises(StoreError, match=r"store\.db\.schema1"):
        migrate.bring_up(database, "wal", steps)
    database.close()
    assert shape(path) == before


def test_a_step_that_fails_leaves_the_store_as_it_was(path, steps):
    make(path, SCHEMA_1)
    before = shape(path)
    database = Database(str(path))
    with pytest.raises(StoreError, match="boom"):
        migrate.bring_up(database, "wal", [*steps, FAIL])
    database.close()
    assert shape(path) == before
    with open_store(str(path), {}) as store:
        assert len(store.models()) == 1


def test_a_second_migration_finds_the_work_done(path, steps):
    make(path, SCHEMA_1)
    first, second = Database(str(path)), Database(str(path))
    migrate.bring_up(first, "wal", steps)
    migrate.bring_up(second, "wal", steps)
    migrate._migrate(second, steps)
    assert shape(path)["models"].count("note") == 1
    first.close()
    second.close()


def test_a_store_that_another_process_makes_between_two_looks_is_no_stranger(path, monkeypatch):
    open_store(str(path), {}).close()
    look, torn = migrate._identity, iter([(0, 1)])
    monkeypatch.setattr(migrate, "_identity", lambda sqlite: next(torn, None) or look(sqlite))
    with open_store(str(path), {}) as store:
        assert store.models() == ()
    assert next(torn, None) is None


def refused(path):
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        open_store(str(path), {})
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    assert str(path) in caught.value.message
    assert caught.value.exit_code == 11
    return caught.value


def test_a_store_of_a_newer_llmstack_is_refused_untouched(path):
    make(path, SCHEMA_1 + "PRAGMA user_version = 99;")
    error = refused(path)
    assert "newer llmstack" in error.message
    assert "upgrade llmstack" in error.hint
    assert error.data["schema"] == 99


def test_a_newer_schema_that_still_stands_in_the_journal_is_refused_too(path):
    make(path, SCHEMA_1 + "PRAGMA journal_mode = wal;")
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 99")
        with pytest.raises(StoreError, match="newer llmstack"):
            open_store(str(path), {})


@pytest.mark.parametrize(
    "content",
    [b"no database at all\n" * 20, b"x", b"SQLite format 3\0", b"SQLite format 3\0" + b"\0" * 40],
    ids=["text", "one byte", "no header", "cut header"],
)
def test_a_file_that_is_no_database_is_refused_untouched(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    error = refused(path)
    assert "no store of llmstack's" in error.message
    assert f"`mv {path} {path}.old`" in error.hint
    assert "sets it aside" not in error.hint


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE bookmarks (id)",
        "CREATE TABLE bookmarks (id); PRAGMA user_version = 1",
        "CREATE TABLE bookmarks (id); PRAGMA application_id = 77",
    ],
)
def test_the_database_of_another_program_is_refused_untouched(path, script):
    make(path, script)
    assert "no store of llmstack's" in refused(path).message


def test_a_store_with_a_damaged_page_is_refused_when_it_is_read(path):
    with open_store(str(path), {}) as store:
        for _ in range(50):
            store.begin_run("up", "x" * 1000)
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xaa" * (len(whole) - 4096))
    before = path.read_bytes()
    with open_store(str(path), {}) as store, pytest.raises(StoreError, match="damaged"):
        store.runs()
    assert path.read_bytes() == before


def test_a_truncated_store_is_refused(path):
    with open_store(str(path), {}) as store:
        store.begin_run("up", "")
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(StoreError, match="damaged"), open_store(str(path), {}) as store:
        store.models()
