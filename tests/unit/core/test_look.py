"""One cheap look at a running server."""

from __future__ import annotations

from dataclasses import replace

from llmstack.core.look import Look, look, look_at_model, try_look
from llmstack.domain.instance import State
from llmstack.domain.server import ServedModel
from llmstack.errors import (
    PluginError,
    PreflightError,
    UnreachableError,
)
from tests.unit.core.world import LOADING, REFUSED, World, refuse


def test_a_look_says_what_an_instance_is_doing(world: World) -> None:
    demo, context = world.want(), world.context("status")
    assert look(context, demo, None) == Look(state=State.ABSENT)
    there = world.run(demo)
    assert look(context, demo, there) == Look(state=State.READY, url="http://127.0.0.1:8080", version="1.0")
    world.server().lives = [LOADING]
    assert look(context, demo, there).state is State.LOADING
    assert look(context, demo, there).detail == "503 loading model"
    stopped = replace(there, running=False, state=State.CRASHED, exit_code=1)
    assert look(context, demo, stopped) == Look(state=State.CRASHED, detail="crashed, exit 1")


def test_a_look_tells_restarts_that_were_survived(world: World) -> None:
    demo = world.want()
    there = replace(world.run(demo), restarts=2)
    assert look(world.context(), demo, there).detail == "2 restarts"


def test_a_silent_server_is_a_fault_once_it_is_old(world: World) -> None:
    demo = world.want()
    there = world.run(demo)
    world.server().lives = [REFUSED]
    assert look(world.context(), demo, there).state is State.STARTING
    world.clock.advance(100)
    assert look(world.context(), demo, there).state is State.DEGRADED


def test_a_server_that_fails_a_question_is_degraded(world: World) -> None:
    demo = world.want()
    there = world.run(demo)
    world.server().errors["version"] = refuse("server", "500 oops")
    assert look(world.context(), demo, there) == Look(
        state=State.DEGRADED, detail="500 oops", url="http://127.0.0.1:8080"
    )


def test_a_companion_is_asked_no_version_and_a_portless_one_nothing(world: World) -> None:
    page, quiet = world.want("page", "page"), world.want("quiet", "page", port=None)
    assert look(world.context(), page, world.run(page)).version is None
    assert look(world.context(), quiet, world.run(quiet)) == Look(state=State.READY)
    assert world.server().calls == ["liveness"]


def test_what_is_wrong_with_a_service_is_told_where_it_does_not_run(world: World) -> None:
    wrong = replace(world.want(), spec=None, error=PreflightError("model file m.gguf is not there"))
    assert look(world.context(), wrong, None).detail == "model file m.gguf is not there"
    assert look(world.context(), world.want("off", enabled=False), None).detail == "enabled: false"
    broken = replace(world.want("far", "lazy", url="http://x:1"), type=None, error=PluginError("plugin broken"))
    assert look(world.context(), broken, None) == Look(state=State.DEGRADED, detail="plugin broken")


def test_an_engine_that_fails_in_between_is_a_state_too(world: World) -> None:
    demo = world.want()
    there = world.run(demo)
    context = world.context()
    context.engine_of = lambda host, kind: (_ for _ in ()).throw(UnreachableError("no route"))
    assert try_look(context, demo, there) == Look(state=State.UNREACHABLE, detail="no route")


def test_a_model_has_a_state_device_and_version_of_its_own(world: World) -> None:
    gib = 1 << 30
    ollama = world.want("ollama", "lazy", models=("llama3", "mistral", "gone"))
    served = (
        ServedModel(name="llama3", digest="365c0bd3", loaded=True, memory_bytes=gib, vram_bytes=gib),
        ServedModel(name="mistral", loaded=False),
    )
    service = Look(state=State.READY, served=served, version="1.0")
    llama, mistral, gone = (look_at_model(ollama, model, service) for model in ollama.placement.models)
    assert (llama.state, llama.device, llama.version) == (State.READY, "gpu", "llama3 365c0b")
    assert (mistral.state, mistral.device, mistral.version) == (State.READY, "on demand", "mistral")
    assert (gone.state, gone.detail) == (State.ABSENT, "not pulled: llmstack pull --model gone")
    crashed = look_at_model(ollama, ollama.placement.models[0], Look(state=State.CRASHED, detail="exit 1"))
    assert (crashed.state, crashed.detail) == (State.CRASHED, "exit 1")
