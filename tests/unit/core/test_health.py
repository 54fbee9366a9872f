"""Health proves what runs and does no harm."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from llmstack.core.desired import Wanted
from llmstack.core.health import await_health, health
from llmstack.core.observe import Observed, sort_out
from llmstack.core.select import Picked
from llmstack.domain.event import EventType
from llmstack.domain.instance import State
from llmstack.domain.ladder import Rung
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.server import ServedModel
from llmstack.errors import DeadlineError, PluginError, UnreachableError
from tests.unit.core.world import LOADING, READY, REFUSED, World, marks, refuse, statuses


def check(
    world: World, *wanted: Wanted, deep: bool = False, by_model: bool = False, observed: Observed | None = None
) -> tuple[Outcome, ...]:
    rows = [row for engine in world.engines.values() for row in engine.observe("lab")]
    picked = [Picked(item, item.placement.models, by_model) for item in wanted]
    return health(picked, observed or sort_out(rows, {}), world.context("health"), deep=deep)


def writes(world: World) -> list[tuple[str, str]]:
    return [write for engine in world.engines.values() for write in engine.writes]


def test_a_healthy_model_shows_every_rung_and_nothing_is_changed(world: World) -> None:
    demo = world.want()
    world.run(demo)
    (outcome,) = check(world, demo)
    assert outcome.status is Status.OK
    assert outcome.ladder is not None
    assert list(marks(outcome.ladder.rungs)) == ["created", "running", "port", "api", "loaded", "answered", "device"]
    assert outcome.urls == ("http://127.0.0.1:8080/v1",)
    assert writes(world) == []
    assert len(world.ears.of(EventType.RESULT)) == 1


def test_an_outcome_tells_how_long_it_took(world: World) -> None:
    demo = world.want()
    world.run(demo)
    world.server().lives = [LOADING] * 40 + [READY]
    (outcome,) = check(world, demo)
    assert 900 < outcome.ms < 1200


def test_what_is_not_there_or_does_not_run_is_unhealthy_at_once(world: World) -> None:
    demo = world.want(restart="no")
    (outcome,) = check(world, demo)
    assert (outcome.reason, outcome.exit_code) == ("created: not there", 6)
    assert outcome.error is not None
    assert outcome.error.hint == "llmstack up --service demo"
    world.run(demo)
    world.engine().say("llmstack-lab-demo", "panic: out of cheese")
    world.engine().crash("llmstack-lab-demo", 2)
    (outcome,) = check(world, demo)
    assert outcome.ladder is not None
    assert outcome.ladder.why is not None
    assert outcome.reason == "running: crashed, exit 2; panic: out of cheese"
    assert outcome.ladder.why.exit_code == 2
    world.engine().script("demo")
    world.engine().start("llmstack-lab-demo")
    world.engine().stop("llmstack-lab-demo", 0)
    (outcome,) = check(world, demo)
    assert outcome.error is not None
    assert (outcome.reason, outcome.error.hint) == ("running: stopped, exit 143", "llmstack up --service demo")
    assert world.clock.slept == []


def test_a_restart_that_was_survived_is_told(world: World) -> None:
    demo = world.want()
    world.run(demo)
    world.engine().crash("llmstack-lab-demo", 1)
    (outcome,) = check(world, demo)
    assert outcome.ladder is not None
    running = outcome.ladder.find(Rung.RUNNING)
    assert running is not None
    assert (outcome.status, running.detail) == (Status.OK, "1 restart")


def test_a_silent_server_is_not_waited_for_long(world: World) -> None:
    demo = world.want()
    world.run(demo)
    world.server().lives = [REFUSED]
    (outcome,) = check(world, demo)
    assert outcome.reason == "port: not ready within 5 s, last rung reached: running (connection refused)"
    assert world.clock.monotonic() < 6


def test_models_of_a_lazy_server_are_checked_one_by_one_and_not_loaded(world: World) -> None:
    ollama = world.want("ollama", "lazy", models=("llama3", "mistral", "gone", "idle"))
    models = (*ollama.placement.models[:3], replace(ollama.placement.models[3], enabled=False))
    ollama = replace(ollama, placement=replace(ollama.placement, models=models))
    world.run(ollama)
    world.server().models |= {
        "llama3": ServedModel(name="llama3", loaded=True),
        "mistral": ServedModel(name="mistral", loaded=False),
    }
    outcomes = check(world, ollama)
    assert statuses(outcomes) == {
        "ollama@localhost": "ok",
        "llama3@localhost": "ok",
        "mistral@localhost": "ok",
        "gone@localhost": "unhealthy",
    }
    assert [call for call in world.server().calls if " " in call] == ["chat llama3"]
    assert statuses(check(world, ollama, deep=True))["mistral@localhost"] == "ok"
    assert "load mistral" in world.server().calls


def test_a_picked_model_is_checked_without_the_service_around_it(world: World) -> None:
    ollama = world.want("ollama", "lazy", models=("llama3",))
    world.run(ollama)
    world.server().models["llama3"] = ServedModel(name="llama3", loaded=True)
    assert list(statuses(check(world, ollama, by_model=True))) == ["llama3@localhost"]


def test_what_is_off_is_not_checked(world: World) -> None:
    assert check(world, world.want(enabled=False)) == ()
    demo = world.want()
    idle = tuple(replace(model, enabled=False) for model in demo.placement.models)
    assert check(world, replace(demo, placement=replace(demo.placement, models=idle))) == ()


def test_a_host_that_cannot_be_asked_and_a_broken_plugin_are_outcomes(world: World) -> None:
    demo, broken = world.want(), replace(world.want("other"), type=None, error=PluginError("plugin broken"))
    observed = Observed(errors={("localhost", "docker"): UnreachableError("docker is not running")})
    (outcome,) = check(world, demo, observed=observed)
    assert (outcome.status, outcome.exit_code) == (Status.UNREACHABLE, 4)
    (outcome,) = check(world, broken)
    assert (outcome.status, outcome.exit_code) == (Status.FAILED, 13)


def test_an_external_server_is_checked_by_its_address_alone(world: World) -> None:
    far = world.want("far", "lazy", models=("llama3",), url="http://127.0.0.1:9")
    world.server(9).models["llama3"] = ServedModel(name="llama3", loaded=True)
    assert set(statuses(check(world, far)).values()) == {"ok"}
    world.server(9).errors["chat"] = refuse("server", "500 out of memory", status=500)
    assert statuses(check(world, far))["llama3@localhost"] == "unhealthy"
    world.server(9).lives = [REFUSED]
    hints = {outcome.error.hint for outcome in check(world, far) if outcome.error}
    assert hints == {"llmstack does not run it: look at it there, or correct `url:`"}  # it has no log here
    assert world.engines == {}


def test_one_that_was_removed_after_the_list_is_not_there(world: World) -> None:
    demo = world.want()
    there = world.run(demo)
    world.engine().instances.clear()
    (outcome,) = check(world, demo, observed=sort_out([replace(there, state=State.STARTING)], {}))
    assert outcome.reason == "created: not there"


def test_waiting_ends_in_time_though_a_request_is_under_way_and_names_what_has_not_answered(world: World) -> None:
    demo, silence = world.want(), threading.Event()
    world.run(demo)
    world.server().before = lambda _: world.clock.sleep(2) or silence.wait()
    context = world.context("wait", deadline=world.clock.monotonic() + 1)
    rows = world.engine().observe("lab")
    with pytest.raises(DeadlineError, match="not ready in time: demo@localhost: no answer yet"):
        await_health([Picked(demo, demo.placement.models)], lambda: sort_out(rows, {}), context)
    silence.set()
