"""Why servers die, by what they wrote. Recorded lines come from real servers; quoted ones from their documents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmstack.modeltype.failures import COMMON, first_error

RECORDINGS = Path(__file__).parents[2] / "recordings"

CUT = "The model file is cut off."
NO_GGUF = "The model file is not a GGUF file."
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
        ("hf-offline", 2, "Could not establish connection", None),
    ],
)
def test_recorded_llama_server_starts_are_explained(name: str, number: int, words: str, meaning: str | None) -> None:
    recording = json.loads((RECORDINGS / "llama-server" / f"start-{name}.json").read_text(encoding="utf-8"))
    found = first_error(recording["log"], COMMON)
    assert found is not None
    assert (found[0], found[2].meaning if found[2] else None) == (number, meaning)
    assert words in found[1]


@pytest.mark.parametrize("name", ["big-context", "memory-100m", "memory-60m-no-mmap", "no-arguments"])
def test_recorded_logs_that_tell_nothing_explain_nothing(name: str) -> None:
    recording = json.loads((RECORDINGS / "llama-server" / f"start-{name}.json").read_text(encoding="utf-8"))
    assert first_error(recording["log"], COMMON) is None


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
    found = first_error(lines, COMMON)
    assert found is not None
    assert words in found[1]
    assert (found[2].meaning if found[2] else None) == meaning


def test_warnings_of_a_recorded_good_start_are_no_errors() -> None:
    lines = (RECORDINGS / "ollama" / "logs" / "start.txt").read_text(encoding="utf-8").splitlines()
    assert any("failed" in line for line in lines)
    assert first_error(lines, COMMON) is None


QUOTED = [
    "listen tcp 127.0.0.1:11434: bind: address already in use",
    "Error: driver failed programming: Bind for 0.0.0.0:8080 failed: port is already allocated",
    "error loading model: unknown model architecture: 'qwen9'",
    "ValueError: Model architectures ['QwenNext'] are not supported for now.",
    "llama_model_load: error: file is not in GGUF format",
    "Error: unexpected end of file",
    "xllamacpp cannot be loaded (libgomp.so.1: cannot open shared object file: No such file or directory)",
    "FileNotFoundError: [Errno 2] No such file or directory: '/models/x'",
    "write /root/.ollama/models/blobs/sha256-1-partial: no space left on device",
    "Illegal instruction (core dumped)",
    "ggml_backend_cuda_buffer_type_alloc_buffer: cudaMalloc failed: out of memory",
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
    'could not select device driver "nvidia" with capabilities: [[gpu]]',
    "nvidia-container-cli: initialization error: load library failed",
    "vllm: error: unrecognized arguments: --nosuch",
    "open /root/.ollama/id_ed25519: permission denied",
]


@pytest.mark.parametrize("line", QUOTED)
def test_quoted_lines_of_servers_and_engines_are_known(line: str) -> None:
    found = first_error(["starting", line], COMMON)
    assert found is not None
    assert (found[0], found[1]) == (2, line)
    assert found[2] is not None


def test_every_rule_is_proved_by_a_line() -> None:
    recorded = [
        line
        for path in (RECORDINGS / "llama-server").glob("start-*.json")
        for line in json.loads(path.read_text(encoding="utf-8")).get("log") or []
    ]
    used = {found[2] for line in (*QUOTED, *recorded) if (found := first_error([line], COMMON))}
    assert set(COMMON) <= used


def test_every_rule_says_what_it_means_and_what_to_do() -> None:
    for rule in COMMON:
        assert rule.meaning.endswith(".")
        assert rule.do
        assert not rule.do.endswith(".")


def test_the_first_line_that_a_rule_knows_wins_over_what_merely_sounds_like_an_error() -> None:
    lines = ["error: something vague", "E cannot do it", "invalid magic characters", "address already in use"]
    found = first_error(lines, COMMON)
    assert found is not None
    assert found[0] == 3


def test_a_log_without_errors_explains_nothing() -> None:
    assert first_error(["all is well", "terror firma"], COMMON) is None
    assert first_error([], COMMON) is None
