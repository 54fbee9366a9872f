"""What went wrong with a pull is cured where its type knows how, once."""

from __future__ import annotations

import pytest

from llmstack.core.apply import apply
from llmstack.domain.event import EventType
from llmstack.domain.outcome import Outcome
from llmstack.domain.plan import Action, ActionKind, Plan
from llmstack.errors import FetchError
from tests.unit.core.world import World

POISONED = FetchError("m: EOF: a broken part", "remove it", kind="poisoned")


def pull(world: World, monkeypatch: pytest.MonkeyPatch, error: FetchError, fails: int, **service: str) -> Outcome:
    """A pull that fails so often."""
    wanted = world.want("ollama", "lazy", models=("m",), **service)
    if not service:
        world.run(wanted)
    monkeypatch.setattr(type(wanted.kind), "cures", {"poisoned": ("sh", "-c", "mend")})
    left = [error] * fails

    def before(what: str) -> None:
        if what.startswith("pull") and left:
            raise left.pop()

    world.server().before = before
    model = wanted.placement.models[0]
    action = Action(kind=ActionKind.FETCH, target=wanted.target, reason="", placement=wanted.placement, model=model)
    (outcome,) = apply(Plan((action,)), world.context("pull"))
    return outcome


def test_a_cure_is_run_beside_the_server_and_the_pull_begun_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pull(world, monkeypatch, POISONED, 1).reason == "pulled"
    assert ("execute", "llmstack-lab-ollama") in world.engine().calls
    assert "broken part" in world.ears.of(EventType.WARNING)[0].message


def test_a_cure_that_does_not_help_is_not_repeated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = pull(world, monkeypatch, POISONED, 9)
    assert outcome.error is POISONED
    assert [call[0] for call in world.engine().calls].count("execute") == 1


def test_what_no_cure_is_known_for_is_left(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pull(world, monkeypatch, FetchError("gone", kind="not_found"), 1).exit_code == 10
    assert "execute" not in [call[0] for call in world.engine().calls]


def test_nothing_is_run_beside_a_server_of_somebody_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = pull(world, monkeypatch, POISONED, 1, url="http://127.0.0.1:8080")
    assert outcome.error is POISONED
