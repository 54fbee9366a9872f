"""Busy is not sick, and what hangs is."""

from __future__ import annotations

import pytest

from llmstack.core.apply import apply
from llmstack.core.ladder import MORE_TIME
from llmstack.core.observe import sort_out
from llmstack.core.plan import plan_up
from llmstack.core.select import Picked
from llmstack.domain.ladder import Rung
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.server import Life, Liveness
from llmstack.domain.usage import Usage
from llmstack.errors import UnreachableError
from tests.unit.core.test_health import check
from tests.unit.core.world import FAILING, World, refuse

NAME = "llmstack-lab-demo"
LATE = Liveness(Life.FAILING, "GET /health did not answer in time", late=True)


def health(world: World, percent: float | None, kind: str = "timeout") -> Outcome:
    """Of a server that does not answer its question and uses so much of a core."""
    demo = world.want()
    world.run(demo)
    world.engine().measured[NAME] = Usage(cpu_percent=percent)
    world.server().errors["chat"] = refuse(kind, "it did not answer in time", hint="it is busy or hangs")
    (outcome,) = check(world, demo)
    return outcome


@pytest.mark.parametrize(("count", "told"), [(None, "busy, 180 % CPU"), (1, "busy, 1 request under way, 180 % CPU")])
def test_who_computes_meanwhile_is_busy_and_healthy(world: World, count: int | None, told: str) -> None:
    world.server().busy = [count]
    outcome = health(world, 180.0)
    assert outcome.ladder
    answered = outcome.ladder.find(Rung.ANSWERED)
    assert answered
    assert (outcome.status, answered.ok, answered.detail) == (Status.OK, None, told)


def test_a_queue_that_is_full_is_busy_too(world: World) -> None:
    assert health(world, 99.0, "busy").status is Status.OK


@pytest.mark.parametrize("percent", [0.0, 4.9, None])
def test_who_does_nothing_or_cannot_be_measured_hangs(world: World, percent: float | None) -> None:
    outcome = health(world, percent)
    assert outcome.reason == "answered: it did not answer in time"
    assert outcome.ladder
    assert outcome.ladder.why
    assert "it hangs" in str(outcome.ladder.why.meaning)
    assert outcome.ladder.why.do == "llmstack restart --service demo"


def test_who_hangs_after_an_error_that_is_known_has_both_told(world: World) -> None:
    demo = world.want()
    world.run(demo)
    world.engine().say(NAME, "CUDA error: out of memory")
    world.engine().measured[NAME] = Usage(cpu_percent=0.0)
    world.server().errors["chat"] = refuse("timeout", "it did not answer in time")
    (outcome,) = check(world, demo)
    assert outcome.ladder
    assert outcome.ladder.why
    assert str(outcome.ladder.why.meaning).endswith("it hangs. The GPU has too little free memory.")
    assert outcome.ladder.why.key == "options.ctx_size"


@pytest.mark.parametrize(
    ("percent", "told", "do"),
    [(0.0, "it hangs", "llmstack restart --service demo"), (180.0, "None", MORE_TIME)],
)
def test_an_up_over_one_that_hangs_says_so_but_not_of_one_that_computes(
    world: World, percent: float, told: str, do: str
) -> None:
    demo = world.want()
    world.run(demo)
    world.engine().measured[NAME] = Usage(cpu_percent=percent)
    world.server().lives = [LATE]
    observed = sort_out(world.engine().observe("lab"), {})
    (outcome,) = apply(plan_up([Picked(demo, demo.placement.models)], observed), world.context())
    assert outcome.ladder
    assert outcome.ladder.why
    assert told in str(outcome.ladder.why.meaning)
    assert outcome.error
    assert (outcome.exit_code, outcome.error.hint) == (6, do)


@pytest.mark.parametrize("kind", ["failed", "cut", "refused"])
def test_what_is_wrong_is_not_busy_however_much_it_computes(world: World, kind: str) -> None:
    assert health(world, 180.0, kind).status is Status.UNHEALTHY


def test_an_engine_that_cannot_measure_leaves_it_sick(world: World) -> None:
    world.engine().refuse("usages", UnreachableError("gone"), times=None)
    assert health(world, 180.0).status is Status.UNHEALTHY


@pytest.mark.parametrize(("life", "status"), [(LATE, Status.OK), (FAILING, Status.UNHEALTHY)])
def test_one_whose_very_health_is_late_is_busy_where_it_computes(world: World, life: Liveness, status: Status) -> None:
    world.server().lives = [life]
    outcome = health(world, 180.0)
    assert outcome.ladder
    assert (outcome.status, outcome.ladder.rungs[-1].rung) == (status, Rung.API)
