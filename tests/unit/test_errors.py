"""The errors a user can meet."""

from __future__ import annotations

import inspect

import pytest

from llmstack import errors
from llmstack.domain.position import Position, Problem
from llmstack.errors import InventoryError, LlmstackError, ServerError, exit_code_of, exit_codes

CLASSES = [found for _, found in inspect.getmembers(errors, inspect.isclass) if issubclass(found, LlmstackError)]


def test_the_exit_codes_are_those_of_the_contract():
    assert exit_codes() == {
        0: "ok",
        1: "failed",
        2: "usage",
        3: "config",
        4: "unreachable",
        5: "nomatch",
        6: "unhealthy",
        7: "locked",
        8: "changes",
        9: "preflight",
        10: "fetch",
        11: "store",
        12: "declined",
        13: "plugin",
        70: "bug",
        124: "timeout",
        130: "signal",
        141: "signal",
        143: "signal",
    }


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_the_tree_at_the_top_names_each_class_with_its_code(cls):
    tree = inspect.getdoc(errors)
    line = next(line for line in tree.splitlines() if f" {cls.__name__} " in f" {line} ")
    own = "exit_code" in vars(cls)
    assert (f" {cls.exit_code} " in line and line.endswith(cls.name)) or not own


@pytest.mark.parametrize(
    ("codes", "code"), [([], 0), ([0, 0], 0), ([6], 6), ([6, 0, 6], 6), ([6, 4], 1), ([1, 6], 1), ([0, 8], 8)]
)
def test_many_codes_are_one_if_they_agree_and_else_failed(codes, code):
    assert exit_code_of(iter(codes)) == code


def test_an_error_says_what_happened_and_what_to_do():
    error = errors.PreflightError("port 8080 is taken by nginx", "stop it, or set another port", port=8080)
    assert str(error) == error.message
    assert error.as_json() == {
        "class": "preflight",
        "code": 9,
        "message": "port 8080 is taken by nginx",
        "hint": "stop it, or set another port",
        "port": 8080,
    }


def test_an_error_of_a_server_keeps_its_kind_and_status():
    error = ServerError("no such model", kind="not_found", status=404, model="x")
    assert (error.kind, error.status, error.exit_code) == ("not_found", 404, 6)
    assert error.as_json()["kind"] == "not_found"
    assert error.as_json()["status"] == 404


def test_an_inventory_error_counts_and_carries_all_problems():
    one = Problem("E1", "a", Position("i.yaml", 1, 1))
    assert InventoryError([one]).message == "1 error; nothing was changed"
    two = InventoryError(iter([one, Problem("E2", "b")]))
    assert two.message == "2 errors; nothing was changed"
    assert [problem["code"] for problem in two.as_json()["problems"]] == ["E1", "E2"]
