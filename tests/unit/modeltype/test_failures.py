"""Why servers die, by what they wrote. Recorded lines come from real servers; quoted ones from their documents."""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmstack.modeltype import failures
from llmstack.modeltype.failures import common, first_error

RECORDINGS = Path(__file__).parents[2] / "recordings"

CUT = "The model file is cut off."
NO_GGUF = "The model file is not a GGUF file."
NETWORK = "It cannot reach a machine on the network: DNS, proxy or certificates."
ARGUMENT = "The server does not accept one of its arguments."


@pytest.mark.parametrize(
    ("name", "number", "words", "meaning"),
    [
        ("bad-value-ctx", 1, 'error while handling argument "-c": stoi', ARGUMENT),
        ("bad-value", 1, 'error while handling argument "--port": stoi', ARGUMENT),
        ("corrupt-empty", 5, "failed to read magic", NO_GGUF),
        ("corrupt-text", 5, "invalid magic characters: 'hell', expected 'GGUF'", NO_GGUF),
        ("corrupt-truncated-data", 5, "data is not within the file bounds", CUT),
        ("corrupt-truncated-header", 5, "failed to read key-value pairs", CUT),
        ("directory-as-model", 5, "failed to read magic", NO_GGUF),
        ("missing-file", 5, "failed to open GGUF file", "A file that the server needs is not there."),
        ("no-mmap-flag-gone", 1, "invalid argument: --no-mmap", ARGUMENT),
        ("port-in-use", 4, "couldn't bind HTTP server socket", "Another program holds the port."),
        ("unknown-flag", 1, "invalid argument: --nosuch-flag", ARGUMENT),
        ("hf-offline", 2, "Could not establish connection", NETWORK),
    ],
)
def test_recorded_llama_server_starts_are_explained(name: str, number: int, words: str, meaning: str | None) -> None:
    recording = json.loads((RECORDINGS / "llama-server" / f"start-{name}.json").read_text(encoding="utf-8"))
    found = first_error(recording["log"], common())
    assert found is not None
    assert (found[0], found[2].meaning if found[2] else None) == (number, meaning)
    assert words in found[1]


@pytest.mark.parametrize("name", ["big-context", "memory-100m", "memory-60m-no-mmap", "no-arguments"])
def test_recorded_logs_that_tell_nothing_explain_nothing(name: str) -> None:
    recording = json.loads((RECORDINGS / "llama-server" / f"start-{name}.json").read_text(encoding="utf-8"))
    assert first_error(recording["log"], common()) is None


@pytest.mark.parametrize(
    ("name", "words", "meaning"),
    [
        ("load-failed-broken-blob", "exceeds file size", CUT),
        ("load-timeout", "timed out waiting for llama-server to start", None),
        ("load-client-gone", "context canceled", None),
    ],
)
def test_recorded_ollama_logs_are_explained(name: str, words: str, meaning: str | None) -> None:
    lines = (RECORDINGS / "ollama" / "logs" / f"{name}.txt").read_text(encoding="utf-8").splitlines()[1:]
    found = first_error(lines, common())
    assert found is not None
    assert words in found[1]
    assert (found[2].meaning if found[2] else None) == meaning


def test_warnings_of_a_recorded_good_start_are_no_errors() -> None:
    lines = (RECORDINGS / "ollama" / "logs" / "start.txt").read_text(encoding="utf-8").splitlines()
    assert any("failed" in line for line in lines)
    assert first_error(lines, common()) is None


LINES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "failures" / "lines.yaml").read_text(encoding="utf-8"))


@cache
def everything() -> str:
    texts = (path.read_text(encoding="utf-8") for path in RECORDINGS.rglob("*") if path.suffix in (".json", ".txt"))
    return "\n".join(text.replace('\\"', '"') for text in texts)


def written(line: str) -> bool:
    return line.removeprefix("Error: ") in everything()


@pytest.mark.parametrize("case", LINES, ids=lambda case: case["row"])
def test_lines_of_servers_and_engines_are_known(case: dict[str, str]) -> None:
    found = first_error(["starting", case["line"]], common())
    assert found is not None
    assert (found[0], found[1]) == (2, case["line"])
    assert found[2] is not None
    assert found[2].meaning == case["meaning"]
    recorded = case["source"] == "recorded" and written(case["line"])
    assert recorded or case["source"].startswith("https://github.com/")


RULES = tomllib.loads(Path(failures.__file__).with_suffix(".toml").read_text(encoding="utf-8"))["rule"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["meaning"])
def test_every_pattern_is_proved_by_a_line_of_its_rule(rule: dict[str, Any]) -> None:
    lines = [case["line"] for case in LINES if case["meaning"] == rule["meaning"]]
    for pattern in rule["patterns"]:
        assert any(re.search(pattern, line, re.IGNORECASE) for line in lines), pattern


def test_a_request_s_trouble_explains_nothing_where_something_else_does() -> None:
    busy, fatal = "server busy, please try again", "cudaMalloc failed: out of memory"
    found = first_error([busy, "error: something", fatal], common())
    assert found is not None
    assert found[:2] == (3, fatal)
    found = first_error(["error: something", busy], common())
    assert found is not None
    assert found[:2] == (2, busy)


@pytest.mark.parametrize(
    "harmless",
    [
        "stat /root/.config: no such file or directory",
        "UserWarning: CUDA initialization: Found no NVIDIA driver on your system.",
        "WARNING 03-26 05:25:01 [cuda.py:1] Found no NVIDIA driver on your system.",
        "warning: failed to mlock 86016-byte buffer (after previously locking 0 bytes): Cannot allocate memory",
        "the default path (/workspace/.cache/matplotlib) is not a writable directory; it is highly recommended to",
    ],
)
def test_what_may_be_harmless_hides_nothing(harmless: str) -> None:
    found = first_error([harmless, "cudaMalloc failed: out of memory"], common())
    assert found is not None
    assert found[0] == 2


def test_a_prompt_that_is_too_long_asks_for_no_smaller_context() -> None:
    found = first_error(["error: the request exceeds the available context size"], common())
    assert found is not None
    assert found[2] is not None
    assert found[2].key is None


def test_every_rule_says_what_it_means_and_what_to_do() -> None:
    for rule in common():
        assert rule.meaning.endswith(".")
        assert rule.do
        assert not rule.do.endswith(".")


def test_the_first_line_that_a_rule_knows_wins_over_what_merely_sounds_like_an_error() -> None:
    lines = ["error: something vague", "E cannot do it", "invalid magic characters", "address already in use"]
    found = first_error(lines, common())
    assert found is not None
    assert found[0] == 3


def test_a_log_without_errors_explains_nothing() -> None:
    assert first_error(["all is well", "terror firma"], common()) is None
    assert first_error([], common()) is None
