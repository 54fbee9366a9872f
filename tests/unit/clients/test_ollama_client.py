from __future__ import annotations

import itertools

import pytest

from llmstack.clients.ollama import Ollama
from llmstack.domain.server import Life
from llmstack.errors import ServerError
from llmstack.testing.clock import FakeClock
from tests.servers import replay
from tests.servers.wire import Recorded, Wire
from tests.unit.clients.conftest import Spy, asked, chunks, kind, pull


def loaded(client: Ollama) -> dict[str, bool | None]:
    return {model.name: model.loaded for model in client.models()}


class TestLooking:
    def test_a_server_that_runs_is_ready_and_tells_its_version(self, client):
        assert client.liveness().life is Life.READY
        assert client.version() == "0.0.0"

    def test_nobody_there_is_silent_without_a_port(self):
        look = Ollama(replay.closed_port()).liveness()
        assert (look.life, look.port) == (Life.SILENT, False)

    @pytest.mark.parametrize("name", ["version-before-listening", "version-bound-to-loopback"])
    def test_a_published_port_without_a_listener_is_silent_with_a_port(self, recorded, name):
        look = Ollama(recorded(f"ollama/{name}")).liveness()
        assert (look.life, look.port) == (Life.SILENT, True)

    def test_a_llama_server_is_no_ollama(self, recorded):
        assert Ollama(recorded("llama-server/api-version")).liveness().life is Life.FAILING

    def test_looking_wakes_and_loads_nothing(self, client, ollama):
        client.liveness()
        assert asked(ollama) == [("/api/version", {})]

    def test_a_version_that_is_no_text_is_unknown(self, saying):
        assert Ollama(saying(body={"version": 7}).url).version() is None


class TestListing:
    def test_no_models_is_an_empty_list(self, client):
        assert client.models() == ()

    def test_tags_are_merged_with_what_is_loaded(self, client):
        pull(client, "demo:1b", "llama3")
        client.load("demo:1b")
        by_name = {model.name: model for model in client.models()}
        there, idle = by_name["demo:1b"], by_name["llama3:latest"]
        assert (there.loaded, there.vram_bytes, there.memory_bytes, there.context) == (True, 0, 210690374, 4096)
        assert there.size_bytes == 98362745
        assert (idle.loaded, idle.memory_bytes, idle.context, idle.expires_at) == (False, None, None, None)
        assert len(idle.digest or "") == 64
        assert idle.digest != there.digest

    def test_the_recorded_lists_are_understood(self, recorded):
        models = Ollama(recorded("ollama/tags-several")).models()
        assert (len(models), len({model.digest for model in models})) == (4, 2)
        assert all(":" in model.name for model in models)

    def test_a_model_that_still_loads_is_not_loaded(self, recorded):
        assert chunks("ollama/ps-while-loading") == ['{"models":[]}']
        assert Ollama(recorded("ollama/ps-while-loading")).models() == ()

    def test_a_model_deleted_while_loaded_is_not_listed(self, client, ollama):
        pull(client, "demo:1b")
        client.load("demo:1b")
        client.http.send("DELETE", "/api/delete", {"model": "demo:1b"}, 5)
        assert "demo:1b" in ollama.state.loaded()
        assert client.models() == ()

    @pytest.mark.parametrize("models", [7, "x", [1], [{}], [{"name": ""}], {"name": "x"}])
    def test_a_list_of_another_shape_breaks_the_protocol(self, saying, models):
        assert kind(Ollama(saying(body={"models": models}).url).models) == "protocol"

    def test_figures_of_a_wrong_type_are_unknown(self, saying):
        model = Ollama(saying(body={"models": [{"name": "m", "size": "1 GB", "digest": "sha256:ab"}]}).url).models()[0]
        assert (model.size_bytes, model.memory_bytes, model.digest) == (None, None, "ab")

    def test_details_of_a_model(self, recorded, client):
        assert Ollama(recorded("ollama/show")).show("smollm2")["capabilities"] == ["completion"]
        assert kind(lambda: client.show("nosuch")) == "not_found"

    def test_a_pulled_model_is_known_by_its_full_name_only(self, client):
        pull(client, "registry:5000/library/smollm2")
        assert loaded(client) == {"registry:5000/library/smollm2:latest": False}
        assert kind(lambda: client.show("smollm2")) == "not_found"


class TestLoading:
    def test_load_returns_when_the_model_is_there(self, client):
        pull(client, "demo:1b")
        client.load("demo:1b")
        assert loaded(client) == {"demo:1b": True}

    def test_a_load_is_never_given_up_by_the_client(self, client):
        pull(client, "demo:1b")
        client.http = spy = Spy(client.base_url)
        client.load("demo:1b")
        assert spy.waits == [("/api/generate", None)]

    def test_a_load_waits_as_long_as_the_server_lives(self, client, ollama):
        pull(client, "demo:1b")
        ollama.load_s = 0.2
        looks: list[bool] = []
        client.load("demo:1b", alive=lambda: looks.append(True) or True)
        assert looks
        assert loaded(client) == {"demo:1b": True}

    def test_a_load_ends_when_the_server_died(self, client):
        pull(client, "slow-load")
        answers = itertools.chain([True, True], itertools.repeat(False))
        assert kind(lambda: client.load("slow-load", alive=lambda: next(answers))) == "cut"

    @pytest.mark.parametrize(
        ("model", "expected"),
        [
            ("oom", "memory"),
            ("broken", "broken"),
            ("load-timeout", "load_timeout"),
            ("gone", "not_found"),
            ("busy", "busy"),
        ],
    )
    def test_a_listed_model_may_fail_to_load(self, client, model, expected):
        pull(client, model)
        assert loaded(client) == {f"{model}:latest": False}
        assert kind(lambda: client.load(model)) == expected

    def test_out_of_memory_is_told_in_the_servers_words(self, client):
        pull(client, "oom")
        with pytest.raises(ServerError, match="signal: killed"):
            client.load("oom")

    def test_an_unknown_model_is_not_found(self, client):
        assert kind(lambda: client.load("nosuch")) == "not_found"

    @pytest.mark.parametrize("model", ["", "nosuch"])
    def test_an_empty_or_unknown_name_is_refused_by_each_call(self, client, model):
        for call in (client.load, client.show, client.remove, client.unload):
            assert kind(lambda call=call: call(model)) in ("not_found", "server")

    def test_unload_returns_when_the_model_is_gone(self, client):
        pull(client, "demo:1b")
        client.load("demo:1b")
        client.unload("demo:1b")
        assert loaded(client) == {"demo:1b": False}

    def test_unload_of_a_model_that_is_not_loaded_is_fine(self, client):
        pull(client, "demo:1b")
        client.unload("demo:1b")
        assert [model.loaded for model in client.models()] == [False]

    def test_unload_waits_for_a_running_answer_and_then_gives_up(self, ollama):
        clock = FakeClock()
        client = Ollama(ollama.url, clock=clock)
        pull(client, "endless")
        answer = client.chat("endless", "hi")
        next(answer)
        assert kind(lambda: client.unload("endless", timeout_s=1)) == "busy"
        assert clock.slept
        answer.close()

    def test_remove_frees_the_memory_first(self, client, ollama):
        pull(client, "demo:1b")
        client.load("demo:1b")
        client.remove("demo:1b")
        assert client.models() == ()
        assert ollama.state.loaded() == {}

    def test_remove_of_an_unknown_model_is_not_found(self, client):
        assert kind(lambda: client.remove("nosuch")) == "not_found"


def test_a_model_that_cannot_generate_is_loaded_by_an_embedding():
    """The server refuses `generate` with 400 and lists no `completion` among the capabilities."""

    class Embedder(Wire):
        def route(self, path):
            take = self.server.take
            if path == "/api/generate":
                self.replay(take("pull-empty-name"), text='{"error":"\\"m\\" does not support generate"}')
            elif path == "/api/show":
                self.replay(take("tags-empty"), text='{"capabilities":["embedding"]}')
            else:
                self.replay(take("tags-empty"))

    with replay.serving(Recorded(replay.OLLAMA, handler=Embedder)) as server:
        Ollama(server.url).load("m")
        assert [path for _, path, _ in server.requests] == ["/api/generate", "/api/show", "/api/embed"]


def test_a_model_that_can_generate_and_is_refused_stays_refused():
    class Refuser(Wire):
        def route(self, path):
            self.replay(self.server.take("show" if path == "/api/show" else "pull-empty-name"))

    with replay.serving(Recorded(replay.OLLAMA, handler=Refuser)) as server:
        assert kind(lambda: Ollama(server.url).load("m")) == "server"


def test_a_second_name_is_asked_for_as_it_was_recorded(recorded):
    client = Ollama(recorded("ollama/copy-ok"))
    client.copy("smollm2", "registry:5000/library/smollm2")
    with pytest.raises(ServerError):
        Ollama(recorded("ollama/copy-unknown")).copy("nosuch", "x")
