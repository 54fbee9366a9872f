"""Climbs over an engine, a clock and model servers in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from llmstack.core.asking import ask
from llmstack.core.ladder import Climb
from llmstack.core.why import explain
from llmstack.domain.gpu import Gpu
from llmstack.domain.instance import Instance, State, Weights
from llmstack.domain.ladder import Ladder, Rung
from llmstack.domain.resources import Resources
from llmstack.domain.server import ChatChunk, Life, Liveness
from llmstack.errors import DeadlineError, InterruptedRunError, ServerError, UnreachableError
from tests.unit.core.world import FAILING, LOADING, READY, REFUSED, RESET, Server, World, marks, refuse

NAME = "llmstack-lab-demo"


def climb(world: World, up_to: Rung = Rung.DEVICE, **more: object) -> Ladder:
    """Of the placement `demo`, started just now."""
    wanted = more.pop("wanted", None) or world.want()
    there = world.run(wanted)  # type: ignore[arg-type]
    model = wanted.placement.models[0] if wanted.placement.models else None  # type: ignore[attr-defined]
    made = Climb(context=world.context(), wanted=wanted, target=wanted.target, there=there, model=model, **more)  # type: ignore
    return made.climb(up_to)


def test_a_server_that_is_ready_at_once_climbs_every_rung(world: World) -> None:
    ladder = climb(world)
    assert ladder.ok
    assert marks(ladder.rungs) == dict.fromkeys(("port", "api", "loaded", "answered", "device"), True)
    assert [rung.rung for rung in ladder.rungs] == world.rungs()


def test_an_answer_is_a_real_request_with_its_figures(world: World) -> None:
    answered = climb(world).find(Rung.ANSWERED)
    assert answered is not None
    assert answered.answer is not None
    assert (answered.answer.tokens, answered.answer.tokens_per_s, answered.answer.text) == (2, 50.0, "42")
    assert answered.detail == "first token 0 ms · 50 tokens/s"
    assert "chat demo" in world.server().calls


def test_a_loading_server_is_waited_for_and_each_rung_is_timed(world: World) -> None:
    world.server().lives = [RESET, LOADING, LOADING, READY]
    ladder = climb(world)
    assert ladder.ok
    times = [rung.ms for rung in ladder.rungs if rung.rung in (Rung.PORT, Rung.API, Rung.LOADED)]
    assert times == sorted(times)
    assert times[0] < times[1] < times[2]


def test_a_reset_is_a_refusal_but_shows_the_port(world: World) -> None:
    world.server().lives = [RESET]
    ladder = climb(world)
    assert marks(ladder.rungs) == {"port": True, "api": False}
    world.server(8081).lives = [REFUSED]
    assert marks(climb(world, wanted=world.want("other", port=8081)).rungs) == {"port": False}


def test_the_size_of_the_weights_is_told(world: World) -> None:
    weights = Weights(source="file:m.gguf", path="/m.gguf", fingerprint="abc", size_bytes=98_000_000)
    rung = climb(world, wanted=world.want(weights=weights)).find(Rung.WEIGHTS)
    assert rung is not None
    assert rung.detail == "98 MB"


def test_a_server_that_never_gets_ready_ends_at_a_finite_deadline(world: World) -> None:
    world.server().lives = [REFUSED]
    ladder = climb(world)
    assert ladder.why is not None
    assert ladder.why.summary == "not ready within 60 s, last rung reached: none (connection refused)"
    assert 60 < world.clock.monotonic() < 62


def test_an_inventory_may_set_another_deadline(world: World) -> None:
    world.server().lives = [LOADING]
    ladder = climb(world, wanted=world.want(ready_timeout_s=7))
    assert ladder.why is not None
    assert ladder.why.summary == "not ready within 7 s, last rung reached: api (503 loading model)"
    assert marks(ladder.rungs) == {"port": True, "api": True, "weights": False}


def talkative(world: World, server: Server) -> None:
    """Its log grows with every look."""
    server.before = lambda _: world.engine().say(NAME, f"line at {world.clock.monotonic()}")


def test_a_log_that_grows_extends_the_deadline_up_to_tenfold(world: World) -> None:
    server = world.server()
    server.lives = [LOADING]
    talkative(world, server)
    ladder = climb(world)
    assert ladder.why is not None
    assert 600 < world.clock.monotonic() < 602


def test_a_server_that_gets_ready_late_but_with_progress_is_fine(world: World) -> None:
    server = world.server()
    server.lives = [LOADING] * 6000 + [READY]
    talkative(world, server)
    ladder = climb(world)
    assert ladder.ok
    assert world.clock.monotonic() > 120


def test_another_state_is_progress_too(world: World) -> None:
    world.server().lives = [REFUSED] * 2000 + [LOADING]
    ladder = climb(world)
    assert ladder.why is not None
    assert ladder.why.summary.startswith("not ready within 1")
    assert world.clock.monotonic() > 105


def test_a_server_that_answers_with_errors_is_not_ready(world: World) -> None:
    world.server().lives = [FAILING]
    ladder = climb(world)
    assert marks(ladder.rungs) == {"port": True, "api": False}
    assert ladder.why is not None
    assert "500 internal error" in ladder.why.summary


def test_a_server_that_dies_while_it_loads_says_why(world: World) -> None:
    wanted = world.want(restart="no")
    server = world.server()
    server.lives = [LOADING]

    def die(what: str) -> None:
        if len(server.calls) == 3:
            world.engine().say(NAME, "hello", "E error loading model: data is not within the file bounds", "bye")
            world.engine().crash(NAME, 1)

    server.before = die
    ladder = climb(world, wanted=wanted)
    assert ladder.why is not None
    assert ladder.why.summary == "E error loading model: data is not within the file bounds"
    assert (ladder.why.exit_code, ladder.why.restarts, ladder.why.log_line) == (1, 0, 2)
    assert ladder.why.meaning == "The model file is cut off."
    assert world.clock.monotonic() < 1


@pytest.mark.parametrize(
    ("resources", "meaning", "key"),
    [
        (Resources(memory_bytes=60 << 20), "killed it at the limit of its container, 60 MiB.", "resources.memory"),
        (Resources(), "killed it; its host had no more.", None),
    ],
)
def test_a_death_by_lack_of_memory_is_told_whatever_the_log_says(
    world: World, resources: Resources, meaning: str, key: str | None
) -> None:
    wanted, server = world.want(restart="no"), world.server()
    assert wanted.spec
    wanted = replace(wanted, spec=replace(wanted.spec, resources=resources))
    server.lives = [LOADING]
    server.before = lambda _: world.engine().crash(NAME, 137, out_of_memory=True)
    ladder = climb(world, wanted=wanted)
    assert ladder.why is not None
    assert ladder.why.out_of_memory
    assert ladder.why.summary == "crashed, exit 137, out of memory"
    assert str(ladder.why.meaning).endswith(meaning)
    assert ladder.why.key == key


@pytest.mark.parametrize(
    ("facts", "killed"),
    [
        ({"running": True}, "a process in it"),
        ({"running": True, "restarts": 1}, "it, or a process in it"),
        ({"running": False, "exit_code": 1}, "a process in it"),
        ({"running": False, "exit_code": 137}, "it"),
    ],
)
def test_who_was_killed_for_lack_of_memory_is_told(facts: Mapping[str, Any], killed: str) -> None:
    there = Instance(
        id="a", container_name=NAME, service="demo", host="h", engine="docker", state=State.CRASHED, out_of_memory=True
    )
    found = explain(replace(there, **facts), (), (), "crashed")
    more = "its host had no more, or its container no more to use."
    assert found.meaning == f"Out of memory: the kernel killed {killed}; {more}"


def test_a_restart_between_two_looks_is_a_crash(world: World) -> None:
    server = world.server()
    server.lives = [LOADING]
    server.before = lambda _: world.engine().crash(NAME, 1)
    ladder = climb(world)
    assert ladder.why is not None
    assert ladder.why.summary == "running, 1 restart"
    assert ladder.why.restarts == 1


def test_an_answer_of_somebody_else_on_the_same_port_is_none(world: World) -> None:
    wanted = world.want()
    there = world.run(wanted)
    world.engine().occupy(8080, "python (pid 7)")
    ladder = Climb(context=world.context(), wanted=wanted, target=wanted.target, there=there).climb()
    assert marks(ladder.rungs) == {"port": False}
    assert ladder.why is not None
    assert "python (pid 7)" in ladder.why.summary


def test_an_instance_that_somebody_removed_is_told(world: World) -> None:
    server = world.server()
    server.lives = [LOADING]
    server.before = lambda _: world.engine().instances.clear()
    ladder = climb(world)
    assert ladder.why is not None
    assert ladder.why.summary == f"{NAME} was removed by somebody else"


def test_an_empty_answer_is_no_answer(world: World) -> None:
    world.server().chunks = (ChatChunk(text="  \n"), ChatChunk(done=True, tokens=1))
    ladder = climb(world)
    assert marks(ladder.rungs)["answered"] is False
    assert ladder.why is not None
    assert ladder.why.summary == "the server answered with nothing"


def test_a_model_that_thinks_first_answers_too(world: World) -> None:
    world.server().chunks = (ChatChunk(thinking="Let me see"), ChatChunk(done=True, tokens=16))
    ladder = climb(world)
    assert ladder.ok
    answered = ladder.find(Rung.ANSWERED)
    assert answered is not None
    assert answered.detail == "first token 0 ms"


def test_an_answer_that_ends_early_is_told(world: World) -> None:
    world.server().chunks = (ChatChunk(text="4"),)
    ladder = climb(world)
    assert ladder.why is not None
    assert ladder.why.summary == "the answer ended early"


def test_a_refused_key_is_found_out_by_the_answer(world: World) -> None:
    world.server().errors["chat"] = refuse("denied", "401 invalid API key")
    ladder = climb(world)
    assert ladder.why is not None
    assert (marks(ladder.rungs)["answered"], ladder.why.summary) == (False, "401 invalid API key")


def test_an_engine_may_tell_of_a_death_a_moment_after_the_answer_was_cut(world: World) -> None:
    wanted, server = world.want(restart="no"), world.server()
    server.errors["chat"] = refuse("cut", "the answer was cut off")
    ladder_engine = world.engine()
    inspect, looks = ladder_engine.inspect, [0]

    def late(name: str) -> object:
        looks[0] += bool("chat demo" in server.calls)
        if looks[0] == 4:
            ladder_engine.crash(NAME, 139)
        return inspect(name)

    ladder_engine.inspect = late  # type: ignore[method-assign, assignment]
    ladder = climb(world, wanted=wanted)
    assert ladder.why is not None
    assert (ladder.why.summary, ladder.why.exit_code) == ("crashed, exit 139", 139)


def test_what_an_earlier_start_wrote_explains_nothing(world: World) -> None:
    wanted = world.want(restart="no")
    there = world.run(wanted)
    world.engine().say(NAME, "fatal error: port 8080: address already in use")
    made = Climb(context=world.context(), wanted=wanted, target=wanted.target, there=there)
    made.skip_log()
    world.engine().say(NAME, "starting", "failed to open GGUF file")
    world.engine().crash(NAME, 1)
    ladder = made.climb()
    assert ladder.why is not None
    assert (ladder.why.summary, ladder.why.log_line) == ("failed to open GGUF file", 3)


def test_a_silent_fall_back_to_the_cpu_is_a_failure_where_a_gpu_was_asked_for(world: World) -> None:
    world.gpus.found = (Gpu(0, "GPU-1", "RTX", process_bytes={999: 1}),)
    ladder = climb(world, wanted=world.want(gpus=("all",)))
    assert not ladder.ok
    device = ladder.find(Rung.DEVICE)
    assert device is not None
    assert (device.ok, device.detail) == (False, "cpu!")


def test_the_gpu_that_a_process_of_the_instance_holds_is_told(world: World) -> None:
    world.gpus.found = (Gpu(0, "GPU-1", "RTX", process_bytes={4242: 1}),)
    device = climb(world, wanted=world.want(gpus=("all",))).find(Rung.DEVICE)
    assert device is not None
    assert (device.ok, device.detail) == (True, "gpu")


def test_gpus_that_are_not_nvidias_are_known_by_the_servers_log(world: World) -> None:
    wanted = world.want(gpus=("all",), engine="process")
    there, engine = world.run(wanted), world.engine(kind="process")
    engine.say(NAME, "offloaded 25/25 layers to GPU")
    model = wanted.placement.models[0]
    made = Climb(context=world.context(), wanted=wanted, target=wanted.target, there=there, model=model)
    device = made.climb().find(Rung.DEVICE)
    assert device is not None
    assert (device.ok, device.detail) == (True, "gpu")


def test_the_gpus_of_this_machine_say_nothing_of_another_one(world: World) -> None:
    world.gpus.found = (Gpu(0, "GPU-1", "RTX", process_bytes={4242: 1}),)
    device = climb(world, wanted=world.want(host="far")).find(Rung.DEVICE)
    assert device is not None
    assert (device.ok, device.detail) == (None, "unknown")


def test_a_companion_ends_at_its_api(world: World) -> None:
    assert marks(climb(world, wanted=world.want(type_="page")).rungs) == {"port": True, "api": True}


def test_a_service_without_a_port_has_to_live_for_a_moment(world: World) -> None:
    wanted = world.want(type_="page", port=None)
    assert climb(world, wanted=wanted).ok
    assert world.clock.monotonic() >= 1
    world.engine().crash(NAME, 3)
    there = world.engine().instances[NAME]
    assert there.restarts == 1
    made = Climb(context=world.context(), wanted=wanted, target=wanted.target, there=world.engine().inspect(NAME))
    world.engine().crash(NAME, 3)
    ladder = made.climb()
    assert ladder.why is not None
    assert ladder.why.summary == "running, 2 restarts"


def test_a_climb_may_end_at_the_api_or_before_the_answer(world: World) -> None:
    assert list(marks(climb(world, Rung.API).rungs)) == ["port", "api"]
    assert list(marks(climb(world, Rung.LOADED, wanted=world.want("other", port=8081)).rungs)) == [
        "port",
        "api",
        "loaded",
    ]


def test_an_interrupted_climb_raises(world: World) -> None:
    context = world.context()
    wanted = world.want()
    server = world.server()
    server.lives = [LOADING]
    server.before = lambda _: context.interrupted.set() if len(server.calls) == 3 else None
    with pytest.raises(InterruptedRunError):
        Climb(context=context, wanted=wanted, target=wanted.target, there=world.run(wanted)).climb()
    assert len(server.calls) == 3


def test_the_deadline_of_the_run_ends_a_climb(world: World) -> None:
    wanted = world.want()
    world.server().lives = [LOADING]
    context = world.context(deadline=10.0)
    with pytest.raises(DeadlineError):
        Climb(context=context, wanted=wanted, target=wanted.target, there=world.run(wanted)).climb()


def test_an_engine_that_goes_away_is_no_fault_of_the_server(world: World) -> None:
    wanted = world.want()
    there = world.run(wanted)
    world.engine().refuse("inspect", UnreachableError("no route"))
    with pytest.raises(UnreachableError):
        Climb(context=world.context(), wanted=wanted, target=wanted.target, there=there).climb()


def test_a_log_that_cannot_be_read_takes_nothing_from_the_reason(world: World) -> None:
    world.server().lives = [Liveness(Life.SILENT)]
    world.engine().refuse("logs", UnreachableError("no route"), times=None)
    ladder = climb(world)
    assert ladder.why is not None
    assert ladder.why.summary == "not ready within 60 s, last rung reached: port (nothing answers)"


def test_a_short_question_can_be_asked_alone(world: World) -> None:
    client = world.types["loader"].client("http://127.0.0.1:8080", None, None)
    assert ask(client, "demo", world.clock.monotonic).text == "42"
    world.server().chunks = ()
    with pytest.raises(ServerError, match="ended early"):
        ask(client, "demo", world.clock.monotonic)
