"""What is known before a pull: whether a registry has a newer one, and whether there is room."""

from __future__ import annotations

import pytest

from llmstack.core.apply import apply
from llmstack.core.facts import with_facts
from llmstack.core.observe import Observed
from llmstack.core.plan import plan_pull
from llmstack.core.select import Picked
from llmstack.domain.engine_facts import EngineFacts
from llmstack.domain.outcome import Outcome
from llmstack.domain.plan import ActionKind
from llmstack.domain.server import ServedModel
from tests.unit.core.world import World

OLD, NEW = "a" * 64, "b" * 64


def pull(world: World, *there: ServedModel, task: str = "pull") -> Outcome:
    """What a pull of llama3 comes to."""
    wanted = world.want("ollama", "lazy", models=("llama3",))
    running = world.run(wanted)
    world.server().models = {model.name: model for model in there}
    picked = [Picked(wanted=wanted, models=wanted.placement.models)]
    seen = Observed(instances={(wanted.target, wanted.engine): running})
    context = world.context(task)
    return next(one for one in apply(plan_pull(picked, with_facts(picked, seen, context)), context) if one.action.model)


@pytest.mark.parametrize(
    ("newest", "words"),
    [
        (OLD, "the newest"),
        (NEW, f"a newer one is there, {NEW[:12]}: `update` takes it"),
        (None, "unknown whether there is a newer one"),
    ],
)
def test_pull_says_whether_there_is_a_newer_one_and_takes_none(world: World, newest: str | None, words: str) -> None:
    world.server().registry = {"llama3": newest} if newest else {}
    outcome = pull(world, ServedModel(name="llama3", digest=OLD, loaded=False))
    assert outcome.action is not None
    assert (outcome.action.kind, outcome.reason) == (ActionKind.KEEP, f"already there, {OLD[:12]}, {words}")


def test_a_server_that_tells_no_digest_says_what_it_can(world: World) -> None:
    outcome = pull(world, ServedModel(name="llama3", loaded=False))
    assert outcome.reason == "already there, unknown whether there is a newer one"


@pytest.mark.parametrize(
    ("size_bytes", "free_bytes", "status"),
    [
        (5_000_000_000, 4_000_000_000, "failed"),
        (4_000_000_000, 5_000_000_000, "changed"),
        (5_000_000_000, None, "changed"),
        (None, 4_000_000_000, "changed"),
    ],
)
def test_what_cannot_fit_is_not_begun(
    world: World, size_bytes: int | None, free_bytes: int | None, status: str
) -> None:
    world.engine().told = EngineFacts(name="fake", free_bytes=free_bytes)
    world.server().sizes = {"llama3": size_bytes} if size_bytes else {}
    outcome = pull(world)
    assert outcome.status.value == status
    if outcome.error:
        assert (outcome.error.exit_code, "needs 5000.0 MB, its disk has 4000.0 MB" in outcome.error.message) == (
            9,
            True,
        )
        assert "pull llama3" not in world.server().calls
