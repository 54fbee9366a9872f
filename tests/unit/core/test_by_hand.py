"""Limits and restart policy that somebody changed while an instance ran."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from llmstack.core.diff import by_hand
from llmstack.core.observe import sort_out
from llmstack.core.report import sync_report
from llmstack.domain.event import EventType
from llmstack.domain.report import Fate
from llmstack.domain.resources import Resources
from llmstack.domain.selection import RunOptions
from llmstack.engines.docker.rows import from_inspect
from llmstack.store.store import Store
from tests.unit.core.stack import ALL, Bench
from tests.unit.core.world import World

TOLD = "memory none → 64 MiB, restart unless-stopped → no"
CHANGED = {"limits": Resources(memory_bytes=64 << 20), "restart_policy": "no"}


def test_sync_check_tells_them_and_how_to_have_them_back(world: World, store: Store) -> None:
    demo = world.want()
    there = replace(world.run(demo), limits=Resources())
    world.engine().instances[there.container_name] = there
    context, observed = world.context("sync"), sort_out([there], {})
    sync_report([demo], observed, (), context, store, rows=store.models(), check=False)
    assert sync_report([demo], observed, (), context, store, rows=store.models(), check=True).differences == ()
    world.engine().instances[there.container_name] = replace(there, **CHANGED)  # type: ignore[arg-type]
    (told,) = sync_report([demo], observed, (), context, store, rows=store.models(), check=True).differences
    assert (told.engine, told.reason) == (f"not as it was made ({TOLD})", Fate.DIFFERS)
    assert told.action == "llmstack down --service demo, then up"


def test_up_check_tells_them_and_up_asks_no_more_than_a_list(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.app().up(ALL)
    engine = bench.world.engine()
    there = engine.instances["llmstack-lab-page"]
    engine.instances[there.container_name] = replace(there, **CHANGED)  # type: ignore[arg-type]
    bench.forget()
    checked = bench.app().up(ALL, RunOptions(check=True))
    (page,) = (outcome for outcome in checked.outcomes if outcome.target.name == "page")
    assert page.reason == f"as wanted; not as it was made: {TOLD}; `down` and `up` make it anew"
    bench.forget()
    bench.app().up(ALL)
    assert "inspect" not in {verb for verb, _ in engine.calls}
    for app in bench.apps:
        app.close()


def test_health_warns_of_them_once_and_calls_it_healthy(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.app().up(ALL)
    engine = bench.world.engine()
    for name in ("llmstack-lab-ollama", "llmstack-lab-page"):
        engine.instances[name] = replace(engine.instances[name], **CHANGED)  # type: ignore[arg-type]
    assert bench.app().health(ALL).exit_code == 0
    warned = sorted(event.message for event in bench.world.ears.of(EventType.WARNING))
    assert warned == [
        f"{name}@localhost is not as it was made: {TOLD}; `down` and `up` make it anew" for name in ("ollama", "page")
    ]
    for app in bench.apps:
        app.close()


def test_sizes_and_counts_are_told_as_people_write_them(world: World) -> None:
    made = Resources(memory_bytes=8 << 30, cpus=1.5)
    demo = world.want()
    there = replace(world.run(demo), spec=replace(demo.needed_spec, resources=made))
    now = replace(there, limits=Resources(memory_bytes=512 << 20, cpus=2.0), restart_policy="always")
    assert by_hand(now) == "memory 8.0 GiB → 512 MiB, cpus 1.5 → 2, restart unless-stopped → always"
    finest = replace(there, limits=replace(made, cpus=1.4999), restart_policy="unless-stopped")
    assert by_hand(finest) == ""


def test_docker_tells_what_is_in_force() -> None:
    told = {"Name": "/x", "HostConfig": {"Memory": 64 << 20, "NanoCpus": 1500000000}}
    assert from_inspect(told, "h").limits == Resources(memory_bytes=64 << 20, cpus=1.5)
    assert from_inspect({"Name": "/x", "HostConfig": {"Memory": 0, "NanoCpus": 0}}, "h").limits == Resources()
