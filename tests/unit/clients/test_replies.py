from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmstack.clients.replies import HINTS, error_of, kind_of, printable, refusal, server_text
from tests.servers.replay import RECORDINGS


def recorded_refusals() -> dict[str, tuple[int, bytes]]:
    found = {}
    for path in sorted(RECORDINGS.rglob("*.json")):
        response = json.loads(path.read_text()).get("response") if path.parent != RECORDINGS else None
        if response and response["status"] >= 400:
            body = "".join(chunk["text"] for chunk in response["chunks"]).encode()
            found[f"{path.parent.name}/{path.stem}"] = (response["status"], body)
    return found


REFUSALS = recorded_refusals()


@pytest.mark.parametrize("name", REFUSALS)
def test_each_recorded_refusal_has_a_kind_a_hint_and_the_servers_words(name):
    status, body = REFUSALS[name]
    error = refusal(status, body, "POST host/x")
    assert error.status == status
    assert error.hint
    assert not str(error.data["text"]).startswith("{")
    assert bool(error.data["text"]) == bool(body.strip())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ollama/unknown-path", "not_found"),
        ("ollama/wrong-method", "unsupported"),
        ("ollama/origin-denied", "denied"),
        ("ollama/generate-queue-full-reload", "busy"),
        ("ollama/generate-load-timeout", "load_timeout"),
        ("ollama/embed", "unsupported"),
        ("ollama/embeddings-old", "server"),
        ("ollama/pull-empty-name", "server"),
        ("llama-server/health-loading", "loading"),
        ("llama-server/unknown-path-loading", "loading"),
        ("llama-server/wrong-method", "not_found"),
        ("llama-server/embedding-off", "unsupported"),
        ("llama-server/metrics-off", "unsupported"),
        ("llama-server/chat-too-long", "too_long"),
        ("llama-server/chat-too-long-stream", "too_long"),
        ("llama-server/v1-embeddings-too-long", "server"),
        ("llama-server/key-v1-models-none", "denied"),
        ("llama-server/key-chat-wrong", "denied"),
        ("llama-server/router-chat-unknown", "server"),
        ("llama-server/router-chat-no-model", "server"),
        ("llama-server/router-load-unknown", "not_found"),
        ("llama-server/router-chat-broken", "server"),
    ],
)
def test_the_kind_of_a_recorded_refusal(name, kind):
    status, body = REFUSALS[name]
    assert refusal(status, body, "x").kind == kind


@pytest.mark.parametrize(
    "name",
    [
        "generate-missing-model",
        "generate-no-model",
        "delete-unknown",
        "show-unknown",
        "copy-unknown",
        "embed-missing-model",
        "v1-chat-missing-model",
        "v1-models-unknown",
        "generate-blob-gone",
    ],
)
def test_a_missing_model_is_known_by_404_whatever_the_wording(name):
    status, body = REFUSALS[f"ollama/{name}"]
    assert refusal(status, body, "x").kind == "not_found"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"error": {"message": "m", "type": "t"}}, "m"),
        ({"error": {"code": 7}}, "{'code': 7}"),
        ({"object": "error", "message": "flat"}, "flat"),
        ({"error": "words", "error_type": "t"}, "words"),
        ({"message": "alone"}, "alone"),
        ({"detail": "fast"}, "fast"),
        ({"detail": [{"loc": ["body"]}]}, '[{"loc": ["body"]}]'),
        ({"other": 1}, '{"other": 1}'),
        ([1], "[1]"),
    ],
)
def test_the_shapes_of_error_bodies(body, text):
    assert server_text(json.dumps(body).encode())[0] == text


def test_plain_text_is_taken_as_it_is():
    assert server_text(b" 404 page not found\n") == ("404 page not found", "")


def test_an_answer_is_no_error_though_it_has_a_message():
    assert error_of({"choices": [], "message": "hello"}) is None


def test_the_words_of_a_server_cannot_drive_a_terminal():
    assert printable("a\x1b[31m\r\nb\x07" + "c" * 600) == "a [31m b " + "c" * 490


def test_every_kind_has_a_hint():
    errors = Path(RECORDINGS.parent.parent / "llmstack" / "errors.py").read_text()
    assert all(kind in errors for kind in HINTS)


@pytest.mark.parametrize(
    ("status", "kind"), [(429, "busy"), (504, "timeout"), (408, "timeout"), (403, "denied"), (418, "server")]
)
def test_the_kind_of_a_bare_status(status, kind):
    assert kind_of(status, "") == kind


def test_a_too_long_prompt_is_known_by_the_words_of_other_servers_too():
    assert kind_of(400, "This model's maximum context length is 512 tokens") == "too_long"
    assert kind_of(400, "", "context_length_exceeded") == "too_long"
