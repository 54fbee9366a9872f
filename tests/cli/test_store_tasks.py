"""`store.info`, `store.check`, `store.backup` and `store.vacuum`, and a damaged store, through both doors."""

from __future__ import annotations

import stat
from pathlib import Path

from tests.desk import Desk


def test_a_store_is_told_proved_copied_and_tightened(desk: Desk, door: str) -> None:
    desk.good("sync", door=door)
    (item,) = desk.good("store.info", "-o", "json", door=door).json["items"]
    assert (item["target"], item["rows"]["runs"]) == (desk.env["LLMSTACK_STORE"], 0)
    assert "schema" in desk.good("store.info", door=door).out
    assert desk.good("store.check", door=door).out.endswith("store.db  whole\n")
    assert " → " in desk.good("store.vacuum", door=door).out
    assert desk.good("store.backup", "--file", "copy.db", door=door).out.startswith("copied copy.db")
    assert stat.S_IMODE((desk.folder / "copy.db").stat().st_mode) == 0o600
    again = desk.run("store.backup", "--file", "copy.db", door=door)
    assert (again.code, "File exists" in again.err) == (11, True)
    assert desk.run("store.backup", door=door).code == 2


def test_sync_sets_a_damaged_store_aside_and_names_it_and_a_check_does_not(desk: Desk, door: str) -> None:
    path = Path(desk.env["LLMSTACK_STORE"])
    desk.good("sync", door=door)
    cut = path.read_bytes()[:5000]
    path.write_bytes(cut)
    for words in (("store.check",), ("sync", "--check")):
        ran = desk.run(*words, door=door)
        assert (ran.code, f"{door} sync` sets it aside" in ran.err) == (11, True), ran.err
    assert path.read_bytes() == cut
    ran = desk.good("sync", door=door)
    (aside,) = path.parent.glob("store.db.corrupt-*")
    assert str(aside) in " ".join(ran.err.split())
    assert aside.read_bytes() == cut
    assert desk.good("store.check", door=door).out.endswith("  whole\n")


def test_somebody_elses_file_is_no_store_and_stays_as_it_is(desk: Desk, door: str) -> None:
    path = desk.folder / "passwd"
    path.write_text("root:x:0:0\n")
    path.chmod(0o644)
    for task in ("sync", "up", "store.check"):
        ran = desk.run(task, "--store", str(path), door=door)
        assert (ran.code, "no store of llmstack's" in ran.err, "`mv " in ran.err) == (11, True, True), ran.err
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("root:x:0:0\n", 0o644)
    assert list(desk.folder.glob("passwd?*")) == []
