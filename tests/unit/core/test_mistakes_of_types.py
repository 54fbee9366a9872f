"""What only a type can find wrong is told together with what is wrong with the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmstack.errors import InventoryError
from tests.unit.core.stack import ALL, Bench


def codes(bench: Bench) -> list[tuple[str, int | None]]:
    with pytest.raises(InventoryError) as raised:
        bench.app().up(ALL)
    return [(problem.code, problem.position and problem.position.line) for problem in raised.value.problems]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_wrong_keys_types_and_options_are_told_at_once_in_the_order_of_the_file(bench: Bench) -> None:
    bench.write("""
llmstack: 1
models:
  a: {type: loader, imge: x, prot: 8, options: {sze: 1}}
  b: {type: loadr}
""")
    assert codes(bench) == [("E012", 4), ("E012", 4), ("E037", 4), ("E030", 5)]


def test_an_entry_without_a_type_is_one_mistake(bench: Bench) -> None:
    bench.write("llmstack: 1\nmodels:\n  a: {source: x}\n")
    assert len(codes(bench)) == 1


def test_a_file_that_cannot_be_read_is_one_mistake(bench: Bench) -> None:
    bench.write("llmstack: 1\nmodels: [}\n")
    assert len(codes(bench)) == 1
