"""Which placements and models a selection means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmstack.core.desired import Wanted
from llmstack.core.select import in_order, pick
from llmstack.domain.selection import Selection
from llmstack.errors import NoMatchError
from tests.unit.core.world import World


@pytest.fixture
def stack(world: World) -> tuple[Wanted, ...]:
    ollama = world.want("ollama", "lazy", models=("llama3", "mistral"), host="gpu01")
    page = world.want("page", "page", depends_on=("ollama",), host="gpu01")
    there = world.want("demo", host="gpu01")
    here = world.want("demo")
    llama3, mistral = ollama.placement.models
    aliased = (replace(llama3, aliases=("chat",), tags=("chat",)), replace(mistral, tags=("code", "night")))
    there = replace(
        there, placement=replace(there.placement, service=replace(there.placement.service, tags=("night",)))
    )
    host = replace(ollama.placement.host, groups=("gpu", "all"))
    ollama = replace(ollama, placement=replace(ollama.placement, models=aliased, host=host))
    return page, ollama, there, here


def names(stack: tuple[Wanted, ...], *, dependencies: bool = False, **picked: tuple[str, ...]) -> list[str]:
    found = pick(stack, Selection(**picked), dependencies=dependencies)  # type: ignore[arg-type]
    return [f"{item.wanted.target}:{','.join(model.name for model in item.models)}" for item in found]


def test_nothing_picked_means_everything_in_order(stack: tuple[Wanted, ...]) -> None:
    assert names(stack) == ["ollama@gpu01:llama3,mistral", "page@gpu01:", "demo@gpu01:demo", "demo@localhost:demo"]


def test_a_model_of_a_shared_service_means_that_model_alone(stack: tuple[Wanted, ...]) -> None:
    assert names(stack, models=("mistral",)) == ["ollama@gpu01:mistral"]


def test_an_alias_means_its_model(stack: tuple[Wanted, ...]) -> None:
    assert names(stack, models=("chat",)) == ["ollama@gpu01:llama3"]


def test_a_model_on_two_hosts_means_both(stack: tuple[Wanted, ...]) -> None:
    assert names(stack, models=("demo",)) == ["demo@gpu01:demo", "demo@localhost:demo"]


def test_a_model_may_be_named_by_its_service(stack: tuple[Wanted, ...]) -> None:
    assert names(stack, models=("page",)) == ["page@gpu01:"]


def test_a_name_may_say_its_host(stack: tuple[Wanted, ...]) -> None:
    assert names(stack, models=("demo@localhost",)) == ["demo@localhost:demo"]
    assert names(stack, models=("demo@localhost", "chat@gpu01")) == ["ollama@gpu01:llama3", "demo@localhost:demo"]
    assert names(stack, services=("demo@gpu01",)) == ["demo@gpu01:demo"]
    with pytest.raises(NoMatchError, match=r"'mistral@gpu02' .* Did you mean 'mistral@gpu01'"):
        names(stack, models=("demo@localhost", "mistral@gpu02"))


def test_hosts_and_groups_narrow(stack: tuple[Wanted, ...]) -> None:
    assert names(stack, models=("demo",), hosts=("localhost",)) == ["demo@localhost:demo"]
    assert names(stack, hosts=("gpu",)) == ["ollama@gpu01:llama3,mistral"]


def test_a_service_brings_all_its_models(stack: tuple[Wanted, ...]) -> None:
    assert names(stack, services=("ollama",)) == ["ollama@gpu01:llama3,mistral"]
    assert names(stack, services=("demo",), hosts=("localhost",)) == ["demo@localhost:demo"]


def test_a_tag_of_a_model_means_that_model_and_one_of_a_service_all_of_it(stack: tuple[Wanted, ...]) -> None:
    assert names(stack, tags=("chat",)) == ["ollama@gpu01:llama3"]
    assert names(stack, tags=("night",)) == ["ollama@gpu01:mistral", "demo@gpu01:demo"]
    assert names(stack, tags=("night",), services=("ollama",)) == ["ollama@gpu01:mistral"]
    assert [item.by_model for item in pick(stack, Selection(tags=("chat", "code")), dependencies=False)] == [True]


def test_what_is_excluded_stays_out_even_as_a_dependency(stack: tuple[Wanted, ...]) -> None:
    assert names(stack, exclude=("gpu01",)) == ["demo@localhost:demo"]
    assert names(stack, exclude=("mistral", "demo")) == ["ollama@gpu01:llama3", "page@gpu01:"]
    assert names(stack, services=("page",), exclude=("ollama",), dependencies=True) == ["page@gpu01:"]


def test_dependencies_are_pulled_in_without_their_models(stack: tuple[Wanted, ...]) -> None:
    assert names(stack, services=("page",), dependencies=True) == ["ollama@gpu01:", "page@gpu01:"]
    assert names(stack, services=("page",)) == ["page@gpu01:"]
    assert names(stack, models=("llama3",), services=("page",), dependencies=True) == [
        "ollama@gpu01:llama3",
        "page@gpu01:",
    ]


@pytest.mark.parametrize(
    ("picked", "message", "suggestion"),
    [
        (
            {"models": ("localhost",)},
            "no model or service 'localhost' in the inventory. Did you mean '--host localhost'?",
            "--host localhost",
        ),
        (
            {"models": ("code",)},
            "no model or service 'code' in the inventory. Did you mean '--tags code'?",
            "--tags code",
        ),
        (
            {"services": ("llama3",)},
            "no service 'llama3' in the inventory. Did you mean '--model llama3'?",
            "--model llama3",
        ),
        ({"models": ("lama3",)}, "no model or service 'lama3' in the inventory. Did you mean 'llama3'?", "llama3"),
        ({"models": ("zzz",)}, "no model or service 'zzz' in the inventory.", None),
        ({"services": ("olama",)}, "no service 'olama' in the inventory. Did you mean 'ollama'?", "ollama"),
        (
            {"exclude": ("misral",)},
            "no model, service, host or group 'misral' in the inventory. Did you mean 'mistral'?",
            "mistral",
        ),
        ({"tags": ("chta",)}, "no tag 'chta' in the inventory. Did you mean 'chat'?", "chat"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(
    stack: tuple[Wanted, ...], picked: dict[str, tuple[str, ...]], message: str, suggestion: str | None
) -> None:
    with pytest.raises(NoMatchError) as caught:
        names(stack, **picked)
    assert (caught.value.message, caught.value.exit_code) == (message, 5)
    assert caught.value.data["suggestion"] == suggestion
    assert caught.value.hint


def test_the_hint_lists_what_there_is(stack: tuple[Wanted, ...]) -> None:
    with pytest.raises(NoMatchError) as caught:
        names(stack, models=("zzz",))
    assert caught.value.hint == "models: llama3 chat mistral demo     services: page ollama demo"
    with pytest.raises(NoMatchError) as caught:
        names((), models=("zzz",))
    assert caught.value.hint == "models: none     services: none"


def test_names_that_never_meet_are_told(stack: tuple[Wanted, ...]) -> None:
    with pytest.raises(NoMatchError, match="these names, hosts and tags leave nothing"):
        names(stack, models=("llama3",), hosts=("localhost",))


def test_an_empty_inventory_picks_nothing() -> None:
    assert pick((), Selection(), dependencies=True) == ()


def test_services_that_wait_for_each_other_or_for_nothing_known_end(world: World) -> None:
    one, two = world.want("one", depends_on=("two", "gone")), world.want("two", depends_on=("one",))
    assert {item.target.name for item in in_order((one, two))} == {"one", "two"}
    found = pick((one, two), Selection(services=("one",)), dependencies=True)
    assert len(found) == 2
