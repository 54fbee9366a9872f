"""Climbs of models in a server that loads them on demand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmstack.core.ladder import Climb
from llmstack.domain.check import Check
from llmstack.domain.gpu import Gpu
from llmstack.domain.ladder import Ladder, Rung, rung_of
from llmstack.domain.server import ServedModel
from llmstack.domain.target import Target, TargetKind
from llmstack.errors import InterruptedRunError
from llmstack.protocols import Client
from tests.unit.core.world import READY, World, marks, refuse

GIB = 1 << 30


def model(*, loaded: bool = False, vram: int | None = 0, memory: int | None = GIB) -> ServedModel:
    return ServedModel(name="llama3", size_bytes=4_700_000_000, loaded=loaded, memory_bytes=memory, vram_bytes=vram)


def climb(
    world: World,
    *checks: Check,
    deep: bool = True,
    gpus: tuple[str, ...] = (),
    url: str | None = None,
) -> Ladder:
    wanted = world.want("ollama", "lazy", models=("llama3",), gpus=gpus, **({"url": url} if url else {}))
    there = None if url else world.run(wanted)
    target = Target("llama3", "localhost", TargetKind.MODEL)
    spec = replace(wanted.placement.models[0], checks=checks)
    return Climb(context=world.context(), wanted=wanted, target=target, there=there, model=spec, deep=deep).climb()


def test_a_model_that_was_not_pulled_is_told_with_the_command_that_does(world: World) -> None:
    ladder = climb(world)
    assert ladder.why is not None
    assert marks(ladder.rungs) == {"port": True, "api": True, "weights": False}
    assert (ladder.why.summary, ladder.why.do) == ("the server has no model 'llama3'", "llmstack pull --model llama3")


def test_a_model_that_is_not_loaded_is_on_demand_and_is_left_so(world: World) -> None:
    world.server().models["llama3"] = model()
    ladder = climb(world, deep=False)
    assert ladder.ok
    loaded = ladder.find(Rung.LOADED)
    assert loaded is not None
    assert (loaded.ok, loaded.detail) == (None, "on demand")
    assert not any(call.startswith(("load", "chat")) for call in world.server().calls)


def test_a_deep_climb_loads_it_and_asks_it(world: World) -> None:
    world.server().models["llama3"] = model()
    ladder = climb(world)
    assert ladder.ok
    assert marks(ladder.rungs) == {
        "port": True, "api": True, "weights": True, "loaded": True, "answered": True, "device": True,
    }  # fmt: skip
    assert [call for call in world.server().calls if " " in call] == ["load llama3", "chat llama3"]
    weights = ladder.find(Rung.WEIGHTS)
    assert weights is not None
    assert weights.detail == "4700 MB"


def test_a_loaded_model_is_asked_and_not_loaded_again(world: World) -> None:
    world.server().models["llama3"] = model(loaded=True)
    assert climb(world, deep=False).ok
    assert [call for call in world.server().calls if " " in call] == ["chat llama3"]


@pytest.mark.parametrize(
    ("vram", "memory", "words"),
    [
        (GIB, GIB, "gpu"),
        (GIB * 6 // 10, GIB, "partial 60 %"),
        (GIB - 1, GIB, "partial 99 %"),
        (0, GIB, "cpu (as asked)"),
    ],
)
def test_the_server_tells_how_much_of_a_model_is_on_the_gpu(world: World, vram: int, memory: int, words: str) -> None:
    world.server().models["llama3"] = model(loaded=True, vram=vram, memory=memory)
    device = climb(world).find(Rung.DEVICE)
    assert device is not None
    assert (device.ok, device.detail) == (True, words)


def test_a_fall_back_to_the_cpu_is_seen_by_the_servers_figures(world: World) -> None:
    world.server().models["llama3"] = model(loaded=True)
    device = climb(world, gpus=("all",)).find(Rung.DEVICE)
    assert device is not None
    assert (device.ok, device.detail) == (False, "cpu!")


@pytest.mark.parametrize(
    ("gpus", "words"),
    [((), "gpu"), (None, "gpu"), ((Gpu(0, "GPU-1", "RTX", process_bytes={999: 1}),), "cpu!")],
    ids=["none of NVIDIA's", "unknown", "sees another"],
)
def test_a_server_that_claims_a_gpu_on_which_the_driver_sees_none_of_it_fell_back(
    world: World, gpus: tuple[Gpu, ...] | None, words: str
) -> None:
    world.gpus.found = gpus
    world.server().models["llama3"] = model(loaded=True, vram=GIB)
    device = climb(world, gpus=("all",)).find(Rung.DEVICE)
    assert device is not None
    assert device.detail == words


def test_an_external_server_is_climbed_without_an_engine(world: World) -> None:
    world.server(9).models["llama3"] = model(loaded=True, vram=None)
    ladder = climb(world, url="http://127.0.0.1:9")
    assert ladder.ok
    device = ladder.find(Rung.DEVICE)
    assert device is not None
    assert (device.ok, device.detail) == (None, "unknown")
    assert world.engines == {}


def test_an_external_server_that_cuts_the_answer_is_not_waited_for(world: World) -> None:
    server = world.server(9)
    server.models["llama3"] = model(loaded=True)
    server.errors["chat"] = refuse("cut", "the answer was cut off")
    ladder = climb(world, url="http://127.0.0.1:9")
    assert ladder.why is not None
    assert ladder.why.summary == "the answer was cut off"
    assert world.clock.slept == []


def test_a_failed_load_says_what_the_server_said(world: World) -> None:
    server = world.server()
    server.models["llama3"] = model()
    server.errors["load"] = refuse("server", "500 model requires more system memory", status=500)
    ladder = climb(world)
    assert ladder.why is not None
    assert (marks(ladder.rungs)["loaded"], ladder.why.summary) == (False, "500 model requires more system memory")


def test_ctrl_c_during_a_load_ends_the_climb(world: World) -> None:
    server = world.server()
    server.lives, server.models["llama3"] = [READY], model()
    wanted = world.want("ollama", "lazy", models=("llama3",))
    context = world.context()
    server.before = lambda what: context.interrupted.set() if what.startswith("load") else None
    made = Climb(
        context=context, wanted=wanted, target=wanted.target, there=world.run(wanted), model=wanted.placement.models[0]
    )
    with pytest.raises(InterruptedRunError):
        made.climb()
    assert "chat llama3" not in server.calls


def test_a_load_is_worth_waiting_for_while_its_server_lives_and_nobody_stops_the_run(world: World) -> None:
    wanted = world.want("ollama", "lazy", models=("llama3",))
    context = world.context()
    made = Climb(context=context, wanted=wanted, target=wanted.target, there=world.run(wanted))
    assert made._alive()
    world.engine().crash("llmstack-lab-ollama", 0)
    world.engine().instances.clear()
    assert not made._alive()
    external = world.want("far", "lazy", url="http://127.0.0.1:9")
    made = Climb(context=context, wanted=external, target=external.target)
    assert made._alive()
    context.interrupted.set()
    assert not made._alive()


def test_checks_are_the_last_rung_each_with_its_figures(world: World) -> None:
    world.server().models = {"llama3": model()}
    ladder = climb(world, Check(prompt="2 * 21?", text="42", device="cpu"), Check(prompt="And?", tokens_per_s=50))
    assert ladder.ok
    assert [(rung.rung, rung.detail) for rung in ladder.rungs[-2:]] == [
        (Rung.CHECKED, "2 * 21?"),
        (Rung.CHECKED, "And?"),
    ]
    assert ladder.rungs[-1].answer is not None


def test_a_failed_check_is_a_failed_rung_that_says_what_was_found(world: World) -> None:
    world.server().models = {"llama3": model()}
    ladder = climb(world, Check(prompt="2 * 21?", text="43"), Check(prompt="And?", text="42"))
    assert not ladder.ok
    assert [(rung.check, rung.ok) for rung in ladder.rungs[-2:]] == [("2 * 21?", False), ("And?", True)]
    assert ladder.rungs[-2].detail == "2 * 21?: '43' is not in the answer: it answered '42'"
    assert rung_of(ladder.rungs[-2].as_json()).check == "2 * 21?"
    assert ladder.why is not None
    assert ladder.why.summary == "2 * 21?: '43' is not in the answer: it answered '42'"
    assert "checks:" in (ladder.why.do or "")


def test_checks_that_could_not_be_asked_are_told_by_their_names(world: World) -> None:
    class Answered(Climb):
        """The server fails after its first answer."""

        def _answer(self, client: Client, name: str) -> None:
            super()._answer(client, name)
            world.server().errors["chat"] = refuse("server", "500 no")

    world.server().models = {"llama3": model()}
    wanted = world.want("ollama", "lazy", models=("llama3",))
    spec = replace(wanted.placement.models[0], checks=(Check(prompt="one"), Check(prompt="two")))
    target, context, there = Target("llama3", "localhost", TargetKind.MODEL), world.context(), world.run(wanted)
    ladder = Answered(context=context, wanted=wanted, target=target, there=there, model=spec).climb()
    assert [(rung.check, rung.ok, rung.detail) for rung in ladder.rungs[-2:]] == [
        ("one", False, "500 no"),
        ("two", None, "two: not asked"),
    ]
    assert not ladder.ok


def test_a_look_that_does_no_harm_runs_no_checks(world: World) -> None:
    world.server().models = {"llama3": model(loaded=True)}
    ladder = climb(world, Check(prompt="2 * 21?", text="43"), deep=False)
    assert ladder.ok
    assert ladder.find(Rung.CHECKED) is None
