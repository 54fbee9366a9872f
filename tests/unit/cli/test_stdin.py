"""Names that come from standard input."""

from __future__ import annotations

import json

import pytest

from llmstack.domain.selection import Selection
from tests.unit.cli.fake_app import CALLS


def picked():
    return [what.models for _, what, _ in CALLS if isinstance(what, Selection)]


def test_names_are_read_once_for_all_tasks_of_a_line(both):
    assert both("up", "-m", "-", "health", "-m", "-", stdin="a@h1\n\nb@h2\na@h1\n").code == 0
    assert picked() == [("a@h1", "b@h2"), ("a@h1", "b@h2")]


def test_names_may_end_in_nothing_at_all(both):
    both("up", "-m", "x", "-m", "-", stdin="a\0b\0")
    assert picked() == [("x", "a", "b")]


def test_items_are_names_too_but_those_that_failed_are_left_out(both):
    items = [
        {"type": "plan", "actions": []},
        {"type": "start", "model": "early", "host": "h1"},
        {"type": "result", "model": "a", "service": "ollama", "host": "h1", "status": "changed"},
        {"type": "result", "model": "b", "host": "h1", "status": "failed"},
        {"type": "item", "model": None, "service": "webui", "host": "h2", "state": "ready"},
        {"model": "plain"},
        {"type": "recap", "items": 4},
    ]
    both("restart", "-m", "-", stdin="\n".join(map(json.dumps, items)))
    assert picked() == [("a@h1", "webui@h2", "plain")]


@pytest.mark.parametrize("stdin", ["", "\n\n", '{"model": "a", "status": "failed"}\n'])
def test_no_names_are_no_failure_and_never_taken_for_everything(both, stdin):
    ran = both("down", "-m", "-", "-o", "json", stdin=stdin)
    assert (ran.code, ran.json["items"]) == (0, [])
    assert ran.err == "! no names came from standard input, so there is nothing to do\n"
    assert picked() == []


def test_what_is_no_item_is_told_with_its_line(both):
    ran = both("down", "-m", "-", stdin='a\n{"v": 1,\n')
    assert (ran.code, picked()) == (2, [])
    assert ran.err == "error: line 2 of standard input is no JSON\n       pipe -o names or -o ndjson in\n"


@pytest.mark.parametrize("line", ['{"target": 5}', "[1,2]", '{"model": 5}', '{"model": "a", "host": [1]}', "{}"])
def test_what_names_nothing_is_told_with_its_line(both, line):
    ran = both("down", "-m", "-", stdin=f"a\n{line}\n")
    assert (ran.code, picked()) == (2, [])
    assert ran.err.startswith("error: line 2 of standard input tells of no model or service\n")


def test_what_a_task_answers_another_one_takes(through, door):
    lines = through(door, "status", "-m", "a", "-m", "b", "-o", "ndjson").out
    CALLS.clear()
    assert through(door, "up", "-m", "-", stdin=lines).code == 0
    assert picked() == [("a@localhost", "b@localhost")]


def test_names_that_select_nothing_can_be_no_failure(both):
    ran = both("up", "-m", "unknown", "--allow-empty", "-o", "json")
    assert (ran.code, ran.json["errors"]) == (0, [])
    assert ran.err.startswith("! no model or service 'unknown'")


def test_bytes_that_are_no_text_are_no_names(both):
    """In some locales Python reads them all the same."""
    ran = both("up", "-m", "-", stdin="caf\udce9\n")
    assert (ran.code, "standard input is no UTF-8 text" in ran.err) == (2, True)
