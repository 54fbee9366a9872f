"""The store under many processes, killed writers and full disks; every process is a real one."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress

import pytest

from llmstack.domain.event import Event, EventType
from llmstack.domain.target import Target
from llmstack.errors import StoreError
from llmstack.store import open_store
from tests import room
from tests.disks import small_disk

PROCESSES, ROUNDS = 8, 40

PRELUDE = """
import sys
from llmstack.domain.event import Event, EventType
from llmstack.domain.instance import Instance, State
from llmstack.domain.ladder import Ladder, Rung, RungResult
from llmstack.domain.outcome import RunResult
from llmstack.domain.target import Target
from llmstack.errors import StoreError
from llmstack.store import open_store

path, name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
event = Event(1.0, EventType.RESULT, "up", message="x" * 500)
"""

WORK = (
    PRELUDE
    + """
sys.stdin.readline()
rungs = [RungResult(rung=rung, ok=True, ms=1000.0 * ms) for ms, rung in enumerate((Rung.CREATED, Rung.LOADED))]
box = Instance(id="1", container_name="box", service="s", host="localhost", engine="process", state=State.READY)
for number in range(rounds):
    with open_store(path, {}) as store:
        run_id = store.begin_run("up", f"{name}-{number}")
        store.record(run_id, event)
        store.seen(box, ["shared", name], f"{name}-{number}")
        store.climbed(Ladder(target=Target(name, "localhost"), rungs=(*rungs,) * 20), "box", started_spec=str(number))
        store.end_run(run_id, RunResult(task="up"))
        assert store.run(run_id).command == f"{name}-{number}"
        assert store.model("localhost", "box", name).installed_version == f"{name}-{number}"
        assert store.start_s(Target(name, "localhost"), str(number)) == 1.0
"""
)

WRITE_FOR_EVER = (
    PRELUDE
    + """
with open_store(path, {}) as store:
    while True:
        run_id = store.begin_run("up", "")
        store.record(run_id, event)
        print(run_id, flush=True)
"""
)

WRITE_UNTIL_FULL = (
    PRELUDE
    + """
import os, resource
limit = os.stat(path).st_size + 200_000 if os.path.exists(path) else 6000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    with open_store(path, {}) as store:
        while True:
            run_id = store.begin_run("up", "")
            store.record(run_id, event)
            print(run_id, flush=True)
except StoreError as error:
    print(error.message, error.hint, sep="\\n")
    sys.exit(error.exit_code)
"""
)

OPEN_AS_NOBODY = (
    PRELUDE
    + """
import os
os.geteuid() or os.setuid(65534)
try:
    open_store(path, {}).close()
except StoreError as error:
    print(error.message, error.hint, sep="\\n")
    sys.exit(error.exit_code)
"""
)


def start(script, path, name="writer", rounds=ROUNDS):
    argv = [sys.executable, "-c", script, str(path), name, str(rounds)]
    # A measuring process writes its own files, which these are not allowed to.
    env, pipe = room.unmeasured(os.environ), subprocess.PIPE
    return subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, env=env, text=True)


def run_together(path, processes=PROCESSES, rounds=ROUNDS):
    """Starts them all, lets them go at once, and returns what they had to complain about."""
    started = [start(WORK, path, f"p{number}", rounds) for number in range(processes)]
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    return [error for process in started if (error := process.communicate(timeout=100)[1])]


def is_whole(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_many_processes_at_once_lose_no_write_and_never_find_the_store_locked(tmp_path):
    path = tmp_path / "store.db"
    assert run_together(path) == []
    with open_store(str(path), {}) as store:
        runs = store.runs(10_000)
        assert {run.command for run in runs} == {f"p{p}-{n}" for p in range(PROCESSES) for n in range(ROUNDS)}
        assert all(len(store.events(run.id)) == 1 and run.exit_code == 0 for run in runs)
        climbs = [store.last_ladder(Target(f"p{number}", "localhost")) for number in range(PROCESSES)]
        assert {len(climb.ladder.rungs) for climb in climbs} == {40}
        versions = {model.name: model.installed_version for model in store.models()}
    shared = versions.pop("shared")
    assert versions == {f"p{number}": f"p{number}-{ROUNDS - 1}" for number in range(PROCESSES)}
    assert shared in versions.values()
    assert is_whole(path)


def test_many_processes_may_make_the_same_store_at_once(tmp_path):
    for attempt in range(3):
        path = tmp_path / f"fresh{attempt}" / "store.db"
        assert run_together(path, rounds=1) == []
        with open_store(str(path), {}) as store:
            assert len(store.runs(100)) == PROCESSES


@pytest.mark.parametrize("acknowledged", [1, 7, 150])
def test_a_killed_writer_loses_nothing_that_was_acknowledged(tmp_path, acknowledged):
    path = tmp_path / "store.db"
    process = start(WRITE_FOR_EVER, path)
    told = [process.stdout.readline().strip() for _ in range(acknowledged)]
    process.kill()
    told += process.stdout.read().split()
    process.communicate(timeout=30)
    with open_store(str(path), {}) as store:
        assert all(len(store.events(run_id)) == 1 for run_id in told)
        assert len(store.runs(100_000)) - len(told) in (0, 1)
        assert store.begin_run("up", "")
    assert is_whole(path)


@pytest.mark.parametrize("fresh", [True, False], ids=["a fresh store", "a store in use"])
def test_a_store_that_may_not_grow_says_so_and_keeps_what_it_has(tmp_path, fresh):
    path = tmp_path / "store.db"
    if not fresh:
        open_store(str(path), {}).close()
    process = start(WRITE_UNTIL_FULL, path)
    output, complaint = process.communicate(timeout=60)
    *told, message, hint = output.splitlines()
    assert (process.returncode, complaint) == (11, "")
    assert str(path) in message
    assert "LLMSTACK_STORE" in hint
    assert bool(told) is not fresh
    with open_store(str(path), {}) as store:
        assert all(store.run(run_id) for run_id in told)
    assert is_whole(path)


def fill(path):
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def record_until_full(store, run_id, told):
    """How many events found room, and what the store said when there was no more."""
    for kept in range(1000):
        try:
            store.record(run_id, told)
        except StoreError as error:
            return kept, error.message
    raise AssertionError("the disk never got full")


def test_a_run_on_a_nearly_full_disk_does_not_begin(tmp_path):
    with small_disk(tmp_path / "disk", "3m") as disk, open_store(str(disk / "store.db"), {}) as store:
        run_id = store.begin_run("up", "")
        (disk / "filling").write_bytes(b"x" * 5 * 2**19)
        with pytest.raises(StoreError, match="no room left") as caught:
            store.begin_run("up", "")
        assert str(disk / "store.db") in caught.value.message
        assert [run.id for run in store.runs()] == [run_id]


def test_a_disk_that_fills_up_during_a_run_is_named_and_the_run_goes_on_once_there_is_room(tmp_path):
    told = Event(1.0, EventType.RESULT, "up", message="x" * 4000)
    with small_disk(tmp_path / "disk", "3m") as disk, open_store(str(disk / "store.db"), {}) as store:
        run_id = store.begin_run("up", "")
        fill(disk / "filling")
        kept, message = record_until_full(store, run_id, told)
        assert "no room left for the store" in message
        assert len(store.events(run_id)) == kept
        (disk / "filling").unlink()
        store.record(run_id, told)
        assert len(store.events(run_id)) == kept + 1


def test_a_disk_without_room_for_a_store_is_named(tmp_path):
    with small_disk(tmp_path / "disk", "512k") as disk:
        (disk / "filling").write_bytes(b"x" * 500 * 1024)
        with pytest.raises(StoreError, match="no room left for the store"):
            open_store(str(disk / "store.db"), {})
        (disk / "filling").unlink()
        open_store(str(disk / "store.db"), {}).close()


def test_a_place_without_write_access_is_named(tmp_path):
    tmp_path.chmod(0o500)
    process = start(OPEN_AS_NOBODY, tmp_path / "store.db")
    output, complaint = process.communicate(timeout=30)
    assert (process.returncode, complaint) == (11, "")
    assert f"the store cannot be opened: {tmp_path}/store.db (Permission denied)" in output
    assert "write access" in output
