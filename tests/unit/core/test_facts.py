"""What is asked before a plan: instances everywhere, their models, what must be fetched."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from llmstack.core.context import client_of
from llmstack.core.desired import Wanted
from llmstack.core.facts import with_facts
from llmstack.core.observe import Observed, elsewhere, in_parallel, observe, places_of, sort_out
from llmstack.core.plan import plan_pull, plan_up
from llmstack.core.select import Picked
from llmstack.domain.engine_facts import EngineFacts
from llmstack.domain.event import EventType
from llmstack.domain.gpu import Gpu
from llmstack.domain.instance import Need
from llmstack.domain.plan import ActionKind
from llmstack.domain.secret import Secret
from llmstack.domain.server import Life, ServedModel
from llmstack.domain.target import Target
from llmstack.errors import (
    LlmstackError,
    PluginError,
    PreflightError,
    SecretError,
    UnreachableError,
)
from llmstack.modeltype.source import gguf_weights
from tests.servers.files import FileServer, serving
from tests.unit.core.world import REFUSED, World, refuse


def picked(*wanted: Wanted) -> list[Picked]:
    return [Picked(item, item.placement.models) for item in wanted]


def seen(world: World) -> Observed:
    return sort_out([row for engine in world.engines.values() for row in engine.instances.values()], {})


def test_hosts_are_asked_in_parallel_and_errors_are_results(world: World) -> None:
    wanted = [world.want("a", host=f"h{number}") for number in range(6)]
    for item in wanted:
        world.run(item)
    world.engine("h3").refuse("observe", UnreachableError("no route"))
    rows, errors = observe(places_of(wanted), world.context().engine_of, "lab", 4)
    assert {row.host for row in rows} == {"h0", "h1", "h2", "h4", "h5"}
    assert list(errors) == [("h3", "docker")]


def test_parallel_work_really_overlaps_and_keeps_its_order() -> None:
    gate = threading.Barrier(3, timeout=10)
    assert in_parallel(lambda n: (gate.wait(), n)[1], [1, 2, 3], 3) == [1, 2, 3]


def test_what_is_not_where_it_is_wanted_is_looked_for_elsewhere(world: World) -> None:
    lost, there = world.want("lost", engine="process"), world.want("there", port=1)
    away, external = world.want("away", host="far"), world.want("ext", "lazy", url="http://x:1")
    world.run(there)
    found = replace(seen(world), errors={("far", "docker"): UnreachableError("no")})
    places = elsewhere((lost, there, away, external), found, ("docker", "process"))
    assert list(places) == [("localhost", "docker")]


def broken(found: Observed) -> dict[Target, LlmstackError]:
    return {target: facts.broken for target, facts in found.facts.items() if facts.broken}


def life(found: Observed, target: Target) -> Life | None:
    told = found.told(target).life
    return told and told.life


def facts(world: World, *wanted: Wanted, task: str = "up") -> Observed:
    return with_facts(picked(*wanted), seen(world), world.context(task))


def test_what_runs_as_wanted_is_asked_nothing_but_its_models(world: World) -> None:
    demo, ollama = world.want(), world.want("ollama", "lazy", port=2, models=("llama3",))
    world.run(demo)
    world.run(ollama)
    world.server(2).models["llama3"] = ServedModel(name="llama3")
    found = facts(world, demo, ollama)
    assert world.engine().calls == []
    assert world.server(8080).calls == []
    assert found.told(ollama.target).served == (ServedModel(name="llama3"),)
    assert found.told(demo.target).served is None


def test_a_lazy_server_that_does_not_answer_or_has_no_port_tells_no_models(world: World) -> None:
    ollama, portless = world.want("ollama", "lazy", port=2), world.want("q", "lazy", port=None)
    world.run(ollama)
    world.run(portless)
    world.server(2).errors["models"] = refuse()
    found = facts(world, ollama, portless)
    assert (found.told(ollama.target).served, found.told(portless.target).served) == (None, None)


def test_what_must_be_fetched_or_cannot_start_is_found_before(world: World) -> None:
    one, two = world.want("one"), world.want("two", port=2)
    world.engine().lack("one", Need(kind="image", name="i:1"))
    found = facts(world, one, two)
    assert [need.name for need in found.told(one.target).needs] == ["i:1"]
    world.engine().refuse("missing", PreflightError("no program"), times=None)
    found = facts(world, one)
    assert broken(found)[one.target].message == "no program"


def test_a_port_of_somebody_else_is_in_the_way_and_one_of_the_stack_may_be_free_in_time(world: World) -> None:
    one, two, moved = world.want("one"), world.want("two", port=2), world.want("moved", port=3)
    world.engine().occupy(8080, "nginx")
    world.run(replace(moved, spec=replace(moved.needed_spec, port=2)))
    found = facts(world, one, two)
    assert broken(found)[one.target].data["holder"] == "nginx"
    hint = "moved@localhost has it now: pick it too, or llmstack down --service moved first"
    assert broken(found)[two.target].hint == hint  # the planner sees whether it leaves
    assert two.target not in broken(facts(world, two, task="doctor"))
    del world.all[moved.target]
    assert two.target in broken(facts(world, two))
    assert broken(facts(world, one, two, task="pull")) == {}


def test_a_plugin_that_raises_while_it_looks_is_named(world: World) -> None:
    one, two = world.want("one"), world.want("two", "page", port=2)

    def preflight(spec: object) -> None:
        raise KeyError("x")

    world.types["loader"].preflight = preflight  # type: ignore[method-assign, assignment]
    found = facts(world, one, two)
    assert isinstance(broken(found)[one.target], PluginError)
    assert two.target not in broken(found)


def test_a_secret_that_cannot_be_read_breaks_its_own_service_alone(world: World) -> None:
    def read() -> str:
        raise SecretError("the secret env:KEY is not set")

    one, two = world.want("one"), world.want("two", port=2)
    assert one.spec is not None
    world.run(replace(one, spec=replace(one.spec, secrets={"KEY": Secret("env:KEY", lambda: "x")})))
    wanted = replace(one, spec=replace(one.spec, secrets={"KEY": Secret("env:KEY", read)}))
    found = facts(world, wanted, two)
    assert isinstance(broken(found)[one.target], SecretError)
    assert two.target not in broken(found)


def test_a_volume_that_somebody_else_mounts_is_not_followed_by_a_copy(world: World) -> None:
    world.run(world.want("page", "page", mounts=("data:/data",)))
    other = world.want("other", "page", port=2, mounts=("data:/data",))
    world.run(replace(other, spec=replace(other.needed_spec, stack="theirs")))
    del world.all[other.target]
    page = world.want("page", "page", mounts=("data:/data",), args=("--new",), stateful=True)
    error = broken(facts(world, page))[page.target]
    assert error.message == (
        "page@localhost is to have volume data for itself, but llmstack-theirs-other mounts it too"
    )
    assert broken(facts(world, replace(page, spec=page.needed_spec), task="down")) == {}
    same = world.want("page", "page", mounts=("data:/data",), stateful=True)
    assert broken(facts(world, same)) == {}
    assert same.target in broken(facts(world, same, task="restore"))
    plain = world.want("page", "page", mounts=("data:/data",), args=("--new",))
    assert broken(facts(world, plain)) == {}


def test_external_services_are_looked_at_once(world: World) -> None:
    far, quiet = (
        world.want("far", "lazy", url="http://127.0.0.1:1"),
        world.want("quiet", "lazy", url="http://127.0.0.1:2"),
    )
    world.server(2).lives = [REFUSED]
    found = facts(world, far, quiet)
    assert (life(found, far.target), life(found, quiet.target)) == ("ready", "silent")
    assert (found.told(far.target).served, found.told(quiet.target).served) == ((), None)


def test_what_is_off_or_wrong_is_asked_nothing(world: World) -> None:
    off = world.want("off", enabled=False)
    wrong = replace(world.want("wrong", "lazy", url="http://127.0.0.1:1"), error=PluginError("broken"), type=None)
    found = facts(world, off, wrong)
    assert (broken(found), world.engine().calls) == ({}, [])


def test_going_down_needs_no_preflight(world: World) -> None:
    demo = world.want()
    facts(world, demo, task="down")
    assert world.engine().calls == []


def test_places_that_could_not_be_asked_have_no_facts(world: World) -> None:
    demo = world.want()
    observed = Observed(errors={("localhost", "docker"): UnreachableError("no")})
    assert with_facts(picked(demo), observed, world.context()).facts == {}


@pytest.mark.parametrize("value", ["plain", Secret("env:KEY", lambda: "plain")])
def test_a_client_gets_the_key_of_its_service(world: World, value: str | Secret) -> None:
    kind, keys = world.types["loader"], []
    kind.api_key_env = "KEY"  # type: ignore[misc]
    kind.client = lambda url, key, options: keys.append(key)  # type: ignore[method-assign, assignment, func-returns-value]
    client_of(world.want(env={"KEY": value}), "http://x")
    assert keys == ["plain"]


def test_a_client_that_a_plugin_cannot_make_is_the_plugins_fault(world: World) -> None:
    def client(url: str, key: str | None, options: object) -> None:
        raise TypeError("no")

    world.types["loader"].client = client  # type: ignore[method-assign, assignment]
    with pytest.raises(PluginError, match="plugin 'loader' raised TypeError: no"):
        client_of(world.want(), "http://x")
    with pytest.raises(PluginError, match="has no type"):
        client_of(replace(world.want(), type=None), "http://x")
    with pytest.raises(PluginError, match="broken"):
        client_of(replace(world.want(), type=None, error=PluginError("broken")), "http://x")


def test_a_file_that_does_not_fit_here_is_refused_in_the_plan(world: World) -> None:
    weights = gguf_weights("https://x.org/m.gguf", ".")
    wanted, context = world.want(engine="process", weights=weights), world.context("pull")
    world.engine(kind="process").lack("demo", Need(kind="weights", name=weights.source))
    context.sizes[weights.source] = 10**18
    error = broken(with_facts(picked(wanted), seen(world), context))[wanted.target]
    assert error.exit_code == 9
    assert "https://x.org/m.gguf needs 1000000000000.0 MB, the disk of" in error.message


def test_an_address_without_a_file_is_told_once_where_nobody_else_has_it(world: World) -> None:
    with serving(FileServer(b"")) as server:
        server.status = 404
        weights = gguf_weights(f"{server.url}/m.gguf", ".")
        wanted = world.want(engine="process", weights=weights)
        world.engine(kind="process").lack("demo", Need(kind="weights", name=weights.source))
        error = broken(facts(world, wanted, task="pull"))[wanted.target]
    assert (error.exit_code, "answered 404" in error.message) == (10, True)
    assert world.ears.of(EventType.WARNING) == []


def test_the_size_of_what_is_to_be_fetched_is_asked_of_its_server(world: World) -> None:
    with serving(FileServer(bytes(5000))) as server:
        wanted = world.want(weights=gguf_weights(f"{server.url}/m.gguf", "."))
        need = Need(kind="weights", name="m")
        world.engine().lack("demo", need, Need(kind="image", name="image:1"))
        assert facts(world, wanted).told(wanted.target).needs == (
            replace(need, size_bytes=5000),
            Need(kind="image", name="image:1"),
        )


@pytest.mark.parametrize(("status", "exit_code"), [(404, 10), (503, None)])
def test_a_source_without_a_file_is_refused_once_where_the_host_surely_lacks_it(
    world: World, status: int, exit_code: int | None
) -> None:
    with serving(FileServer(b"", status=status)) as server:
        wanted = world.want(weights=gguf_weights(f"{server.url}/m.gguf", "."))
        world.engine().lack("demo", Need(kind="weights", name="m"))
        found = facts(world, wanted)
    assert [error.exit_code for error in broken(found).values()] == ([exit_code] if exit_code else [])
    assert world.ears.of(EventType.WARNING) == []


@pytest.mark.parametrize("only_looks", [True, False])
def test_what_the_host_may_have_is_planned_and_a_look_tells_the_doubt(world: World, *, only_looks: bool) -> None:
    with serving(FileServer(b"", status=404)) as server:
        wanted = world.want(weights=gguf_weights(f"{server.url}/m.gguf", "."))
        need = Need(kind="weights", name="m", perhaps=True)
        world.engine().lack("demo", need)
        found = with_facts(picked(wanted), seen(world), world.context("pull", only_looks=only_looks))
    assert (found.told(wanted.target).needs, broken(found)) == ((need,), {})
    told = [warning.message for warning in world.ears.of(EventType.WARNING)]
    assert ["answered 404: there is no such file; correct the address" in message for message in told] == (
        [True] if only_looks else []
    )


@pytest.mark.parametrize("source", ["https://x.org/m.gguf", "file:m.gguf"])
def test_a_file_that_does_not_fit_on_its_host_is_refused_in_the_plan(world: World, source: str, tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    weights = gguf_weights(source, str(tmp_path))
    wanted, context = world.want(weights=weights), world.context("pull")
    world.engine().told = EngineFacts(name="fake", folder="/var/lib/docker", free_bytes=4_000_000)
    context.sizes[source] = 5_000_000
    world.engine().lack("demo", Need(kind="weights", name=source, size_bytes=None if weights.remote else 5_000_000))
    error = broken(with_facts(picked(wanted), seen(world), context))[wanted.target]
    assert error.message == f"{source} on localhost needs 5.0 MB, /var/lib/docker has 4.0 MB"


def test_a_model_that_does_not_fit_is_refused_alone_and_the_size_of_others_is_told(world: World) -> None:
    ollama = world.want("ollama", "lazy", models=("big", "small", "there"))
    world.run(ollama)
    world.server().models["there"] = ServedModel(name="there")
    world.server().sizes = {"big": 5_000_000, "small": 3_000_000}
    world.engine().told = EngineFacts(name="fake", folder="/var/lib/docker", free_bytes=4_000_000)
    actions = {
        action.target.name: action for action in plan_pull(picked(ollama), facts(world, ollama, task="pull")).actions
    }
    assert [(name, action.kind) for name, action in actions.items()] == [
        ("big", ActionKind.REFUSED),
        ("small", ActionKind.FETCH),
        ("there", ActionKind.KEEP),
    ]
    assert actions["big"].reason == "big on localhost needs 5.0 MB, /var/lib/docker has 4.0 MB"
    assert actions["small"].needs[0].size_bytes == 3_000_000


@pytest.mark.parametrize(
    ("gpu", "here", "cards", "told"),
    [
        (False, False, (), "the engine has no NVIDIA runtime"),
        (True, True, (), "no NVIDIA GPU or driver"),
        (True, True, None, None),
        (True, False, (), None),
        (None, False, (), None),
    ],
)
def test_a_gpu_that_an_engine_surely_cannot_give_is_refused_before_anything_stops(
    world: World, gpu: bool | None, here: bool, cards: tuple[Gpu, ...] | None, told: str | None
) -> None:
    world.run(world.want())
    world.gpus.found = cards
    world.engine().told = EngineFacts(name="docker 28", gpu=gpu, here=here)
    demo = world.want(gpus=("all",), args=("--new",))
    observed = with_facts(picked(demo), seen(world), world.context())
    (action,) = plan_up(picked(demo), observed).actions
    if told is None:
        assert action.kind is ActionKind.REPLACE
        return
    assert action.error is not None
    assert (action.kind, action.error.exit_code, bool(action.error.hint)) == (ActionKind.REFUSED, 9, True)
    assert told in action.error.message
