"""Where the store lies, and who may read it."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from llmstack.errors import StoreError
from llmstack.store import open_store, place


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_a_path_that_is_given_wins_over_the_variable_and_that_over_the_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environ = {"LLMSTACK_STORE": "other.db"}
    assert place.store_path("one.db", environ) == str(tmp_path / "one.db")
    assert place.store_path(None, environ) == str(tmp_path / "other.db")
    assert place.store_path(None, {"LLMSTACK_STORE": ""}).endswith("/llmstack/store.db")
    assert place.store_path("~/x.db", {}) == str(Path.home() / "x.db")
    assert place.store_path(None, {"LLMSTACK_STORE": ":memory:"}) == ":memory:"


def test_only_its_owner_may_look_at_a_store(path):
    with open_store(str(path), {}) as store:
        store.begin_run("up", "")
        assert {found.name for found in path.parent.iterdir()} == {"store.db", "store.db-wal", "store.db-shm"}
        assert {mode(found) for found in path.parent.iterdir()} == {0o600}
    assert mode(path.parent) == 0o700


def test_a_store_that_others_could_read_is_closed_to_them(path):
    open_store(str(path), {}).close()
    path.chmod(0o644)
    open_store(str(path), {}).close()
    assert mode(path) == 0o600


def test_a_closed_store_leaves_one_file(path):
    with open_store(str(path), {}) as store:
        store.begin_run("up", "")
    assert [found.name for found in path.parent.iterdir()] == ["store.db"]


def test_a_store_that_was_deleted_is_made_anew(path):
    with open_store(str(path), {}) as store:
        store.begin_run("up", "")
    path.unlink()
    with open_store(str(path), {}) as store:
        assert store.runs() == ()
        assert store.path == str(path)


def test_a_run_does_not_begin_in_a_folder_that_is_gone(store, path):
    shutil.rmtree(path.parent)
    with pytest.raises(StoreError, match="No such file"):
        store.begin_run("up", "")


def test_a_store_in_memory_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open_store(":memory:", {}) as store:
        assert store.run(store.begin_run("up", "")).task == "up"
        assert store.notice is None
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_file_is_refused_and_left_as_it_is(tmp_path):
    pipe = tmp_path / "store.db"
    os.mkfifo(pipe, 0o666)
    pipe.chmod(0o666)
    with pytest.raises(StoreError, match="must be a file"):
        open_store(str(pipe))
    assert stat.S_IMODE(pipe.stat().st_mode) == 0o666
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_folder_in_the_way_is_named(tmp_path):
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        open_store(str(tmp_path), {})
    assert str(tmp_path) in caught.value.message
    assert caught.value.exit_code == 11


def test_a_file_in_place_of_its_folder_is_named(tmp_path):
    (tmp_path / "data").write_text("mine")
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(str(tmp_path / "data" / "store.db"), {})
    assert (tmp_path / "data").read_text() == "mine"


MOUNTS = r"""/dev/vda / ext4 rw 0 0
nas:/home /home nfs4 rw 0 0
/dev/vdb /home/local xfs rw 0 0
me@far: /mnt/far\040away fuse.sshfs rw 0 0
drvfs /mnt/c 9p rw 0 0
tmpfs /home tmpfs rw 0 0
tmpfs /homework tmpfs rw 0 0
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/store.db", None),
        ("/home/ann/store.db", None),
        ("/home/local/store.db", None),
        ("/homework/store.db", None),
        ("/mnt/far away/store.db", "fuse.sshfs"),
        ("/mnt/far/store.db", None),
        ("/mnt/c/store.db", "9p"),
    ],
)
def test_the_innermost_and_latest_mount_tells_the_file_system(path, kind):
    assert place.network_kind(path, MOUNTS) == kind


def test_a_home_on_nfs_is_a_network_file_system():
    assert place.network_kind("/home/ann/store.db", MOUNTS.replace("tmpfs /home tmpfs", "nas: /home nfs")) == "nfs"


def test_without_a_mount_table_a_place_counts_as_local():
    assert place.network_kind("/x/store.db", "") is None


def journal(path):
    return path.read_bytes()[18:20]


def test_on_a_network_file_system_the_store_does_without_wal_and_says_so(path, monkeypatch):
    open_store(str(path), {}).close()
    assert journal(path) == b"\x02\x02"
    monkeypatch.setattr(place, "read_mounts", lambda: f"nas:/x {path.parent} nfs4 rw 0 0\n")
    with open_store(str(path), {}) as store:
        store.begin_run("up", "")
        assert "network file system (nfs4)" in store.notice
    assert journal(path) == b"\x01\x01"
    monkeypatch.undo()
    with open_store(str(path), {}) as store:
        assert (store.notice, len(store.runs())) == (None, 1)
    assert journal(path) == b"\x02\x02"


@pytest.mark.skipif(sys.platform != "linux", reason="there is no mount table to read")
def test_the_mount_table_of_this_machine_has_its_root():
    assert " / " in place.read_mounts()


def test_a_machine_without_a_mount_table_has_an_empty_one(monkeypatch):
    monkeypatch.setattr(place, "Path", lambda name: Path("/nowhere" + name))
    assert place.read_mounts() == ""
