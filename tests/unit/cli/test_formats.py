"""The formats for programs: their shape is kept in `tests/cases/output`, and is that of the schemas.

A file that is not there is written, so that a new case can be looked at; the test fails once.
"""

from __future__ import annotations

import json
import re
from itertools import count
from pathlib import Path

import jsonschema
import pytest

from llmstack.cli import events
from llmstack.cli.schemas import DIALECT, ITEMS, schema_of

CASES = Path(__file__).parents[2] / "cases" / "output"
LINES = {
    "up": ("up", "-m", "a"),
    "up-broken": ("up", "-m", "a", "-m", "broken"),
    "up-check": ("up", "--check"),
    "up-warned": ("up", "-m", "warned", "-m", "fetched"),
    "status": ("status", "-m", "a", "-m", "gone"),
    "status-unknown": ("status", "-m", "unknown"),
    "stats": ("stats", "-m", "a"),
    "gpus": ("gpus",),
    "sync": ("sync",),
    "sync-wanted": ("sync", "--check", "-s", "web"),
    "history": ("history", "-m", "a"),
}


def closed(schema):
    """The same schema, but nothing is allowed that it does not name; errors may carry facts of their own."""
    if isinstance(schema, list):
        return list(map(closed, schema))
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    return made | ({"additionalProperties": False} if "required" in made and "hint" not in made["required"] else {})


def wrong(document, schema):
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(document)]


def type_of(line):
    """The part of the schema that is for lines of this type."""
    (part,) = (part for part in schema_of("event")["oneOf"] if part["properties"]["type"]["const"] == line["type"])
    return part if line["type"] == "item" else closed(part)


def same(name, text):
    """Whether a text is what it always was; moments of the clock aside."""
    text = re.sub(r'"ts": "20[^"]+Z"', '"ts": "NOW"', text)
    if not (CASES / name).exists():
        (CASES / name).write_text(text, encoding="utf-8")
        pytest.fail(f"{name} is new: look at it")
    return (CASES / name).read_text(encoding="utf-8") == text


@pytest.mark.parametrize("case", LINES)
def test_json_is_what_it_always_was(both, case):
    ran = both(*LINES[case], "-o", "json")
    assert wrong(ran.json, closed(schema_of(ran.json["kind"]))) == []
    assert ran.json["rc"] == ran.code
    assert same(f"{case}.json", ran.out)


@pytest.mark.parametrize("case", LINES)
def test_ndjson_is_what_it_always_was(both, case, monkeypatch):
    monkeypatch.setattr(events, "_SEQ", count(1))
    ran = both(*LINES[case], "-o", "ndjson")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [wrong(line, type_of(line)) + wrong(line, schema_of("event")) for line in lines] == [[]] * len(lines)
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert [line["rc"] for line in lines if line["type"] == "recap"] == [lines[-1]["rc"]] == [ran.code]
    assert same(f"{case}.ndjson", ran.out)


def test_a_warning_is_told_beside_the_answer_and_in_it_unless_all_is_to_be_quiet(both):
    said = "the store is on a network disk"
    ran = both("up", "-m", "warned", "-o", "json")
    assert (said in ran.err, ran.json["warnings"]) == (True, [said])
    ran = both("up", "-m", "warned", "-o", "json", "-q")
    assert (ran.err, ran.json["warnings"]) == ("", [said])


def test_every_document_of_a_chain_has_its_recap_and_numbers_go_on(both):
    ran = both("up", "-o", "ndjson", "status", "-o", "ndjson")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [line["task"] for line in lines if line["type"] == "recap"] == ["up", "status"]
    assert [line["seq"] - lines[0]["seq"] for line in lines] == list(range(len(lines)))


def test_what_is_followed_can_be_read_line_by_line(both):
    lines = [json.loads(line) for line in both("logs", "--follow", "-o", "ndjson").out.splitlines()]
    assert [(line["type"], line.get("line")) for line in lines] == [
        ("item", "ready \x1b[31mred\x1b[0m"),
        ("recap", None),
    ]
    assert lines[-1]["items"] == 1


def test_an_answer_is_told_in_pieces_and_as_a_whole(both):
    lines = [json.loads(line) for line in both("ask", "--prompt", "x", "-o", "ndjson").out.splitlines()]
    assert [line["text"] for line in lines[:-1]] == ["Blue\x07 light ", "scatters.", "Blue\x07 light scatters."]


def test_a_mistake_in_the_line_itself_ends_with_a_recap_too(own):
    (line,) = own("up", "--nope", "-o", "ndjson").out.splitlines()
    assert (json.loads(line)["rc"], json.loads(line)["errors"][0]["class"]) == (2, "usage")


def test_names_can_end_in_nothing(both):
    assert both("status", "-m", "a", "-m", "b", "-o", "names0").out == "a@localhost\0b@localhost\0"


def test_status_can_be_narrowed_to_states(both):
    line = ("status", "-m", "a", "-m", "crashed", "-m", "gone", "-o", "names")
    assert both(*line, "--status", "crashed,absent").out == "crashed@localhost\ngone@localhost\n"
    assert both(*line, "--status", "loading").out == ""
    ran = both(*line, "--status", "crshed")
    assert (ran.code, "did you mean 'crashed'?" in ran.err) == (2, True)


@pytest.mark.parametrize("kind", [*ITEMS, "event"])
def test_each_schema_is_one(both, kind):
    shown = both("schema", "--kind", kind).json
    jsonschema.Draft202012Validator.check_schema(shown)
    assert shown["$schema"] == DIALECT


def test_a_schema_has_to_be_named(both, own):
    assert both("schema").code == 2
    assert own("schema", "run").json == schema_of("run")


def test_the_next_step_is_about_the_inventory_that_was_named(both, door):
    ran = both("up", "-m", "broken", "--inventory", "my lab.yaml")
    assert f"{door} logs --inventory 'my lab.yaml' --model broken" in ran.err


def test_logs_of_what_said_nothing_say_so(both):
    ran = both("logs", "-m", "mute")
    assert (ran.code, ran.out, ran.err) == (0, "", "! nothing was written so far\n")
