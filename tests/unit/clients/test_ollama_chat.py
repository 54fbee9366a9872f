from __future__ import annotations

import json
from datetime import datetime

import pytest

from llmstack.clients.ollama import Ollama, keep_alive_left
from llmstack.errors import ServerError
from llmstack.testing.clock import FakeClock
from tests.servers.ollama_state import FOREVER_S
from tests.unit.clients.conftest import Spy, asked, kind, pull


class TestAnswering:
    def test_an_answer_is_streamed_with_the_servers_own_rate(self, client):
        pull(client, "demo:1b")
        *texts, last = client.chat("demo:1b", "hi")
        assert "".join(chunk.text for chunk in texts) == "I'm so glad you're here."
        assert (last.done, last.tokens, last.clock) == (True, 8, "server")
        assert last.tokens_per_s == pytest.approx(118.35, abs=0.01)

    def test_a_probe_can_be_repeated_and_does_not_think(self, client, ollama):
        pull(client, "demo:1b")
        list(client.chat("demo:1b", "hi", max_tokens=4, seed=1))
        body = asked(ollama)[-1][1]
        assert body["options"] == {"num_predict": 4, "seed": 1, "temperature": 0}
        assert body["think"] is False

    def test_no_context_size_is_sent_as_another_one_reloads_the_model(self, client, ollama):
        pull(client, "demo:1b")
        list(client.chat("demo:1b", "hi"))
        assert all("num_ctx" not in json.dumps(body) for _, body in asked(ollama))

    def test_a_model_is_loaded_without_a_time_limit_before_it_is_asked(self, client, ollama):
        pull(client, "demo:1b")
        client.http = spy = Spy(client.base_url)
        list(client.chat("demo:1b", "hi"))
        assert spy.waits == [("/api/ps", 5.0), ("/api/generate", None), ("/api/chat", 300.0)]

    def test_thinking_is_kept_apart(self, saying):
        said = {"message": {"thinking": "hm", "content": ""}, "done": True}
        chunk = next(Ollama(saying(body=said | {"models": [{"name": "m"}]}).url).chat("m", "hi"))
        assert (chunk.thinking, chunk.text, chunk.tokens, chunk.tokens_per_s) == ("hm", "", None, None)

    def test_a_killed_runner_is_told_in_mid_answer(self, client):
        pull(client, "crash")
        texts = []
        with pytest.raises(ServerError, match="unexpected EOF") as caught:
            texts.extend(chunk.text for chunk in client.chat("crash", "hi"))
        assert caught.value.kind == "killed"
        assert texts[0] == "Title"

    @pytest.mark.parametrize("name", ["stop-in-mid-answer", "killed-in-mid-answer"])
    def test_a_stopped_server_cuts_its_answer(self, recorded, name):
        url = recorded(f"ollama/{name}")
        assert kind(lambda: list(Ollama(url)._lines("/api/generate", {}, 5))) == "cut"

    def test_an_answer_that_ends_without_done_is_cut(self, saying):
        server = saying(body={"models": [{"name": "m"}], "message": {"content": "I"}, "done": False})
        assert kind(lambda: list(Ollama(server.url).chat("m", "hi"))) == "cut"

    def test_a_prompt_above_the_context_gets_an_empty_answer_without_an_error(self, client):
        pull(client, "demo:1b")
        chunks_ = list(client.chat("demo:1b", "word " * 6000))
        assert [(chunk.text, chunk.done) for chunk in chunks_] == [("", True)]

    def test_an_unknown_model_is_not_found(self, client):
        assert kind(lambda: list(client.chat("nosuch", "hi"))) == "not_found"


class TestKeepAlive:
    def sent(self, server) -> object:
        return asked(server)[-1][1].get("keep_alive")

    def test_a_probe_leaves_the_time_in_memory_as_it_was(self, client, ollama):
        pull(client, "demo:1b")
        client.http.send("POST", "/api/generate", {"model": "demo:1b", "keep_alive": "90s"}, 5)
        list(client.chat("demo:1b", "hi", max_tokens=1))
        assert 0 < float(str(self.sent(ollama)).removesuffix("s")) <= 90

    def test_for_ever_stays_for_ever(self, client, ollama):
        pull(client, "demo:1b")
        client.http.send("POST", "/api/generate", {"model": "demo:1b", "keep_alive": -1}, 5)
        assert str(client.models()[0].expires_at).startswith("23")
        list(client.chat("demo:1b", "hi"))
        assert self.sent(ollama) == -1

    def test_a_model_that_was_not_loaded_gets_the_servers_default(self, client, ollama):
        pull(client, "demo:1b")
        list(client.chat("demo:1b", "hi"))
        assert "keep_alive" not in asked(ollama)[-1][1]

    def test_the_time_left_is_counted_by_the_servers_clock(self, ollama):
        client = Ollama(ollama.url, clock=FakeClock(now=1.0))
        pull(client, "demo:1b")
        client.load("demo:1b")
        list(client.chat("demo:1b", "hi"))
        assert 0 < float(str(self.sent(ollama)).removesuffix("s")) <= 300

    def test_a_server_that_tells_no_time_is_trusted_to_share_ours(self, saying):
        item = {"name": "m", "expires_at": "2026-11-22T17:19:30Z"}
        said = {"models": [item], "done": True}
        server = saying(body=said)
        list(
            Ollama(server.url, clock=FakeClock(datetime.fromisoformat("2026-11-22T17:19:00Z").timestamp())).chat(
                "m", "x"
            )
        )
        assert '"keep_alive": "30.000s"' in server.heard[-1]

    @pytest.mark.parametrize(
        ("expires_at", "left"),
        [
            ("1970-01-01T00:05:00.132241385Z", "200.132s"),
            ("1970-01-01T01:05:00+01:00", "200.000s"),
            ("1970-01-01T00:00:01Z", "0.000s"),
            ("2319-03-04T17:01:47.439608367Z", -1),
            ("soon", None),
            ("", None),
        ],
    )
    def test_what_is_left_of_the_time_in_memory(self, expires_at, left):
        assert keep_alive_left(expires_at, 100.0) == left

    def test_for_ever_is_as_long_as_the_server_can_count(self):
        assert 292 < FOREVER_S / 365.25 / 86400 < 293
