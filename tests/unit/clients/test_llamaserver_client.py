from __future__ import annotations

import json
from typing import ClassVar

import pytest

from llmstack.clients.llamaserver import LlamaServer
from llmstack.domain.server import Life, ServedModel
from llmstack.errors import ServerError
from tests.servers import replay
from tests.servers.wire import Recorded, Wire


class Routes(Wire):
    """Each path by the recording of that name."""

    table: ClassVar = {"/health": "health-ready", "/props": "props", "/v1/models": "v1-models", "/": "root"}

    def route(self, path):
        self.replay(self.server.take(self.table.get(path, "unknown-path")))


class Router(Routes):
    table: ClassVar = {"/health": "router-health", "/props": "router-props", "/v1/models": "router-models-loaded"}


def serving(handler: type[Wire]):
    return replay.serving(Recorded(replay.LLAMA_SERVER, handler=handler))


def asked(server: Recorded) -> list[str]:
    return [path for _, path, _ in server.requests]


@pytest.mark.parametrize(
    ("name", "life"),
    [
        ("health-ready", Life.READY),
        ("health-busy", Life.READY),
        ("health-loading", Life.LOADING),
        ("router-health", Life.READY),
    ],
)
def test_health_tells_loading_from_ready(recorded, name, life):
    assert LlamaServer(recorded(f"llama-server/{name}")).liveness().life is life


def test_the_order_of_a_start_is_reset_then_loading_then_ready(recorded):
    with replay.resetting() as url:
        before = LlamaServer(url).liveness()
    loading = LlamaServer(recorded("llama-server/health-loading")).liveness()
    ready = LlamaServer(recorded("llama-server/health-ready")).liveness()
    assert [look.life for look in (before, loading, ready)] == [Life.SILENT, Life.LOADING, Life.READY]
    assert before.port


def test_the_web_page_that_is_there_before_the_model_is_never_asked():
    with serving(Routes) as server:
        LlamaServer(server.url).liveness()
        assert asked(server) == ["/health"]


def test_version_and_context_come_from_props():
    with serving(Routes) as server:
        client = LlamaServer(server.url)
        assert client.version() == "b11669-Debian"
        assert client.models() == (
            ServedModel(name="/models/smollm2.gguf", size_bytes=96576768, context=512, loaded=True),
        )


def test_a_list_that_lacks_the_context_is_completed_from_props():
    class Old(Routes):
        def route(self, path):
            if path == "/v1/models":
                self.replay(self.server.take("v1-models"), text='{"data":[{"id":"m","meta":null}]}')
            else:
                super().route(path)

    with serving(Old) as server:
        assert LlamaServer(server.url).models() == (ServedModel(name="m", context=512, loaded=True),)
        assert asked(server) == ["/v1/models", "/props"]


def test_props_of_another_shape_leave_the_context_unknown():
    class Odd(Routes):
        def route(self, path):
            text = '{"data":[{"id":"m"}]}' if path == "/v1/models" else '{"default_generation_settings":[]}'
            self.replay(self.server.take("v1-models"), text=text)

    with serving(Odd) as server:
        assert LlamaServer(server.url).models()[0].context is None


def test_an_alias_names_the_model(recorded):
    assert LlamaServer(recorded("llama-server/alias-v1-models")).models()[0].name == "tiny"


def test_a_router_lists_broken_files_and_tells_what_is_loaded():
    with serving(Router) as server:
        client = LlamaServer(server.url)
        loaded = {model.name: model.loaded for model in client.models()}
        assert (loaded["broken"], loaded["smollm2"]) == (False, True)
        assert client.liveness().life is Life.READY


@pytest.mark.parametrize("name", ["router-models", "router-models-loading", "router-models-unloaded"])
def test_a_router_that_is_healthy_may_have_nothing_loaded(recorded, name):
    assert not any(model.loaded for model in LlamaServer(recorded(f"llama-server/{name}")).models())


def test_the_servers_own_rate_is_taken(recorded):
    *texts, last = LlamaServer(recorded("llama-server/chat-stream-usage")).chat("smollm2", "hi")
    assert "".join(chunk.text for chunk in texts).startswith("Hello!")
    assert (last.tokens, last.clock) == (8, "server")
    assert last.tokens_per_s == pytest.approx(75.86, abs=0.01)


def test_tokens_come_from_the_timings_when_there_is_no_usage(recorded):
    *_, last = LlamaServer(recorded("llama-server/chat-stream")).chat("smollm2", "hi")
    assert (last.tokens, last.clock) == (8, "server")


def test_a_name_that_the_server_does_not_have_is_answered_all_the_same():
    with replay.only(replay.LLAMA_SERVER / "chat-stream.json") as server:
        *_, last = LlamaServer(server.url).chat("nosuch", "hi")
        assert last.done
        assert server.requests[0][2]["model"] == "nosuch"


@pytest.mark.parametrize("name", ["killed-in-mid-answer", "stop-in-mid-answer"])
def test_an_answer_of_a_server_that_goes_away_is_cut_after_its_text(recorded, name):
    texts = []
    with pytest.raises(ServerError) as caught:
        texts.extend(chunk.text for chunk in LlamaServer(recorded(f"llama-server/{name}")).chat("m", "hi"))
    assert caught.value.kind == "cut"
    assert "".join(texts).startswith("Hello")


def test_a_reset_in_mid_request_is_a_reset(recorded):
    with pytest.raises(ServerError) as caught:
        list(LlamaServer(recorded("llama-server/killed-in-mid-answer-nostream")).chat("m", "hi"))
    assert caught.value.kind == "reset"


def test_asking_while_it_loads_says_so(recorded):
    with pytest.raises(ServerError) as caught:
        list(LlamaServer(recorded("llama-server/chat-loading")).chat("m", "hi"))
    assert (caught.value.kind, caught.value.status) == ("loading", 503)


def test_without_its_key_the_server_is_alive_and_denies_the_rest(recorded):
    assert LlamaServer(recorded("llama-server/key-health-none")).liveness().life is Life.READY
    with pytest.raises(ServerError) as caught:
        LlamaServer(recorded("llama-server/key-props-none")).version()
    assert caught.value.kind == "denied"


def test_the_key_goes_with_every_request(saying):
    server = saying(body=json.loads('{"build_info": "b1"}'))
    assert LlamaServer(server.url, "sesame").version() == "b1"
    assert "Authorization: Bearer sesame" in server.heard[0]


def test_a_build_that_does_not_know_its_number_has_no_version(saying):
    assert LlamaServer(saying(body=json.loads('{"build_info": "b0-unknown"}')).url).version() is None


def test_an_ollama_is_told_from_a_llama_server(recorded):
    assert LlamaServer(recorded("ollama/health-path")).liveness().life is Life.FAILING


@pytest.mark.parametrize(
    ("name", "count"),
    [("slots-busy", 1), ("slots", 0), ("slots-off", None), ("slots-loading", None), ("health-ready", None)],
)
def test_busy_slots_are_requests_in_flight(recorded, name, count):
    assert LlamaServer(recorded(f"llama-server/{name}")).in_flight() == count
