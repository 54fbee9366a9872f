"""`sync --watch`, through both doors."""

from __future__ import annotations

import io
import json
import sys

import pytest

from llmstack.cli.schemas import schema_of
from llmstack.cli.session import Session
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_app import CALLS
from tests.unit.cli.test_formats import wrong


def test_what_is_watched_is_told_as_it_happens_until_a_signal(both):
    ran = both("sync", "--watch", "-m", "stuck")
    assert ran.out[8:] == "  llama3@gpu01  store: active   engine: exited 7  → recorded\n"
    assert (ran.code, ran.err) == (130, "! gpu03 is away\n")
    lines = [json.loads(line) for line in both("sync", "--watch", "-o", "ndjson").out.splitlines()]
    assert [wrong(line, schema_of("event")) for line in lines] == [[], []]
    assert [line["type"] for line in lines] == ["change", "warning"]
    assert (lines[0]["target"], lines[0]["engine"], lines[0]["host"]) == ("llama3@gpu01", "exited 7", "gpu01")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["-o", "json"], "--watch has no end"),
        (["-o", "names"], "--watch has no end"),
        (["--check"], "--watch keeps the store"),
    ],
)
def test_what_has_no_end_makes_no_document_and_cannot_be_a_check(both, words, complaint):
    ran = both("sync", "--watch", *words)
    assert ran.code == 2
    assert ran.err.startswith(f"error: {complaint}")
    assert CALLS == []


def test_what_health_comes_to_again_is_told_once_where_nothing_is_redrawn(both):
    ran = both("health", "--watch", "-m", "broken")
    assert (ran.code, ran.out.count("broken@localhost"), ran.err) == (130, 1, "")
    assert [call for call, *_ in CALLS].count("health") == 2
    lines = [json.loads(line) for line in both("health", "--watch", "-o", "ndjson").out.splitlines()]
    assert [line["type"] for line in lines if line["type"] in ("item", "recap")] == ["item", "recap"]


@pytest.mark.parametrize("task", ["status", "stats", "health"])
def test_what_goes_on_is_ended_by_ctrl_c_without_a_word(both, task):
    ran = both(task, "--watch", "-q")
    assert (ran.code, ran.err) == (130, "")


@pytest.mark.parametrize(("progress", "moves"), [("auto", True), ("tty", True), ("plain", False), ("none", False)])
def test_an_answer_that_goes_on_moves_on_a_terminal_alone_and_not_where_nothing_is_to_move(
    progress, moves, monkeypatch
):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)
    for stream, expected in ((Terminal(), moves), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stdout", stream)
        assert Session("llmstack", "status", values={"progress": progress}).out.redraws is expected
