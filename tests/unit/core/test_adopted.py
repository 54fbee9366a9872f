"""A placement made of what an instance says of itself."""

from __future__ import annotations

from dataclasses import replace

from llmstack.core.adopted import wanted_of
from llmstack.domain.secret import Sealed
from llmstack.errors import PluginError
from llmstack.modeltype import ModelType
from llmstack.modeltype.registry import Registry
from tests.unit.core.world import World


class Types(Registry):
    """The world's types; `error` is what loading one raises."""

    def __init__(self, world: World, error: PluginError | None = None) -> None:
        self.world, self.error = world, error

    def get(self, name: str) -> ModelType | None:
        if self.error:
            raise self.error
        return self.world.types.get(name)


def test_a_label_says_what_is_wanted(world: World) -> None:
    there = world.run(world.want("o", "lazy", models=("llama3",), port="auto"))
    found = wanted_of(there, Types(world))
    assert found is not None
    assert (found.target, found.engine, found.type) == (there.target, "docker", world.types["lazy"])
    assert found.placement.service.port == 8080
    assert [(model.name, model.source) for model in found.placement.models] == [("llama3", "llama3")]


def test_an_instance_without_a_label_says_nothing(world: World) -> None:
    assert wanted_of(replace(world.run(world.want()), spec=None), Types(world)) is None


def test_a_type_that_is_unknown_or_broken_here_leaves_the_rest(world: World) -> None:
    there = world.run(world.want())
    assert there.spec is not None
    unknown = wanted_of(replace(there, spec=replace(there.spec, type="gone")), Types(world))
    assert unknown is not None
    assert (unknown.type, unknown.error) == (None, None)
    broken = wanted_of(there, Types(world, PluginError("plugin broken")))
    assert broken is not None
    assert (broken.type, broken.error.message if broken.error else "") == (None, "plugin broken")


def test_a_sealed_secret_is_no_value(world: World) -> None:
    there = world.run(world.want())
    assert there.spec is not None
    spec = replace(there.spec, env={"A": "1", "KEY": ""}, secrets={"KEY": Sealed("salt:x")})
    found = wanted_of(replace(there, spec=spec), Types(world))
    assert found is not None
    assert found.placement.service.env == {"A": "1"}
