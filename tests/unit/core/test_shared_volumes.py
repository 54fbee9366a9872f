"""One volume, several services: whoever names it gets what it is now."""

from __future__ import annotations

from llmstack.core.apply import apply
from llmstack.core.desired import Wanted
from llmstack.core.facts import with_facts
from llmstack.core.observe import sort_out
from llmstack.core.plan import plan_up
from llmstack.core.policy import Policy
from llmstack.core.select import Picked
from llmstack.domain.outcome import Outcome
from llmstack.domain.plan import ActionKind, Plan
from tests.unit.core.test_replace_volumes import FILES, down, page, up
from tests.unit.core.world import World


def copied_twice(world: World) -> Wanted:
    """A page whose data are in the second copy by now, and hold FILES."""
    for word in ("--one", "--two", "--three"):
        wanted = page(world, word)
        up(world, wanted)
    world.engine().data["data.2"].update(FILES)
    world.engine().calls.clear()
    return wanted


def renamed(world: World, old: Wanted, **more: object) -> Wanted:
    del world.all[old.target]
    given = {"port": 3001, "mounts": ("data:/data",), "stateful": True, **more}
    return world.want("page2", "page", **given)  # type: ignore[arg-type]


def plan(world: World, *wanted: Wanted, orphans: bool = False) -> Plan:
    picked = [Picked(item, ()) for item in wanted]
    observed = sort_out(world.engine().observe("lab"), {})
    lost = tuple(row for row in observed.rows() if row.target not in world.all)
    return plan_up(picked, with_facts(picked, observed, world.context()), Policy(orphans=lost if orphans else ()))


def up_all(world: World, *wanted: Wanted, orphans: bool = False) -> tuple[Outcome, ...]:
    return apply(plan(world, *wanted, orphans=orphans), world.context())


def mounted(world: World) -> dict[str, str]:
    return {there.service: there.spec.own["data"] for there in world.engine().instances.values() if there.spec}


def test_a_renamed_service_goes_on_with_the_data_of_the_one_that_goes(world: World) -> None:
    wanted = renamed(world, copied_twice(world))
    gone, made = plan(world, wanted, orphans=True).actions
    assert (gone.kind, made.reason) == (ActionKind.REMOVE, "not there; mounts data.2")
    assert [outcome.exit_code for outcome in up_all(world, wanted, orphans=True)] == [0, 0]
    assert [verb for verb, _ in world.engine().writes] == ["stop", "remove", "create", "start"]
    assert (mounted(world), world.engine().data) == ({"page2": "data.2"}, {"data.2": FILES})


def test_its_next_copy_leaves_nothing_of_the_old_name(world: World) -> None:
    up_all(world, renamed(world, copied_twice(world)), orphans=True)
    up_all(world, world.want("page2", "page", args=("--new",), port=3001, mounts=("data:/data",), stateful=True))
    assert (mounted(world), world.engine().data) == ({"page2": "data.3"}, {"data.3": FILES})


def test_it_waits_for_the_one_that_has_its_data_to_go(world: World) -> None:
    wanted = renamed(world, copied_twice(world))
    (refused,) = plan(world, wanted).actions
    assert refused.error is not None
    assert refused.reason == "page2@localhost is to have volume data.2 for itself, but llmstack-lab-page mounts it too"
    assert "llmstack up --orphans removes it" in str(refused.error.hint)
    (made,) = plan(world, renamed(world, wanted, stateful=False)).actions
    assert (made.kind, made.reason) == (ActionKind.CREATE, "not there; mounts data.2")


def test_after_down_the_one_copy_there_is_goes_to_who_names_it(world: World) -> None:
    old = copied_twice(world)
    down(world, old)
    up_all(world, renamed(world, old))
    assert (mounted(world), world.engine().data) == ({"page2": "data.2"}, {"data.2": FILES})


def test_all_that_name_a_volume_share_it_when_it_is_not_copied_any_more(world: World) -> None:
    copied_twice(world)
    both = page(world, "--three", stateful=False), world.want("third", "page", port=3002, mounts=("data:/data:ro",))
    assert [outcome.exit_code for outcome in up_all(world, *both)] == [0, 0]
    third = world.engine().instances["llmstack-lab-third"].spec
    assert third is not None
    assert third.decided["volumes"] == "data.2"
    assert world.engine().data == {"data.2": FILES}


def test_two_of_one_name_are_refused_before_anything_is_made(world: World) -> None:
    down(world, copied_twice(world))
    world.engine().data["data"], world.engine().owners["data"] = {}, ("lab", "gone")
    both = page(world, "--three", stateful=False), world.want("third", "page", port=3002, mounts=("data:/data",))
    world.engine().calls.clear()
    assert [outcome.exit_code for outcome in up_all(world, *both)] == [9, 9]
    assert world.engine().writes == []


def test_a_volume_that_somebody_names_like_a_copy_is_none(world: World) -> None:
    up(world, world.want("odd", "page", port=3002, mounts=("data.7:/data",)))
    up(world, page(world, "--one"))
    assert set(world.engine().data) == {"data.7", "data"}
    up(world, page(world, "--two"))
    assert set(world.engine().data) == {"data.7", "data.8"}
