"""A service's data in a file, and back."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from llmstack.core.apply import apply
from llmstack.core.archive import Manifest, inspect
from llmstack.core.backup import plan_backup, plan_restore
from llmstack.core.desired import Wanted
from llmstack.core.facts import with_facts
from llmstack.core.observe import sort_out
from llmstack.core.select import Picked
from llmstack.domain.event import EventType
from llmstack.domain.leftover import Leftover, LeftoverKind
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.plan import Plan
from llmstack.domain.secret import Secret
from llmstack.errors import FetchError, PreflightError, UsageError
from tests.unit.core.test_replace_volumes import FILES, NAME, only, page, state, up
from tests.unit.core.world import LOADING, READY, World

EMPTY = Manifest(stack="lab", service="page", type="page", image=None, volumes=(), created_at=0.0, version="1")


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "page.tar")


@pytest.fixture
def wanted(world: World) -> Wanted:
    found = page(world, "--it", stateful=False)
    up(world, found)
    world.engine().data["data"].update(FILES)
    world.engine().calls.clear()
    return found


def run(world: World, wanted: Wanted, task: str, planner: Callable[..., Plan], file: str) -> Outcome:
    context = world.context(task, file=file)
    picked = [Picked(wanted, wanted.placement.models)]
    plan = planner(picked, with_facts(picked, sort_out(world.engine().observe("lab"), {}), context))
    return apply(plan, context)[-1]


def backup(world: World, wanted: Wanted, file: str) -> Outcome:
    return run(world, wanted, "backup", plan_backup, file)


def restore(world: World, wanted: Wanted, file: str, found: Manifest | None = None) -> Outcome:
    return run(world, wanted, "restore", partial(plan_restore, file=file, found=found or inspect(file)), file)


def test_it_is_stopped_saved_and_started_again(world: World, wanted: Wanted, file: str) -> None:
    outcome = backup(world, wanted, file)
    assert (outcome.status, outcome.reason) == (Status.CHANGED, f"11 kB in {file}")
    assert outcome.ladder is not None
    assert world.engine().writes == [("stop", NAME), ("start", NAME)]
    found = inspect(file)
    assert (found.stack, found.service, found.type, found.volumes) == ("lab", "page", "page", ("data",))
    assert found.created_at == pytest.approx(world.clock.now(), abs=60)
    assert world.ears.of(EventType.PROGRESS)


def test_what_does_not_run_is_saved_as_it_is(world: World, wanted: Wanted, file: str) -> None:
    world.engine().stop(NAME, 1)
    assert backup(world, wanted, file).status is Status.CHANGED
    assert not only(world).running
    assert inspect(file)


def test_a_disk_that_is_too_small_is_found_before_it_is_stopped(world: World, wanted: Wanted, file: str) -> None:
    big = Leftover(LeftoverKind.VOLUME, "data", "data of page", "lab", 1 << 60)
    world.engine().leftovers = lambda stack: (big, replace(big, name="other"))  # type: ignore[method-assign]
    outcome = backup(world, wanted, file)
    assert (outcome.exit_code, "it takes up to 1152922 TB" in outcome.reason) == (9, True)
    assert world.engine().writes == []


@pytest.mark.parametrize("verb", ["stop", "read_volumes"])
def test_it_runs_again_though_it_cannot_be_saved(world: World, wanted: Wanted, file: str, verb: str) -> None:
    world.engine().refuse(verb, FetchError("the engine broke off"))
    assert backup(world, wanted, file).exit_code == 10
    assert only(world).running
    assert os.listdir(os.path.dirname(file)) == []


def test_it_goes_back_to_what_was_saved(world: World, wanted: Wanted, file: str) -> None:
    backup(world, wanted, file)
    world.engine().data["data"] = {"db/users": b"bert"}
    outcome = restore(world, wanted, file)
    assert (outcome.status, outcome.reason) == (Status.CHANGED, f"all data in /data are replaced by those of {file}")
    assert state(world) == ("--it", True, {"data.1": FILES})
    assert [status.status for status in up(world, wanted)] == [Status.OK]


def test_what_else_the_inventory_changes_waits_for_up(world: World, wanted: Wanted, file: str) -> None:
    backup(world, wanted, file)
    world.engine().data["data"] = {"db/users": b"bert"}
    changed = page(world, "--other", stateful=False)
    world.engine().missing = lambda spec: pytest.fail(spec.command[0]) if "--other" in spec.command else ()  # type: ignore[method-assign]
    assert restore(world, changed, file).reason == f"all data in /data are replaced by those of {file}"
    assert state(world) == ("--it", True, {"data.1": FILES})


def test_one_that_does_not_get_ready_with_it_keeps_what_it_had(world: World, wanted: Wanted, file: str) -> None:
    backup(world, wanted, file)
    world.engine().data["data"] = {"db/users": b"bert"}
    world.server(3000).lives = [LOADING] * 3000 + [READY]
    assert restore(world, wanted, file).status is Status.UNHEALTHY
    assert state(world) == ("--it", True, {"data": {"db/users": b"bert"}})


def test_a_file_that_was_cut_changes_nothing(world: World, wanted: Wanted, file: str) -> None:
    backup(world, wanted, file)
    found = inspect(file)
    Path(file).write_bytes(Path(file).read_bytes()[:2000])
    world.engine().calls.clear()
    assert isinstance(restore(world, wanted, file, found).error, PreflightError)
    assert world.engine().writes == []


def test_another_stack_and_service_of_the_type_may_have_it_and_no_other_type(
    world: World, wanted: Wanted, file: str
) -> None:
    backup(world, wanted, file)
    other = world.want("copy", "page", port=3001, mounts=("elsewhere:/data", "cache:/cache"))
    up(world, other)
    world.engine().data["cache"]["kept"] = b"1"
    assert restore(world, other, file).status is Status.CHANGED
    assert world.engine().data["elsewhere.1"] == FILES
    assert world.engine().data["cache"] == {"kept": b"1"}
    lazy = world.want("lazy", "lazy", port=3002, mounts=("models:/data",))
    up(world, lazy)
    outcome = restore(world, lazy, file)
    assert (outcome.exit_code, "a service of type page; lazy@localhost is lazy" in outcome.reason) == (9, True)


def test_one_without_its_volume_is_refused_before_it_is_stopped(world: World, wanted: Wanted, file: str) -> None:
    backup(world, wanted, file)
    moved = world.want("copy", "page", port=3001, mounts=("data2:/srv/data",))
    up(world, moved)
    outcome = restore(world, moved, file)
    assert (outcome.exit_code, "has no volume at /data" in outcome.reason) == (9, True)
    assert world.engine().instances["llmstack-lab-copy"].running


def test_its_secrets_are_given_to_it_again(world: World, file: str) -> None:
    wanted = page(world, "--it")
    assert wanted.spec is not None
    wanted = world.all[wanted.target] = replace(wanted, spec=replace(wanted.spec, secrets={"KEY": secret()}))
    up(world, wanted)
    backup(world, wanted, file)
    real, given = world.engine().create, []
    world.engine().create = lambda spec: (given.append(spec), real(spec))[1]  # type: ignore[method-assign]
    assert restore(world, wanted, file).status is Status.CHANGED
    assert [type(spec.secrets["KEY"]) for spec in given] == [Secret]
    other = replace(wanted, spec=replace(wanted.needed_spec, secrets={"KEY": Secret("env:KEY", lambda: "new")}))
    world.all[wanted.target] = other
    assert restore(world, other, file).reason.endswith(f"by those of {file}; env.KEY differs")


def secret() -> Secret:
    return Secret("env:KEY", lambda: "hush")


def test_what_cannot_be_saved_says_why(world: World, file: str) -> None:
    cases = {
        "is not there": page(world, "--it"),
        "is not llmstack's to stop": world.want("ext", "page", url="http://127.0.0.1:1"),
        "has no volume of its own": world.want("bare", "page", port=3003),
    }
    up(world, cases["has no volume of its own"])
    absent = backup(world, cases["is not there"], file).error
    assert absent is not None
    assert "the volumes that `down` kept are read" in absent.message
    assert absent.hint == "`llmstack up --service page`, then this again"
    for reason, wanted in cases.items():
        for outcome in (backup(world, wanted, file), restore(world, wanted, file, EMPTY)):
            assert (outcome.exit_code, reason in outcome.reason) == (9, True)


def test_an_interrupted_replace_is_to_be_finished_first(world: World, wanted: Wanted, file: str) -> None:
    world.engine().add(replace(only(world), container_name=f"{NAME}.prev"))
    assert "to be finished first" in backup(world, wanted, file).reason
    assert "to be finished first" in restore(world, wanted, file, EMPTY).reason


def test_one_file_is_of_one_service(world: World, wanted: Wanted, file: str) -> None:
    both = [Picked(wanted, ()), Picked(world.want("other", "page", port=3001), ())]
    for plan in (plan_backup, partial(plan_restore, file=file, found=EMPTY)):
        with pytest.raises(UsageError, match="page@localhost, other@localhost"):
            plan(both, sort_out([], {}))
