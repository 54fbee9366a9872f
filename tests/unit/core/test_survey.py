"""What serves models here already is what answers."""

from __future__ import annotations

from dataclasses import replace

from llmstack.clients.ollama import Ollama
from llmstack.core.survey import survey
from llmstack.domain.instance import Instance, State
from llmstack.modeltype.registry import Registry
from tests.servers.replay import closed_port, ollama
from tests.unit.core.world import World


def stranger(url: str, name: str) -> Instance:
    port = int(url.rpartition(":")[2])
    return Instance(
        id=name, container_name=name, service="ollama", host="localhost", engine="docker",
        state=State.STARTING, running=True, port=port,
    )  # fmt: skip


def test_only_what_answers_is_told_and_with_the_models_that_it_has(world: World) -> None:
    with ollama() as server:
        Ollama(server.url).pull("demo", lambda _: None)
        for name, url in (("dead", closed_port()), ("ollama", server.url)):
            world.engine().add_stranger(stranger(url, name))
        machine = survey(world.context(), Registry(), memory_bytes=None, taken=frozenset())
        assert [row.url for row in machine.serving] == [server.url]
        assert machine.ollama_url == server.url
        assert machine.served == {server.url: ("demo:latest",)}


def test_a_companion_of_ours_serves_no_models_though_it_answers(world: World) -> None:
    with ollama() as server:
        page = world.run(world.want("ollama", "page", port=int(server.url.rpartition(":")[2])))
        assert page.spec
        for type_, served in (("container", []), ("ollama", ["ollama"])):
            world.engine().add(replace(page, spec=replace(page.spec, type=type_)))
            machine = survey(world.context(), Registry(), memory_bytes=None, taken=frozenset())
            assert [row.service for row in machine.serving] == served
