from __future__ import annotations

import json

import pytest

from llmstack.clients.openai import ANSWER_TIMEOUT_S, OpenAI
from llmstack.domain.server import Life
from llmstack.errors import ServerError
from tests.servers import replay
from tests.unit.clients.conftest import Hurrying, Spy


def events(*bodies: object) -> bytes:
    text = "".join(f"data: {json.dumps(body)}\n\n" for body in bodies) + "data: [DONE]\n\n"
    return f"HTTP/1.1 200 OK\r\n\r\n{text}".encode()


def says(**delta: str) -> dict:
    return {"choices": [{"delta": delta, "finish_reason": None}]}


USAGE = {"choices": [], "usage": {"completion_tokens": 3}}


@pytest.mark.parametrize("url", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"])
def test_the_base_url_is_taken_with_and_without_v1(url):
    assert OpenAI(url).base_url == "http://h:1"


@pytest.mark.parametrize(
    ("name", "life"),
    [
        ("ollama/v1-models", Life.READY),
        ("ollama/v1-models-empty", Life.READY),
        ("ollama/unknown-path", Life.READY),
        ("llama-server/key-v1-models-none", Life.READY),
        ("llama-server/v1-models-loading", Life.LOADING),
        ("ollama/generate-truncated-blob", Life.FAILING),
    ],
)
def test_what_the_list_of_models_says_of_life(recorded, name, life):
    assert OpenAI(recorded(name)).liveness().life is life


def test_too_many_requests_means_alive(saying):
    assert OpenAI(saying(status="429 Too Many Requests", body={}).url).liveness().life is Life.READY


def test_a_refused_key_is_told(recorded):
    assert "Invalid API Key" in OpenAI(recorded("llama-server/key-v1-models-none")).liveness().detail


def test_models_are_listed(recorded):
    assert [model.name for model in OpenAI(recorded("ollama/v1-models")).models()] == ["smollm2:latest"]


def test_no_models_may_be_null(recorded):
    assert OpenAI(recorded("ollama/v1-models-empty")).models() == ()


@pytest.mark.parametrize("data", [7, "x", [1], [{}], [{"id": ""}], [{"id": 5}], {"id": "x"}])
def test_a_list_of_another_shape_breaks_the_protocol(saying, data):
    with pytest.raises(ServerError) as caught:
        OpenAI(saying(body={"data": data}).url).models()
    assert caught.value.kind == "protocol"


def test_the_api_tells_no_version():
    assert OpenAI("http://h").version() is None


def test_an_answer_is_streamed_with_its_tokens(recorded):
    *texts, last = OpenAI(recorded("ollama/v1-chat-stream-usage")).chat("smollm2", "hi")
    assert "".join(chunk.text for chunk in texts) == "I'm so glad you're here."
    assert (last.done, last.tokens, last.clock) == (True, 8, "client")


def test_tokens_are_unknown_when_the_server_does_not_count_them(recorded):
    *_, last = OpenAI(recorded("ollama/v1-chat-stream")).chat("smollm2", "hi")
    assert (last.tokens, last.tokens_per_s) == (None, None)


def test_the_rate_is_measured_between_first_and_last_piece(saying):
    server = saying(events(says(content="a"), says(content="b"), says(content="c"), USAGE))
    *_, last = OpenAI(server.url, clock=Hurrying(0.5)).chat("m", "hi")
    assert last.tokens == 3
    assert last.tokens_per_s == pytest.approx(2 / 3)


def test_thinking_is_kept_apart_from_the_answer(saying):
    server = saying(events(says(reasoning_content="hm"), says(reasoning="so"), says(content="yes"), {"choices": [{}]}))
    chunks = list(OpenAI(server.url).chat("m", "hi"))
    assert [(chunk.thinking, chunk.text) for chunk in chunks[:-1]] == [("hm", ""), ("so", ""), ("", "yes")]


def test_the_request_asks_for_a_repeatable_answer_only_with_a_seed(saying):
    server = saying(events())
    with pytest.raises(ServerError):
        list(OpenAI(saying(b"").url).chat("m", "hi"))
    list(OpenAI(server.url).chat("m", "hi", max_tokens=4, seed=1))
    body = json.loads(server.heard[0].partition("\r\n\r\n")[2])
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "max_tokens": 4,
        "seed": 1,
        "temperature": 0,
        "stream_options": {"include_usage": True},
    }


def test_a_server_that_refuses_newer_and_older_fields_is_asked_again_without_them(saying):
    server = saying(status="400 Bad Request", body={"error": {"message": "unknown field"}})
    with pytest.raises(ServerError, match="unknown field"):
        list(OpenAI(server.url).chat("m", "hi", max_tokens=4))
    bodies = [json.loads(heard.partition("\r\n\r\n")[2]) for heard in server.heard]
    assert [sorted(set(body) - {"model", "messages", "stream"}) for body in bodies] == [
        ["max_tokens", "stream_options"],
        ["max_tokens"],
        ["max_completion_tokens"],
    ]


def test_without_a_limit_there_is_nothing_to_rename(saying):
    server = saying(status="422 No", body={"detail": "no"})
    with pytest.raises(ServerError):
        list(OpenAI(server.url).chat("m", "hi"))
    assert len(server.heard) == 2


def test_a_prompt_that_is_too_long_is_told_at_once():
    with replay.only(replay.LLAMA_SERVER / "chat-too-long-stream.json") as server:
        with pytest.raises(ServerError, match="exceeds the available context size") as caught:
            list(OpenAI(server.url).chat("m", "hi"))
        assert caught.value.kind == "too_long"
        assert len(server.requests) == 1


def test_an_unknown_model_is_not_found(recorded):
    with pytest.raises(ServerError) as caught:
        list(OpenAI(recorded("ollama/v1-chat-missing-model")).chat("nosuch", "hi"))
    assert caught.value.kind == "not_found"


def test_an_answer_that_just_ends_is_cut_after_its_text(recorded):
    texts = []
    with pytest.raises(ServerError) as caught:
        texts.extend(chunk.text for chunk in OpenAI(recorded("ollama/v1-chat-runner-killed")).chat("m", "hi"))
    assert caught.value.kind == "cut"


def test_an_answer_may_wait_for_others(recorded):
    client = OpenAI(recorded("ollama/v1-chat-stream"))
    client.http = spy = Spy(client.base_url)
    list(client.chat("m", "hi"))
    assert spy.waits == [("/v1/chat/completions", ANSWER_TIMEOUT_S)]
