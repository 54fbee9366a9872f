"""A type's own options, checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from llmstack.domain.doc import doc
from llmstack.modeltype.options import NoOptions, parse_options


@dataclass(frozen=True, kw_only=True)
class Options:
    needed: int
    ratio: float = 0.5
    name: str | None = None
    mode: Literal["fast", "slow"] = "fast"
    on: bool = False
    words: list = field(default_factory=list)  # type: ignore[type-arg]


def test_right_options_become_an_instance() -> None:
    raw = {"needed": 1, "ratio": 2, "name": "x", "mode": "slow", "on": True, "words": ["a"]}
    assert parse_options(Options, raw) == (Options(**raw), ())  # type: ignore[arg-type]
    assert parse_options(NoOptions, {}) == (NoOptions(), ())


@pytest.mark.parametrize(
    ("raw", "message", "choices"),
    [
        ({"needed": "one"}, "option 'needed' should be a whole number", ()),
        ({"needed": True}, "option 'needed' should be a whole number", ()),
        ({"needed": 1.5}, "option 'needed' should be a whole number", ()),
        ({"needed": 1, "ratio": "half"}, "option 'ratio' should be a number", ()),
        ({"needed": 1, "name": 3}, "option 'name' should be text", ()),
        ({"needed": 1, "mode": "medium"}, "option 'mode' should be one of fast, slow", ("fast", "slow")),
        ({"needed": 1, "on": 1}, "option 'on' should be true or false", ()),
        ({"needed": 1, "words": "a"}, "option 'words' should be list", ()),
        ({}, "option 'needed' is missing", ()),
    ],
)
def test_a_wrong_option_is_told_in_plain_words(raw: dict[str, Any], message: str, choices: tuple[str, ...]) -> None:
    made, mistakes = parse_options(Options, raw)
    assert made is None
    assert [(mistake.message, mistake.choices) for mistake in mistakes] == [(message, choices)]


def test_an_unknown_option_is_told_with_those_that_are() -> None:
    (mistake,) = parse_options(Options, {"needed": 1, "rato": 1})[1]
    assert (mistake.name, mistake.unknown) == ("rato", True)
    assert "ratio" in mistake.choices


def test_all_mistakes_come_at_once() -> None:
    assert len(parse_options(Options, {"a": 1, "b": 2, "on": "maybe"})[1]) == 4


@pytest.mark.parametrize(
    ("raw", "made"),
    [
        ({"needed": "4096"}, Options(needed=4096)),
        ({"needed": "-1", "ratio": "0.25", "on": "yes"}, Options(needed=-1, ratio=0.25, on=True)),
        ({"needed": 1, "ratio": "3", "on": "False", "name": "5"}, Options(needed=1, ratio=3.0, on=False, name="5")),
    ],
)
def test_text_is_taken_as_the_option_s_own_type(raw: dict[str, Any], made: Options) -> None:
    assert parse_options(Options, raw) == (made, ())


def test_an_example_of_the_option_is_told_with_what_is_wrong() -> None:
    @dataclass(frozen=True)
    class Sized:
        size: int = doc("Its size.", 8192, default=1)

    assert parse_options(Sized, {"size": "big"})[1][0].fix == "such as 8192"
