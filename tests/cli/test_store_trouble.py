"""A store that cannot be used: said with code 11, the store untouched, the engine too where nothing was begun."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests import disks
from tests.desk import Desk, until


@pytest.fixture
def newer(desk: Desk) -> Path:
    """A store that a later version has migrated."""
    desk.good("sync", "-o", "names")
    path = Path(desk.env["LLMSTACK_STORE"])
    with closing(sqlite3.connect(path)) as store, store:
        store.execute("pragma user_version = 99")
    return path


def content(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as store:
        return list(store.iterdump())


def test_a_store_of_a_newer_version_is_refused_and_stays_as_it_is(newer: Path, desk: Desk, door: str) -> None:
    before = content(newer)
    for task in ("up", "sync") if door == "invoke" else ("down",):
        ran = desk.run(task, "-o", "json", door=door)
        assert (ran.code, ran.json["rc"]) == (11, 11)
        assert "newer" in ran.err
    assert content(newer) == before
    assert desk.engine.observe(None) == ()


def test_who_only_looks_goes_without_it(newer: Path, desk: Desk) -> None:
    ran = desk.good("status", "-o", "names")
    assert ran.out == "llama3@localhost\nmistral@localhost\n"
    assert "the store cannot be read" in ran.err
    assert "not noted in the store" in desk.run("health", "-m", "llama3").err


@pytest.mark.parametrize("place", ["bin", "inventory.yaml/store.db"])
def test_a_place_where_no_file_can_be_is_refused_by_who_only_looks_too(
    make_desk: Callable[..., Desk], place: str
) -> None:
    desk = make_desk(LLMSTACK_STORE=place)
    for line in ("status", "up --check", "health", "sync"):
        ran = desk.run(*line.split())
        assert (ran.code, f"no file can be the store at {place}" in ran.err) == (11, True)


def test_a_file_that_is_no_store_is_refused(desk: Desk) -> None:
    path = Path(desk.env["LLMSTACK_STORE"])
    path.write_text("my diary", encoding="utf-8")
    ran = desk.run("up")
    assert ran.code == 11
    assert path.read_text(encoding="utf-8") == "my diary"
    assert desk.engine.observe(None) == ()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    with disks.small_disk(tmp_path / "small", "2m") as place:
        yield place


def fill(place: Path) -> None:
    with (place / "rest").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(65536)):
            pass


def test_a_full_disk_under_the_store_is_told_before_anything_is_started(
    make_desk: Callable[..., Desk], small_disk: Path
) -> None:
    desk = make_desk(LLMSTACK_STORE=str(small_disk / "store.db"))
    fill(small_disk)
    ran = desk.run("up")
    assert ran.code == 11
    assert "full" in ran.err
    assert str(small_disk) in ran.err
    assert desk.engine.observe(None) == ()
    (small_disk / "rest").unlink()
    desk.good("up", "-m", "llama3")


def test_a_disk_that_gets_full_in_the_middle_takes_nothing_from_what_was_done(
    make_desk: Callable[..., Desk], small_disk: Path
) -> None:
    desk = make_desk(LLMSTACK_STORE=str(small_disk / "store.db"))
    works = (desk.folder / "bin" / "ollama").read_text(encoding="utf-8").partition("\n")[2]
    desk.program("ollama", f"#!/bin/sh\nwhile [ ! -e {desk.folder}/go ]; do sleep 0.1; done\n{works}")
    with desk.start("up", "-s", "ollama", "-o", "json") as process:
        until(desk.servers)
        fill(small_disk)
        desk.write("", "go")
        out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert json.loads(out)["rc"] == 0
    assert "not noted in the store" in err
    assert "full" in err
    (small_disk / "rest").unlink()
    assert desk.good("up", "-s", "ollama").recap.startswith("localhost : ok=3 changed=0")
