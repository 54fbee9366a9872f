"""What a check wants of an answer."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from llmstack.core.asking import ask, unfit
from llmstack.domain.check import Check
from llmstack.domain.ladder import Answer
from llmstack.domain.server import ChatChunk
from llmstack.errors import ConfigError, ServerError
from llmstack.testing import FakeClock

ANSWER = Answer(text="It is Paris,\nof course.", first_token_ms=1500, tokens=6, tokens_per_s=12.34)


class Talker:
    """Says chunks and keeps what it was asked."""

    def __init__(self, *chunks: ChatChunk) -> None:
        self.chunks, self.asked = chunks, dict[str, Any]()

    def chat(self, model: str, prompt: str, **more: Any) -> Any:
        self.asked = {"prompt": prompt, **more}
        yield from self.chunks


def wrong(answer: Answer = ANSWER, on: str = "cpu", **check: Any) -> str | None:
    return unfit(Check(prompt="?", **check), answer, on)


@pytest.mark.parametrize(
    "check",
    [
        {},
        {"text": "paris"},
        {"pattern": r"Paris,\n"},
        {"first_token_s": 1.5, "tokens_per_s": 12.3},
        {"device": "cpu"},
    ],
)
def test_what_is_as_it_should_be(check: dict[str, Any]) -> None:
    assert wrong(**check) is None


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ({"text": "Rome"}, "'Rome' is not in the answer: it answered 'It is Paris, of course.'"),
        ({"pattern": "^Paris"}, "/^Paris/ is not in the answer"),
        ({"first_token_s": 1}, "its first token took 1.50 s, longer than 1 s"),
        ({"tokens_per_s": 20}, "its rate is 12.3, below 20 tokens/s"),
        ({"device": "gpu"}, "it runs on cpu, not on gpu"),
        ({"json_schema": {"type": "object"}}, "the answer is no JSON"),
    ],
)
def test_what_is_not_says_what_was_found(check: dict[str, Any], words: str) -> None:
    assert (wrong(**check) or "").startswith(words)


def test_what_nobody_can_tell_is_not_as_it_should_be() -> None:
    unknown = Answer(text="yes")
    assert "took unknown" in (wrong(unknown, first_token_s=1) or "")
    assert "rate is unknown" in (wrong(unknown, tokens_per_s=1) or "")
    assert "on unknown" in (wrong(unknown, "unknown", device="gpu") or "")
    assert "partial 60 %" in (wrong(unknown, "partial 60 %", device="gpu") or "")


def test_nothing_is_no_answer_and_a_long_one_is_cut() -> None:
    assert wrong(Answer(text=" \n")) == "it answered with nothing"
    assert "x…'" in (wrong(Answer(text="x" * 500), text="y") or "")
    assert len(wrong(Answer(text="x" * 500), text="y") or "") < 140


def test_a_schema_is_looked_at() -> None:
    schema = {"type": "object", "required": ["city"]}
    assert wrong(Answer(text='{"city": 1}'), json_schema=schema) is None
    assert "'city' is a required property" in (wrong(Answer(text="{}"), json_schema=schema) or "")
    with pytest.raises(ConfigError, match="is no schema"):
        wrong(Answer(text="{}"), json_schema={"type": "nothing"})


def test_without_its_library_a_schema_is_no_silent_success(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name == "jsonschema":
            raise ImportError(name)
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError) as caught:
        wrong(Answer(text="{}"), json_schema={})
    assert "llmstack[checks]" in (caught.value.hint or "")


def test_a_check_is_asked_the_same_way_each_time_and_thoughts_are_no_answer() -> None:
    talker = Talker(ChatChunk(thinking="Rome?"), ChatChunk(text="Paris"), ChatChunk(done=True, tokens=2))
    check = Check(prompt="Where?", max_tokens=7)
    answer = ask(talker, "m", FakeClock().monotonic, check)  # type: ignore[arg-type]
    assert talker.asked == {"prompt": "Where?", "max_tokens": 7, "seed": 1, "patience_s": None}
    assert (answer.text, answer.first_token_ms) == ("Paris", 0)


def test_thoughts_are_a_sign_of_life() -> None:
    talker = Talker(ChatChunk(thinking="hm"), ChatChunk(done=True))
    assert ask(talker, "m", FakeClock().monotonic).text == "hm"  # type: ignore[arg-type]
    with pytest.raises(ServerError, match="ended early"):
        ask(Talker(ChatChunk(text="4")), "m", FakeClock().monotonic)  # type: ignore[arg-type]


def test_a_long_prompt_has_a_short_title() -> None:
    assert Check(prompt="What\nis it?").title == "What is it?"
    assert len(Check(prompt="x" * 100).title) == 40
