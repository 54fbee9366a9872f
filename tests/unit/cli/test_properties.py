"""Whatever is typed, piped in, or stands in the environment: it is understood, or told what is wrong with it."""

from __future__ import annotations

import io
import json
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmstack.cli import picked
from llmstack.cli.argv import parse, wanted_format
from llmstack.cli.collection import VERBS
from llmstack.cli.complete import candidates
from llmstack.errors import ConfigError, NoMatchError, UsageError
from llmstack.ui.problems import error_lines

some = settings(
    max_examples=150, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
TASKS = {task.name: task for task in VERBS}
FLAGS = sorted({spelling for task in VERBS for spelling in task.flags for spelling in spelling.spellings})
SCRAPS = ["-", "--", "---", "=", "--=", "-m=", "-qvo", "\x1b[2J", "a@b", "@", "é\u202e", "9" * 30, "1e9", "2m", "json"]
WORDS = st.lists(st.sampled_from([*TASKS, *FLAGS, *SCRAPS]) | st.text(max_size=12), max_size=8)
KEYS = ["model", "service", "host", "status", "type"]
VARIABLES = sorted({flag.env for task in VERBS for flag in task.flags if flag.env})
LINES = st.lists(
    st.text(max_size=20)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["model", "host", "status"]), inner)
        ),
        max_leaves=6,
    ).map(json.dumps),
    max_size=5,
)


def told(error):
    """An error has words, and they harm no terminal."""
    assert error.message
    assert "\x1b" not in "".join(line.plain for line in error_lines(error))


@some
@given(WORDS)
def test_any_line_is_read_or_its_mistake_is_told(words):
    assert wanted_format(words) in ("text", "json", "ndjson")
    try:
        for name, values in parse(words, TASKS):
            TASKS[name].session("llmstack", values).checked()
    except UsageError as error:
        told(error)


@some
@given(WORDS, st.sampled_from(["", " "]))
def test_any_line_can_be_completed(tmp_path_factory, words, end):
    line = " ".join(["llmstack", *words]) + end
    assert all(isinstance(word, str) and "\n" not in word for word in candidates(line, TASKS))


@some
@given(LINES, st.sampled_from(["\n", "\0", "\r\n"]))
def test_anything_piped_in_is_names_or_a_mistake_that_is_told(lines, end):
    picked.names_from_stdin.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.StringIO(end.join(lines)))
        try:
            names = picked.names_from_stdin()
        except (UsageError, NoMatchError) as error:
            told(error)
        else:
            assert all(names)
    picked.names_from_stdin.cache_clear()


@pytest.mark.parametrize("raw", [b"\xff\xfe", b'{"a":' * 200_000, b"x" * (picked.MOST_TEXT + 2)])
def test_what_no_names_can_be_is_refused(monkeypatch, raw):
    picked.names_from_stdin.cache_clear()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))
    with pytest.raises(UsageError):
        picked.names_from_stdin()


@some
@given(st.dictionaries(st.sampled_from(VARIABLES), st.text(st.characters(exclude_characters="\0", codec="utf-8"))))
def test_any_variable_is_a_default_or_its_mistake_is_told(values):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        for task in VERBS:
            try:
                task.session("llmstack", {}).checked()
            except ConfigError as error:
                told(error)
