from __future__ import annotations

import pytest

from llmstack.domain.names import NAME_PATTERN, nearest


@pytest.mark.parametrize(
    ("word", "choices", "meant"),
    [
        ("imge", ["engine", "image"], "image"),
        ("OLAMA", ["vllm", "ollama"], "ollama"),
        ("lama3", ["Llama3", "demo"], "Llama3"),
        ("overides", ["services", "models"], None),
        ("x", [], None),
        ("a" * 10_000, ["a" * 100], "a" * 100),
    ],
)
def test_the_nearest_word_is_close_or_none(word: str, choices: list[str], meant: str | None) -> None:
    assert nearest(word, choices) == meant


def test_of_thousands_of_words_only_the_first_are_looked_at() -> None:
    words = [f"host{number}" for number in range(1000)]
    assert nearest("host7", words) == "host7"
    assert nearest("host999", words) != "host999"


@pytest.mark.parametrize("name", ["", "-a", "_a", "A", "a b", "a.b", "a" * 64, "a\n"])
def test_a_name_that_an_engine_could_not_take_is_none(name: str) -> None:
    assert NAME_PATTERN.fullmatch(name) is None


@pytest.mark.parametrize("name", ["a", "0", "llama3", "a-b_c", "a" * 63])
def test_a_name_has_small_letters_digits_and_dashes(name: str) -> None:
    assert NAME_PATTERN.fullmatch(name)
