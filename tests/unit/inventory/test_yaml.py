# ruff: noqa: E501 - one case a line
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llmstack.domain.position import Problem
from llmstack.errors import InventoryError
from llmstack.inventory import load
from llmstack.inventory.compose import compose
from llmstack.inventory.nodes import Problems, plain, resolve_plain

Mistaken = Callable[..., list[Problem]]


def read(text: str) -> object:
    problems = Problems(text, "x.yaml")
    node = compose(text, "x.yaml", problems)
    problems.raise_any()
    return plain(node)


def told(problem: Problem) -> tuple[str, str, str, str | None]:
    return str(problem.position).rpartition("/")[2], problem.code, problem.message, problem.suggestion


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("no", "no"), ("on", "on"), ("yes", "yes"), ("22:22", "22:22"), ("2026-11-22", "2026-11-22"), ("=", "=")),
        *(("017", 17), ("0o17", 15), ("0x1f", 31), ("-5", -5), ("+5", 5), ("0b11", "0b11"), ("1_000", "1_000")),
        *(("1.10", 1.1), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("1e999", "1e999"), (".inf", ".inf"), (".nan", ".nan")),
        *(("true", True), ("False", False), ("NULL", None), ("~", None), ("", None), ("nulL", "nulL"), ("9" * 500, "9" * 500)),
    ],
)  # fmt: skip
def test_plain_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    assert resolve_plain(text) == value
    assert type(resolve_plain(text)) is type(value)


def test_quoted_text_stays_text() -> None:
    assert read("a: '1'\nb: \"no\"\nc: |-\n  1\nd: >-\n  2\n") == {"a": "1", "b": "no", "c": "1", "d": "2"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\n\tb: 2\n", ("x.yaml:2:1", "E001", "a tab cannot indent here", "use spaces")),
        ("a: 1\n---\nb: 2\n", ("x.yaml:2:1", "E001", "a second document starts here; an inventory is one", "remove the --- line, or give what follows a file of its own")),
        ("a: [1\nb: 2\n", ("x.yaml:2:2", "E001", "not YAML: did not find expected ',' or ']'", "write a comma, or close line 1 with ']'")),
        ("a: 1\nb\n", ("x.yaml:2:1", "E001", "not YAML: could not find expected ':'", "write NAME: value")),
        ("a: @x\n", ("x.yaml:1:4", "E001", "not YAML: found character that cannot start any token", "put the value in quotes")),
        ("a: %x\n", ("x.yaml:1:4", "E001", "not YAML: found character that cannot start any token", "put the value in quotes")),
        ("a: {gpu[1:2]: }\n", ("x.yaml:1:8", "E001", "not YAML: did not find expected ',' or '}'", "put a name with [ ] in quotes")),
        ("a: !vault x\n", ("x.yaml:1:4", "E002", "a tag (!vault) has no meaning here", "write a secret as {from: env, name: NAME}")),
        ("a: !thing {}\n", ("x.yaml:1:4", "E002", "a tag (!thing) has no meaning here", "remove it, or put text in quotes")),
        ("a: !!python/none x\n", ("x.yaml:1:4", "E002", "a tag (tag:yaml.org,2002:python/none) has no meaning here", "remove it, or put text in quotes")),
        ("a: 1\nb: 2\na: 3\n", ("x.yaml:3:1", "E003", "duplicate key 'a' (first defined at line 1)", "remove one of them")),
        ("a: *b\n", ("x.yaml:1:4", "E004", "alias '*b' has no finished anchor before it", "write &NAME before what it means, further up")),
        ("a: &a [*a]\n", ("x.yaml:1:8", "E004", "alias '*a' has no finished anchor before it", "write &NAME before what it means, further up")),
        ("[a]: 1\n", ("x.yaml:1:1", "E013", "a key should be text", "put it in quotes")),
        ("<<: 5\n", ("x.yaml:1:5", "E013", "'<<' should name a mapping, or a list of mappings", "write <<: *NAME, of an anchor &NAME")),
        ('a: "\\0"\n', ("x.yaml:1:4", "E013", "holds a character that no program can be given", "leave it out")),
        ("a: " + "[" * 70 + "]" * 70, ("x.yaml:1:68", "E004", "nested more than 64 levels deep", "make it smaller, or divide it")),
    ],
)  # fmt: skip
def test_what_is_no_inventory_yaml_is_told_at_its_place(text: str, expected: tuple[str, str, str, str | None]) -> None:
    with pytest.raises(InventoryError) as caught:
        read(text)
    (problem,) = caught.value.problems
    assert told(problem) == expected


@pytest.mark.parametrize(
    ("text", "place", "named", "fix"),
    [
        ("a: 1\nb: x\0y\n", "x.yaml:2:5", "U+0000 (NUL)", "remove it"),
        ("a: 1\r\nb: '\x1b[2J'\n", "x.yaml:2:5", "U+001B (ESC)", 'remove it, or write "\\u001b" in double quotes'),
        ("# \x01\n", "x.yaml:1:3", "U+0001 (unprintable)", 'remove it, or write "\\u0001" in double quotes'),
    ],
)
def test_a_control_character_is_named_where_it_stands(text: str, place: str, named: str, fix: str) -> None:
    with pytest.raises(InventoryError) as caught:
        read(text)
    (problem,) = caught.value.problems
    assert told(problem) == (place, "E001", f"the character {named} is no text", fix)


@pytest.mark.parametrize("value", ["!vault x", "!!int x", "!x [1]", "!x {a: b}", "!x ''"])
def test_a_value_with_a_tag_is_one_mistake(mistaken: Mistaken, value: str) -> None:
    (problem,) = mistaken(f"llmstack: 1\nservices: {{o: {{type: ollama, port: {value}}}}}\n")
    assert problem.code == "E002"


def test_a_merged_key_gives_way() -> None:
    assert read("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n") == {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2}}


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("a:\n  b:\n    c: 1\n   d: 2\n", "begin it in the same column as the line above, or as line 2"),
        ("a:\n  b: 1\n    c: 2\n", "begin it in the same column as the line above"),
        ("a: x\n b: 1\n", "begin it in the same column as the line above"),
        ("a:1\nb: 2\n", "write a blank after the ':' above"),
        ('a: {b: "x}\n', "close the quote that opens in line 1"),
        ("a: {b: 1\n", "write a comma, or close line 1 with '}'"),
        ("a:\n  - 1\n  b: 2\n", "names and list items ('- ') do not mix"),
        ("a: b: c\n", "put the value in quotes"),
        ("a: 'it's'\n", "put the value in quotes"),
        ("{a: b} c\n", "remove what follows the end"),
        ("a: - b\n", "correct it, or put it in quotes if it is text"),
    ],
)
def test_what_is_not_yaml_is_told_with_what_to_do(text: str, suggestion: str | None) -> None:
    with pytest.raises(InventoryError) as caught:
        read(text)
    assert [problem.suggestion for problem in caught.value.problems] == [suggestion]


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "- a\n", "just words\n"])
def test_a_file_without_a_mapping_is_refused(mistaken: Mistaken, text: str) -> None:
    (problem,) = mistaken(text)
    assert (problem.code, problem.suggestion) == ("E010", "start it with llmstack: 1")


def test_lines_are_counted_as_yaml_counts_them(mistaken: Mistaken) -> None:
    (problem,) = mistaken("llmstack: 1\r\nstack: 'a\u2028  b'\r\nservces: {}\r\n")[1:]
    assert (problem.source_line, problem.position and problem.position.column) == ("servces: {}", 1)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "inventory.yml").write_bytes(b"\xef\xbb\xbfllmstack: 1\n")
    assert load(None, environ={}, cwd=str(tmp_path)).stack == "default"


def test_text_that_is_not_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "inventory.yml").write_bytes(b"llmstack: 1\nstack: \xff\n")
    with pytest.raises(InventoryError) as caught:
        load(None, environ={}, cwd=str(tmp_path))
    assert told(caught.value.problems[0])[:2] == ("inventory.yml:2:1", "E001")
