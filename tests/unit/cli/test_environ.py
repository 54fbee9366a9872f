"""Variables that are called like ours and that nothing reads are told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmstack.cli import environ
from llmstack.cli.environ import known, unread
from tests.meta.source import ROOT


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(environ, "_TOLD", set())
    return tmp_path


def test_every_variable_that_the_product_names_is_known() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "llmstack").rglob("*.py"))
    assert set(re.findall(r"LLMSTACK_([A-Z_]+)", text)) == known()


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("LLMSTACK_INVENTRY", "did you mean 'LLMSTACK_INVENTORY'?"),
        ("LLMSTACK_lock_wait", "did you mean 'LLMSTACK_LOCK_WAIT'?"),
        ("LLMSTACK_API_KEY", "known: COLOR FORKS "),
    ],
)
def test_a_variable_that_nothing_reads_is_told_once(monkeypatch: pytest.MonkeyPatch, name: str, fix: str) -> None:
    monkeypatch.setenv(name, "x")
    (said,) = unread(None)
    assert said.startswith(f"nothing reads the variable {name}; {fix}")
    assert list(unread(None)) == []


def test_what_is_ours_or_named_in_the_inventory_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMSTACK_API_KEY", "x")
    monkeypatch.setenv("LLMSTACK_FORKS", "2")
    (folder / "inventory.yaml").write_text("x-a: '${env:LLMSTACK_API_KEY}'\n", encoding="utf-8")
    assert list(unread(None)) == []
    assert len(list(unread("other.yaml"))) == 0


def test_an_inventory_that_cannot_be_read_names_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMSTACK_API_KEY", "x")
    (folder / "inventory.yaml").write_bytes(b"\xff")
    assert len(list(unread(None))) == 1


def test_a_command_tells_it_on_stderr_and_in_json(both, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("LLMSTACK_STOER", "x")
    ran = both("status", "-m", "a", "-o", "json")
    said = "nothing reads the variable LLMSTACK_STOER; did you mean 'LLMSTACK_STORE'?"
    assert (ran.code, said in ran.err.replace("\n ", ""), ran.json["warnings"]) == (0, True, [said])
