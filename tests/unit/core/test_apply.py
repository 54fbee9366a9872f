"""Plans carried out over engines and servers in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llmstack.core.apply import apply, clashed
from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.core.observe import Facts, Observed, sort_out
from llmstack.core.plan import plan_down, plan_up
from llmstack.core.select import Picked, in_order
from llmstack.domain.engine_facts import EngineFacts
from llmstack.domain.event import EventType
from llmstack.domain.instance import Need, Weights
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.plan import Plan
from llmstack.domain.server import ServedModel
from llmstack.domain.stop import STOP
from llmstack.domain.weights import ModelFile
from llmstack.errors import FetchError, LlmstackError, PluginError, PreflightError
from llmstack.modeltype.source import gguf_weights
from tests.gguf_files import gguf
from tests.servers.files import FileServer, serving
from tests.unit.core.world import LOADING, World, statuses


def picked(*wanted: Wanted) -> list[Picked]:
    return [Picked(item, item.placement.models) for item in in_order(wanted)]


def seen(world: World) -> Observed:
    return sort_out([row for engine in world.engines.values() for row in engine.instances.values()], {})


def up(world: World, *wanted: Wanted, context: Context | None = None) -> tuple[Outcome, ...]:
    return apply(plan_up(picked(*wanted), seen(world)), context or world.context())


def down(world: World, *wanted: Wanted) -> tuple[Outcome, ...]:
    return apply(plan_down(picked(*wanted), seen(world)), world.context("down"), down=True)


def verbs(world: World, host: str = "localhost") -> list[str]:
    return [verb for verb, _ in world.engine(host).writes]


def test_up_creates_starts_and_proves(world: World) -> None:
    demo = world.want()
    (outcome,) = up(world, demo)
    assert outcome.status is Status.CHANGED
    assert outcome.urls == ("http://127.0.0.1:8080/v1",)
    assert outcome.ladder is not None
    assert outcome.ladder.rungs[0].rung == "created"
    assert verbs(world) == ["create", "start"]
    (started,) = world.ears.of(EventType.START)
    assert started.message == "loader on docker · image:1 · 127.0.0.1:8080"


def test_up_again_writes_nothing(world: World) -> None:
    demo = world.want()
    up(world, demo)
    world.engine().calls.clear()
    (outcome,) = up(world, demo)
    assert (outcome.status, outcome.reason, verbs(world)) == (Status.OK, "as wanted", [])


def test_up_waits_for_a_kept_service_that_still_loads(world: World) -> None:
    demo = world.want()
    up(world, demo)
    world.server().lives = [LOADING, LOADING, *world.server().lives]
    (outcome,) = up(world, demo)
    assert outcome.ladder is not None
    assert (outcome.status, outcome.ladder.ok) == (Status.OK, True)


def test_without_waiting_a_start_is_enough(world: World) -> None:
    world.server().lives = [LOADING]
    (outcome,) = up(world, world.want(), context=world.context(wait=False))
    assert outcome.status is Status.CHANGED
    assert world.server().calls == []
    (again,) = up(world, *world.all.values(), context=world.context(wait=False))
    assert (again.status, world.server().calls) == (Status.OK, [])


def test_the_port_is_checked_before_gigabytes_are_fetched(world: World) -> None:
    demo = world.want()
    world.engine().lack("demo", Need(kind="image", name="image:1", size_bytes=9))
    world.engine().occupy(8080, "nginx")
    (outcome,) = up(world, demo)
    assert (outcome.status, outcome.exit_code) == (Status.FAILED, 9)
    assert "nginx" in outcome.reason
    assert verbs(world) == []
    world.engine().occupied.clear()
    (outcome,) = up(world, demo)
    assert verbs(world) == ["fetch", "create", "start"]
    assert len(world.ears.of(EventType.PROGRESS)) == 2


def test_what_many_need_is_fetched_once_for_a_host(world: World) -> None:
    items = [world.want(name, "page", port=port) for port, name in enumerate("abc", 8080)]
    for item in items:
        world.engine().lack(item.target.name, Need(kind="image", name="image:1"))
    assert set(statuses(up(world, *items)).values()) == {"changed"}
    assert verbs(world).count("fetch") == 1


def test_a_fetch_that_fails_fails_for_all_who_need_it_and_is_tried_once(world: World) -> None:
    items = [world.want(name, "page", port=port) for port, name in enumerate("abc", 8080)]
    for item in items:
        world.engine().lack(item.target.name, Need(kind="image", name="image:1"))
    world.engine().refuse("fetch", FetchError("no such image"), times=None)
    assert {outcome.reason for outcome in up(world, *items)} == {"no such image"}
    assert verbs(world) == ["fetch"]


def test_an_automatic_port_that_turns_out_to_be_taken_is_decided_anew(world: World) -> None:
    world.engine().refuse("start", PreflightError("its port is taken", port_taken=True), times=2)
    (outcome,) = up(world, world.want(port="auto"))
    (there,) = world.engine().instances.values()
    assert (outcome.status, there.port) == (Status.CHANGED, 8082)


def test_a_fetch_that_fails_leaves_nothing(world: World) -> None:
    demo = world.want()
    world.engine().lack("demo", Need(kind="image", name="image:1"))
    world.engine().refuse("fetch", FetchError("no such image"))
    (outcome,) = up(world, demo)
    assert (outcome.exit_code, world.engine().instances) == (10, {})


def test_a_start_that_the_engine_refuses_leaves_nothing(world: World) -> None:
    world.engine().refuse("start", PreflightError("no such runtime"))
    (outcome,) = up(world, world.want())
    assert (outcome.exit_code, world.engine().instances) == (9, {})


def test_a_start_that_fails_its_ladder_is_stopped_and_kept(world: World) -> None:
    world.engine().script("demo", "E error loading model: invalid magic characters", exit_code=1)
    (outcome,) = up(world, world.want(restart="no"))
    assert (outcome.status, outcome.exit_code) == (Status.UNHEALTHY, 6)
    assert outcome.reason == "port: crashed, exit 1; E error loading model: invalid magic characters"
    assert outcome.error is not None
    assert outcome.error.hint == "fetch the model file again, or correct `source:`"
    there = world.engine().instances["llmstack-lab-demo"]
    assert not there.running
    assert verbs(world) == ["create", "start", "stop"]


def test_what_somebody_removes_while_it_starts_is_unhealthy(world: World) -> None:
    world.server().lives = [LOADING]
    world.server().before = lambda _: world.engine().instances.clear()
    (outcome,) = up(world, world.want())
    assert (outcome.status, outcome.exit_code, world.engine().instances) == (Status.UNHEALTHY, 6, {})


def test_what_somebody_else_removed_already_is_removed(world: World) -> None:
    demo = world.want()
    seen_before = sort_out([world.run(demo)], {})
    world.engine().instances.clear()
    (outcome,) = apply(plan_down([Picked(demo)], seen_before), world.context("down"), down=True)
    assert outcome.status is Status.CHANGED


def test_a_fall_back_to_the_cpu_is_stopped_too(world: World) -> None:
    (outcome,) = up(world, world.want(gpus=("all",)))
    assert (outcome.status, outcome.reason) == (
        Status.UNHEALTHY,
        "device: cpu!; it was given a GPU, and computes on the CPU",
    )
    assert outcome.error is not None
    assert outcome.error.hint == "llmstack doctor"
    assert not world.engine().instances["llmstack-lab-demo"].running


def test_a_stopped_one_is_started_and_fetches_what_went_missing(world: World) -> None:
    demo = world.want()
    world.run(demo)
    world.engine().stop("llmstack-lab-demo", 1)
    world.engine().calls.clear()
    world.engine().lack("demo", Need(kind="weights", name="m.gguf"), Need(kind="image", name="image:1"))
    (outcome,) = up(world, demo)
    assert (outcome.status, verbs(world)) == (Status.CHANGED, ["fetch", "start"])
    assert ("fetch", "m.gguf") in world.engine().writes


def test_a_crash_loop_is_stopped_before_it_is_started(world: World) -> None:
    demo = world.want(restart="on-failure:2")
    world.engine().script("demo", exit_code=1)
    world.run(demo)
    assert world.engine().instances["llmstack-lab-demo"].restarts == 2
    world.engine().script("demo")
    (outcome,) = up(world, demo)
    assert (outcome.status, verbs(world)) == (Status.CHANGED, ["stop", "start"])


def test_a_start_that_is_refused_leaves_it_stopped(world: World) -> None:
    demo = world.want()
    world.run(demo)
    world.engine().stop("llmstack-lab-demo", 1)
    world.engine().refuse("start", LlmstackError("device or resource busy"))
    (outcome,) = up(world, demo)
    assert (outcome.status, outcome.reason) == (Status.FAILED, "device or resource busy")
    assert not world.engine().instances["llmstack-lab-demo"].running


def test_one_that_was_removed_before_its_start_means_another_look(world: World) -> None:
    demo = world.want()
    world.run(demo)
    world.engine().stop("llmstack-lab-demo", 1)
    plan = plan_up(picked(demo), seen(world))
    world.engine().instances.clear()
    outcomes = apply(plan, world.context())
    assert clashed(outcomes) == {demo.target}


def test_models_are_pulled_once_their_server_runs_and_loaded_once(world: World) -> None:
    ollama = world.want("ollama", "lazy", models=("llama3", "mistral"))
    outcomes = up(world, ollama)
    assert statuses(outcomes) == dict.fromkeys(("ollama@localhost", "llama3@localhost", "mistral@localhost"), "changed")
    calls = [call for call in world.server().calls if " " in call]
    assert sorted(calls) == sorted(
        f"{verb} {name}" for verb in ("size_bytes", "pull", "load", "chat") for name in ("llama3", "mistral")
    )


def test_a_model_that_turned_up_meanwhile_is_not_pulled_again(world: World) -> None:
    ollama = world.want("ollama", "lazy", models=("llama3",))
    world.server().models["llama3"] = ServedModel(name="llama3", loaded=True)
    outcomes = up(world, ollama)
    assert statuses(outcomes) == {"ollama@localhost": "changed", "llama3@localhost": "ok"}
    assert "pull llama3" not in world.server().calls


def test_a_model_of_a_server_that_was_replaced_is_loaded_anew_and_answers(world: World) -> None:
    world.run(world.want("ollama", "lazy", models=("llama3",), args=("--old",)))
    world.server().models["llama3"] = ServedModel(name="llama3", loaded=False)
    ollama = world.want("ollama", "lazy", models=("llama3",), args=("--new",))
    facts = {ollama.target: Facts(served=tuple(world.server().models.values()))}
    plan = plan_up(picked(ollama), replace(seen(world), facts=facts))
    assert statuses(apply(plan, world.context())) == {"ollama@localhost": "changed", "llama3@localhost": "changed"}
    assert [call for call in world.server().calls if " " in call] == ["unload llama3", "load llama3", "chat llama3"]


def test_pulling_alone_loads_nothing(world: World) -> None:
    ollama = world.want("ollama", "lazy", models=("llama3",))
    world.run(ollama)
    plan = Plan(plan_up(picked(ollama), seen(world)).actions[1:])
    (outcome,) = apply(plan, world.context("pull"))
    assert (outcome.status, outcome.reason) == (Status.CHANGED, "pulled")
    (outcome,) = apply(plan, world.context("pull"))
    assert (outcome.status, outcome.reason) == (Status.OK, "there")
    assert not any(call.startswith("load") for call in world.server().calls)


def test_a_model_cannot_be_pulled_into_a_server_that_is_gone(world: World) -> None:
    ollama = world.want("ollama", "lazy", models=("llama3",))
    world.run(ollama)
    plan = Plan(plan_up(picked(ollama), seen(world)).actions[1:])
    world.engine().stop("llmstack-lab-ollama", 1)
    (outcome,) = apply(plan, world.context())
    assert (outcome.exit_code, outcome.reason) == (
        6,
        "ollama@localhost does not run, so llama3@localhost cannot be fetched",
    )


def test_a_model_whose_server_does_not_get_ready_is_unhealthy(world: World) -> None:
    ollama = world.want("ollama", "lazy", models=("llama3",))
    world.run(ollama)
    plan = Plan(plan_up(picked(ollama), seen(world)).actions[1:])
    world.server().lives = [LOADING]
    (outcome,) = apply(plan, world.context())
    assert outcome.reason == "weights: not ready within 60 s, last rung reached: api (503 loading model)"


def test_a_lazy_server_without_a_port_is_refused_in_words(world: World) -> None:
    ollama = world.want("ollama", "lazy", models=("llama3",), port=None)
    world.run(ollama)
    fetch = Plan(plan_up(picked(ollama), seen(world)).actions[1:])
    (outcome,) = apply(fetch, world.context())
    assert (outcome.exit_code, outcome.reason) == (6, "ollama@localhost publishes no port")


def test_models_of_an_external_server_are_pulled_by_its_address(world: World) -> None:
    far = world.want("far", "lazy", models=("llama3",), url="http://127.0.0.1:9")
    observed = Observed(facts={far.target: Facts(life=world.server(9).lives[0], served=())})
    outcomes = apply(plan_up(picked(far), observed), world.context())
    assert statuses(outcomes) == {"far@localhost": "ok", "llama3@localhost": "changed"}
    assert "pull llama3" in world.server(9).calls


def test_a_model_of_a_broken_plugin_cannot_be_unloaded(world: World) -> None:
    ollama = world.want("ollama", "lazy", models=("llama3",))
    for error in (PluginError("plugin broken"), None):
        broken = replace(ollama, type=None, error=error)
        plan = plan_down([Picked(broken, broken.placement.models, by_model=True)], Observed())
        (outcome,) = apply(plan, world.context("down"), down=True)
        assert (outcome.status, outcome.exit_code) == (Status.FAILED, 13)


def test_the_weights_of_a_start_are_named(world: World) -> None:
    weights = Weights(source="file:m.gguf", path="/data/SmolLM2.Q4.gguf", fingerprint="f", size_bytes=1)
    up(world, world.want(weights=weights))
    assert world.ears.of(EventType.START)[0].message == "loader on docker · SmolLM2.Q4 · 127.0.0.1:8080"


def test_down_of_a_model_unloads_it(world: World) -> None:
    ollama = world.want("ollama", "lazy", models=("llama3",))
    world.run(ollama)
    world.server().models["llama3"] = ServedModel(name="llama3", loaded=True)
    facts = {ollama.target: Facts(served=tuple(world.server().models.values()))}
    observed = Observed(instances=seen(world).instances, facts=facts)
    plan = plan_down([Picked(ollama, ollama.placement.models, by_model=True)], observed)
    (outcome,) = apply(plan, world.context("down"), down=True)
    assert (outcome.status, outcome.reason) == (Status.CHANGED, "unloaded")
    assert world.server().models["llama3"].loaded is False
    assert world.engine().instances["llmstack-lab-ollama"].running


def test_a_file_from_elsewhere_comes_here_first_unless_the_host_has_it(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMSTACK_WEIGHTS", str(tmp_path))
    with serving(FileServer(gguf(20_000))) as server:
        weights = gguf_weights(f"{server.url}/m.gguf", ".")
        there = ModelFile(fingerprint=weights.fingerprint, name="m.gguf", source=weights.source, size_bytes=1)
        wanted, engine = world.want(weights=weights), world.engine()
        engine.lack("demo", Need(kind="weights", name=weights.source))
        engine.files[there] = b""
        assert statuses(up(world, wanted)) == {"demo@localhost": "changed"}
        assert not Path(weights.path).exists()
        assert "fetch" not in [verb for verb, _ in engine.calls]
        engine.files.clear()
        other = world.want("other", weights=weights, port=8081)
        engine.lack("other", Need(kind="weights", name=weights.source))
        assert statuses(up(world, other)) == {"other@localhost": "changed"}
        assert Path(weights.path).is_file()
        assert ("fetch", weights.source) in engine.calls


def test_what_does_not_fit_on_the_host_is_not_even_fetched_here(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMSTACK_WEIGHTS", str(tmp_path))
    with serving(FileServer(gguf(2_000_000))) as server:
        weights = gguf_weights(f"{server.url}/m.gguf", ".")
        wanted, context = world.want(weights=weights), world.context()
        world.engine().lack("demo", Need(kind="weights", name=weights.source))
        world.engine().told = EngineFacts(name="fake", folder="/var/lib/x", free_bytes=1_000_000)
        context.sizes[weights.source] = 2_000_000
        (outcome,) = up(world, wanted, context=context)
        assert outcome.error
        assert outcome.error.name == "preflight"
        assert outcome.reason == f"{weights.source} on localhost needs 2.0 MB, /var/lib/x has 1.0 MB"
        assert server.asked == []


def test_once_the_process_was_told_to_stop_nothing_is_begun(world: World) -> None:
    context, demo = world.context(), world.want()
    STOP.set()
    try:
        (outcome,) = up(world, demo, context=context)
        assert (outcome.status, outcome.reason) == (Status.SKIPPED, "interrupted")
        assert context.result((outcome,)).exit_code == 130
    finally:
        STOP.clear()
    assert verbs(world) == []
