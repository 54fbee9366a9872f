"""Logs and questions."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from llmstack.core import talk
from llmstack.core.desired import Wanted
from llmstack.core.observe import Observed, sort_out
from llmstack.core.select import Picked
from llmstack.domain.service import ModelSpec
from llmstack.errors import (
    DeadlineError,
    PluginError,
    ServerError,
    UnhealthyError,
    UnreachableError,
    UsageError,
)
from tests.unit.core.world import World, refuse


def picked(*wanted: Wanted) -> list[Picked]:
    return [Picked(item, item.placement.models) for item in wanted]


def seen(world: World) -> Observed:
    return sort_out([row for engine in world.engines.values() for row in engine.instances.values()], {})


def logs(world: World, *wanted: Wanted, follow: bool = False) -> list[str]:
    lines = talk.logs(picked(*wanted), seen(world), world.context("logs"), tail=None, follow=follow)
    return [f"{target}: {line}" for target, line in lines]


def test_logs_come_one_instance_after_the_other(world: World) -> None:
    one, two = world.want("one"), world.want("two", port=2)
    for item in (one, two):
        world.run(item)
        world.engine().say(f"llmstack-lab-{item.target.name}", "hello", "bye")
    assert logs(world, one, two) == [
        f"{name}@localhost: {word}" for name in ("one", "two") for word in ("hello", "bye")
    ]


def test_followed_logs_are_merged_and_end_with_the_last(world: World) -> None:
    one, two = world.want("one"), world.want("two", port=2)
    for item in (one, two):
        world.run(item)
        world.engine().say(f"llmstack-lab-{item.target.name}", "hello")
    assert sorted(logs(world, one, two, follow=True)) == ["one@localhost: hello", "two@localhost: hello"]
    assert logs(world, one, follow=True) == ["one@localhost: hello"]


def test_a_log_that_breaks_off_while_it_is_followed_is_told_among_the_lines(world: World) -> None:
    one, two = world.want("one"), world.want("two", host="far")
    world.run(one)
    world.run(two)
    world.engine("far").refuse("logs", UnreachableError("no route"))
    assert logs(world, one, two, follow=True) == ["llmstack@localhost: no route"]


def test_logs_of_nothing_say_why(world: World) -> None:
    with pytest.raises(UnhealthyError, match="there is no log of demo@localhost"):
        logs(world, world.want())
    observed = Observed(errors={("localhost", "docker"): UnreachableError("docker is not running")})
    with pytest.raises(UnreachableError):
        list(talk.logs(picked(world.want()), observed, world.context(), tail=None, follow=False))


def ask(world: World, *wanted: Wanted, observed: Observed | None = None) -> str:
    chunks = talk.ask(picked(*wanted), observed or seen(world), world.context("ask"), "why?", max_tokens=8)
    return "".join(chunk.text for chunk in chunks)


def test_a_question_is_answered_by_the_one_model(world: World) -> None:
    demo = world.want()
    world.run(demo)
    assert ask(world, demo) == "42"
    external = world.want("far", "lazy", models=("llama3",), url="http://127.0.0.1:9")
    assert ask(world, external) == "42"


def test_a_question_needs_exactly_one_model(world: World) -> None:
    one, two, page = world.want("one"), world.want("two", port=2), world.want("page", "page")
    for wanted, hint in (
        ((one, two), "--model NAME; models: one two"),
        ((page,), "--model NAME; models: none"),
        ((one, world.want("one", host="far")), "--host NAME; it is on: localhost far"),
    ):
        with pytest.raises(UsageError) as caught:
            ask(world, *wanted)
        assert caught.value.hint == hint


def test_a_question_to_a_model_that_is_off_is_a_question_to_none(world: World) -> None:
    ollama = world.want("ollama", "lazy", models=("a", "b"))
    models = (ollama.placement.models[0], replace(ollama.placement.models[1], enabled=False))
    ollama = replace(ollama, placement=replace(ollama.placement, models=models))
    world.run(ollama)
    assert ask(world, ollama) == "42"


def test_a_question_that_cannot_be_put_says_why(world: World) -> None:
    demo, portless = world.want(), world.want("quiet", port=None)
    with pytest.raises(UnhealthyError, match="demo does not run on localhost"):
        ask(world, demo)
    with pytest.raises(UnreachableError, match="no route"):
        ask(world, demo, observed=Observed(errors={("localhost", "docker"): UnreachableError("no route")}))
    world.run(portless)
    with pytest.raises(UnhealthyError, match="publishes no port"):
        ask(world, portless)
    world.run(demo)
    with pytest.raises(PluginError, match="broken"):
        ask(world, replace(demo, type=None, error=PluginError("broken")))
    world.server().errors["chat"] = refuse("too_long", "the prompt is too long")
    with pytest.raises(ServerError, match="too long"):
        ask(world, demo)


def test_a_model_spec_names_what_is_asked(world: World) -> None:
    assert world.types["loader"].served_name(ModelSpec(name="a", service="s", source="b")) == "b"


def test_an_answer_that_takes_longer_than_the_run_may_is_cut_off(world: World) -> None:
    """While it streams, and while nothing comes."""
    demo = world.want()
    world.run(demo)
    silence = threading.Event()
    for before in (lambda _: world.clock.sleep(2), lambda _: world.clock.sleep(2) or silence.wait()):
        world.server().before = before
        context = world.context("ask", deadline=world.clock.monotonic() + 1)
        with pytest.raises(DeadlineError):
            list(talk.ask(picked(demo), seen(world), context, "why?", max_tokens=8))
    silence.set()
