"""SQLite's failures as a user meets them."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

import peewee
import pytest

from llmstack.domain.ladder import Ladder, Rung, RungResult
from llmstack.domain.target import Target
from llmstack.errors import StoreError
from llmstack.store import database, faults, open_store


def failure(code):
    error = sqlite3.OperationalError("said SQLite")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "word", "step"),
    [
        (sqlite3.SQLITE_FULL, "no room", "free some space"),
        (sqlite3.SQLITE_IOERR_WRITE, "disk refuses", "free some space"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, "cannot be written", "write access"),
        (sqlite3.SQLITE_CANTOPEN, "cannot be opened", "write access"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "held by another program for more than 10 s", "fuser"),
        (sqlite3.SQLITE_CORRUPT_INDEX, "damaged", "sets it aside"),
        (sqlite3.SQLITE_NOTADB, "damaged", "invoke sync"),
        (sqlite3.SQLITE_MISMATCH, "cannot be used", "LLMSTACK_STORE"),
    ],
)
def test_each_failure_has_a_word_and_a_next_step(code, word, step):
    found = faults.store_error(failure(code), "/x/store.db")
    assert word in found.message
    assert "/x/store.db" in found.message
    assert step in found.hint
    assert found.exit_code == 11


def test_peewees_wrapping_hides_no_cause():
    inner = failure(sqlite3.SQLITE_FULL)
    assert "no room" in faults.store_error(peewee.OperationalError(inner, *inner.args), "/x").message


def test_a_rollback_that_fails_hides_no_cause():
    first, second = failure(sqlite3.SQLITE_FULL), failure(sqlite3.SQLITE_ERROR)
    second.__context__ = peewee.OperationalError(first, *first.args)
    assert "no room" in faults.store_error(peewee.OperationalError(second, *second.args), "/x").message


def test_an_error_of_peewees_own_is_told_too():
    assert "cannot be used: /x (lost)" in faults.store_error(peewee.InterfaceError("lost"), "/x").message


def test_a_store_that_stays_held_is_given_up_with_a_message(path, monkeypatch):
    open_store(str(path), {}).close()
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, open_store(str(path), {}) as store:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="held by another program"):
            store.begin_run("up", "")
        other.execute("ROLLBACK")
        assert store.begin_run("up", "") == "1"


def test_reading_waits_for_nobody(path, monkeypatch):
    open_store(str(path), {}).close()
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, open_store(str(path), {}) as store:
        other.execute("BEGIN IMMEDIATE")
        assert store.runs() == ()


def test_the_journal_mode_is_given_up_when_the_store_stays_held(path, monkeypatch):
    make_rollback_store(path)
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.0)
    monkeypatch.setattr(faults, "BUSY_TIMEOUT_S", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="held by another program"):
            open_store(str(path), {})


def test_the_journal_mode_is_set_once_the_store_is_free(path, monkeypatch):
    make_rollback_store(path)
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.0)
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")

        def let_go_after_the_first_try(seconds):
            if other.in_transaction:
                other.execute("ROLLBACK")

        monkeypatch.setattr("llmstack.store.migrate.time.sleep", let_go_after_the_first_try)
        open_store(str(path), {}).close()
    assert path.read_bytes()[18:20] == b"\x02\x02"


def make_rollback_store(path):
    open_store(str(path), {}).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = delete")


def test_a_failed_write_leaves_nothing_half_done(store):
    demo = Target("demo", "localhost")
    good, bad = RungResult(rung=Rung.PORT, ok=True, ms=1.0), RungResult(rung=Rung.API, ok=True, ms=None)
    store.climbed(Ladder(target=demo, rungs=(good,)), "box")
    with pytest.raises(StoreError, match="cannot be used"):
        store.climbed(Ladder(target=demo, rungs=(good, good, bad)), "box")
    assert store.last_ladder(demo).ladder.rungs == (good,)


def test_threads_share_a_store_and_lose_nothing(store):
    def write():
        for _ in range(25):
            store.begin_run("up", "")
            store.runs(1)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.runs(1000)) == 200


def test_a_closed_store_opens_itself_again(store):
    run_id = store.begin_run("up", "")
    store.close()
    store.close()
    assert store.run(run_id) is not None
