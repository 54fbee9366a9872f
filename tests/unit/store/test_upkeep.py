"""A store stays small, tells how it is, is copied while it is in use, and gets a new start when it is damaged."""

from __future__ import annotations

import stat

import pytest

from llmstack.domain.event import Event, EventType
from llmstack.domain.outcome import RunResult
from llmstack.errors import StoreError
from llmstack.store import open_store
from llmstack.store.mend import mend

MIB = 1024 * 1024
DAY_S = 86_400.0


def told(at=1.0, texts=1):
    return Event(at, EventType.RESULT, "up", data={"lines": ["x" * 4000] * texts})


def run(store, events=1, texts=1):
    run_id = store.begin_run("up", "")
    for _ in range(events):
        store.record(run_id, told(texts=texts))
    store.end_run(run_id, RunResult(task="up"))
    return run_id


def test_years_of_runs_and_of_watching_stay_below_100_mb(store, path, clock):
    first = run(store)
    for _ in range(900):
        clock.now += DAY_S
        last = run(store, events=2, texts=20)
        store.record(None, told(clock.now, texts=20))
    info = store.info()
    assert sum(file.stat().st_size for file in path.parent.iterdir()) < 100 * MIB
    assert info["used_bytes"] < 70 * MIB
    assert info["rows"]["events"] > 400
    assert (store.run(first), len(store.events(last))) == (None, 2)
    assert info["oldest_run_at"] > 1000.0 + DAY_S


def test_who_only_watches_fills_no_disk_either(store, clock):
    for _ in range(1600):
        clock.now += 60
        store.record(None, told(clock.now, texts=20))
    assert store.info()["used_bytes"] < 75 * MIB


def test_a_store_tells_how_it_is(store, path):
    run(store, events=3)
    info = store.info()
    assert (info["target"], info["journal"], info["oldest_run_at"]) == (str(path), "wal", 1000.0)
    assert (info["rows"]["runs"], info["rows"]["events"], info["rows"]["models"]) == (1, 3, 0)
    assert info["size_bytes"] > info["used_bytes"] > 0
    store.check()


def test_room_of_rows_that_are_gone_goes_back_to_the_disk(store):
    for _ in range(30):
        run(store, events=10)
    with store._database.write() as sqlite:
        sqlite.execute_sql("DELETE FROM events")
    before, after = store.vacuum()
    assert after < before / 5
    assert len(store.runs(100)) == 30


def test_a_copy_is_a_store_for_our_eyes_only_and_overwrites_nothing(store, tmp_path):
    run_id = run(store)
    copy = tmp_path / "copy.db"
    assert store.copy(str(copy)) == copy.stat().st_size
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with open_store(str(copy), {}) as copied:
        assert copied.run(run_id).task == "up"
    with pytest.raises(StoreError, match=r"the copy cannot be written: .*copy\.db \(File exists\)"):
        store.copy(str(copy))


def filled(path):
    with open_store(str(path), {}) as store:
        ids = [run(store, events=5) for _ in range(40)]
        store.vacuum()
    return ids


def aside(path):
    (found,) = (file for file in path.parent.glob("store.db.corrupt-*") if file.name[-1].isdigit())
    return found


@pytest.mark.parametrize("whole", [False, True])
def test_a_damaged_store_is_set_aside_and_what_can_be_read_is_kept(path, whole):
    ids = filled(path)
    content = path.read_bytes()
    damaged = content[: len(content) // 2] if not whole else content[:200_000] + b"\xff" * 8192 + content[208_192:]
    path.write_bytes(damaged)
    told = mend(str(path), {})
    assert str(aside(path)) in told
    assert aside(path).read_bytes() == damaged
    with open_store(str(path), {}) as store:
        store.check()
        kept = store.runs(100)
        assert {run.id for run in kept} <= set(ids)
        assert int(store.begin_run("up", "")) > max(int(run.id) for run in kept)
    assert "rows of its history were kept" in told
    assert not told.endswith(" 0 rows of its history were kept")
    assert mend(str(path), {}) is None


@pytest.mark.parametrize("content", [b"\0" * 4096, b"root:x:0:0\n", b"SQLite format 3\0" + b"\0" * 200])
def test_what_cannot_be_shown_to_be_a_store_is_not_set_aside(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o644)
    with pytest.raises(StoreError, match="no store of llmstack's"):
        mend(str(path), {})
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (content, 0o644)


def test_two_that_were_damaged_in_one_second_have_two_names(path, monkeypatch):
    monkeypatch.setattr("llmstack.store.mend.time.time", lambda: 1000.0)
    cut = []
    for number in range(2):
        open_store(str(path), {}).close()
        cut.append(path.read_bytes()[: 200 + number])
        path.write_bytes(cut[-1])
        mend(str(path), {})
    assert sorted(file.read_bytes() for file in path.parent.glob("*.corrupt-*")) == cut


def test_a_store_that_is_not_there_or_in_memory_is_whole(path):
    assert mend(str(path), {}) is None
    assert mend(":memory:", {}) is None


def test_the_database_of_another_program_is_not_ours_to_set_aside(path):
    import sqlite3
    from contextlib import closing

    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE diary (day TEXT)")
    with pytest.raises(StoreError, match="no store of llmstack's"):
        mend(str(path), {})
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]
