"""A name that was forgotten must never widen a command to everything."""

from __future__ import annotations

import pytest

from tests.desk import Desk


@pytest.mark.parametrize(
    "words", [("down", "--model"), ("down", "-m", "llama3", "-m"), ("down", "--model", "--check"), ("up", "-s")]
)
def test_a_flag_without_its_name_is_a_usage_error_through_both_doors(
    desk: Desk, door: str, words: tuple[str, ...]
) -> None:
    ran = desk.run(*words, door=door)
    assert ran.code in (2, 5)
    assert "needs a value" in ran.err or "'--check'" in ran.err
    assert ran.out == ""
