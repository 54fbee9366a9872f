"""What real servers surprised us with stays tied to the tests that prove we handle it."""

from __future__ import annotations

import ast
import json
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SURPRISES = json.loads((ROOT / "tests" / "recordings" / "surprises.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("surprise", SURPRISES, ids=lambda surprise: surprise["id"])
def test_each_surprise_names_tests_that_exist(surprise: dict[str, object]) -> None:
    tests = surprise["tests"]
    assert isinstance(tests, list)
    assert tests
    assert [test for test in tests if test not in _tests(test.partition("::")[0])] == []


def test_each_surprise_is_one_sentence_with_an_id_of_its_own() -> None:
    counts = Counter(surprise["id"] for surprise in SURPRISES)
    assert [name for name, count in counts.items() if count > 1] == []
    assert [
        one["id"] for one in SURPRISES if set(one) != {"id", "text", "tests"} or not one["text"].endswith(".")
    ] == []


def _tests(path: str) -> set[str]:
    """Node ids (without parameters) of a test file."""
    if not (ROOT / path).is_file():
        return set()
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {f"{path}::{name}" for name in _names(tree)}


def _names(tree: ast.AST, prefix: str = "") -> set[str]:
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            found |= _names(node, f"{prefix}{node.name}::")
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            found.add(prefix + node.name)
    return found
