"""What a plan costs is told, and what nobody knows is told as unknown."""

from __future__ import annotations

from dataclasses import replace

from llmstack.core.observe import Facts
from llmstack.core.plan import plan_down, plan_restart, plan_up
from llmstack.core.price import priced
from llmstack.core.select import Picked, in_order
from llmstack.domain.codec import digest
from llmstack.domain.instance import Need
from llmstack.domain.plan import Plan, Price
from llmstack.domain.resources import Resources
from tests.unit.core.test_apply_order import seen
from tests.unit.core.world import World, refuse


def prices(world: World, plan: Plan, start_s: float | None = None) -> dict[str, Price | None]:
    actions = priced(plan, world.context(), lambda target, spec: start_s).actions
    return {str(action.target): action.price for action in actions}


def picked(world: World) -> list[Picked]:
    return [Picked(item, item.placement.models) for item in in_order(tuple(world.all.values()))]


def test_a_replace_costs_time_memory_and_what_others_do_with_it(world: World) -> None:
    old = world.want("db", args=("--old",), port=9000)
    assert old.spec is not None
    world.run(replace(old, spec=replace(old.spec, resources=Resources(memory_bytes=8 << 30))))
    new = world.want("db", args=("--new",), port=9000)
    world.all[new.target] = replace(new, spec=replace(new.needed_spec, resources=Resources(memory_bytes=12 << 30)))
    world.run(world.want("gate", "page", port=9001, depends_on=("db",)))
    world.run(world.want("page", "page", port=9002, depends_on=("gate",)))
    world.run(world.want("page", "page", port=9002, depends_on=("gate",), host="far"))
    world.server(9000).busy = [2]
    found = prices(world, plan_up(picked(world), seen(world)), 14.0)
    assert found["db@localhost"] == Price(
        fetch_bytes=0,
        downtime_s=14.0,
        memory_before_bytes=8 << 30,
        memory_after_bytes=12 << 30,
        dependants=("gate@localhost", "page@localhost", "page@far"),
        in_flight=2,
    )
    assert [found[name] for name in ("gate@localhost", "page@localhost", "page@far")] == [None, None, None]


def test_the_time_asked_for_is_that_of_the_new_spec(world: World) -> None:
    world.run(world.want(args=("--old",)))
    new = world.want(args=("--new",))
    asked: list[tuple[str, str]] = []

    def start_s(target: object, spec: str) -> None:
        asked.append((str(target), spec))

    priced(plan_up(picked(world), seen(world)), world.context(), start_s)
    assert asked == [("demo@localhost", digest(new.needed_spec))]


def test_what_nobody_knows_is_none(world: World) -> None:
    world.run(world.want())
    world.server().errors["in_flight"] = refuse()
    price = prices(world, plan_restart(picked(world), seen(world)))["demo@localhost"]
    assert price == Price(fetch_bytes=0)


def test_bytes_to_fetch_are_a_sum_only_where_each_is_known(world: World) -> None:
    world.want("one", port=1), world.want("two", port=2)
    known, unknown = Need(kind="weights", name="m.gguf", size_bytes=94), Need(kind="image", name="image:1")
    needs = {"one": (known, replace(known, size_bytes=6)), "two": (known, unknown)}
    observed = replace(
        seen(world), facts={item.wanted.target: Facts(needs=needs[item.wanted.target.name]) for item in picked(world)}
    )
    found = prices(world, plan_up(picked(world), observed))
    assert [found[name].fetch_bytes for name in ("one@localhost", "two@localhost")] == [100, None]  # type: ignore[union-attr]


def test_what_is_only_looked_at_asks_no_server(world: World) -> None:
    world.run(world.want())
    prices(world, plan_up(picked(world), seen(world)))
    assert world.server().calls == []
    assert prices(world, plan_down(picked(world), seen(world)))["demo@localhost"] == Price(fetch_bytes=0)
    assert world.server().calls == ["in_flight"]
