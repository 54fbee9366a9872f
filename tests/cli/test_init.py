"""A project from nothing."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.desk import DEADLINE_S, DOORS, Desk

FILES = {"inventory.yaml", "tasks.py", "invoke.yaml", "llmstack.mk"}


def names(desk: Desk) -> set[str]:
    return {path.name for path in desk.folder.iterdir() if path.is_file()}


@pytest.fixture
def empty(make_desk: Callable[..., Desk]) -> Desk:
    """A folder with nothing in it, and no Docker engine to be found."""
    return make_desk(None, DOCKER_HOST=f"unix:///proc/no/{os.getpid()}.sock")


def test_init_writes_a_project_that_works_and_init_again_writes_nothing(empty: Desk) -> None:
    for name in ("tasks.py", "invoke.yaml"):
        (empty.folder / name).unlink()
    ran = empty.good("init", "--yes", "-o", "json")
    assert {item["target"] for item in ran.json["items"] if item["written"]} == FILES
    assert "Engine: process (Docker: " in ran.err
    assert not any(item["written"] for item in empty.good("init", "--yes", "-o", "json").json["items"])
    assert empty.good("up", "--check", door="invoke").code == 0
    made = subprocess.run(
        ["make", "-f", "llmstack.mk", "-n", "models"], cwd=empty.folder, capture_output=True, text=True, check=True
    )
    assert made.stdout == "llmstack up\n"


@pytest.mark.parametrize("door", DOORS)
def test_what_is_there_is_shown_before_it_is_overwritten(empty: Desk, door: str) -> None:
    mine = "llmstack: 1\nstack: mine\nservices: {}\n"
    empty.write(mine)
    ran = empty.run("init", door=door)
    assert ran.code == 12
    assert "-stack: mine" in ran.err
    assert "+stack: desk0" in ran.err
    assert "init --yes" in ran.err
    assert (empty.folder / "inventory.yaml").read_text() == mine
    ran = empty.good("init", "--yes", door=door)
    assert "-stack: mine" in ran.err
    assert "kept what was there as inventory.yaml.bak\n" in ran.err
    assert (empty.folder / "inventory.yaml.bak").read_text() == mine
    assert "stack: desk0" in (empty.folder / "inventory.yaml").read_text()


def test_a_copy_takes_the_place_of_no_other(empty: Desk) -> None:
    for text in ("first: {}\n", "second: {}\n"):
        empty.write(text).chmod(0o600)
        empty.good("init", "--yes", "-q")
    copies = [empty.folder / name for name in ("inventory.yaml.bak", "inventory.yaml.bak1")]
    assert [copy.read_text() for copy in copies] == ["first: {}\n", "second: {}\n"]
    assert {copy.stat().st_mode & 0o777 for copy in copies} == {0o600}


def test_a_broken_inventory_does_not_keep_init_from_looking(empty: Desk) -> None:
    empty.write("llmstack: [\n")
    assert empty.run("init").code == 12


def test_on_a_terminal_it_asks(empty: Desk, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        os.write(ours, b"My Lab\nyes\nyes\nyes\nyes\n")
        subprocess.run(
            [str(Path(sys.executable).parent / "llmstack"), "init"],
            cwd=empty.folder,
            env=empty.env,
            stdin=theirs,
            stderr=theirs,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=DEADLINE_S,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert "stack: my-lab\n" in (empty.folder / "inventory.yaml").read_text()
