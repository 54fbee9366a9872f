"""What the store has wrong, and how it is repaired."""

from __future__ import annotations

from dataclasses import replace

from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.core.observe import Observed, sort_out
from llmstack.core.report import status_report, sync_report
from llmstack.core.select import Picked
from llmstack.core.sync import Seen, differences
from llmstack.domain.event import Event, EventType
from llmstack.domain.instance import Instance, State
from llmstack.domain.ladder import Ladder, Rung, RungResult
from llmstack.domain.report import Fate, SyncReport
from llmstack.domain.server import ServedModel
from llmstack.domain.stored import StoredModel
from llmstack.errors import UnreachableError
from llmstack.store.store import Store
from tests.unit.core.stack import Types
from tests.unit.core.world import LOADING, REFUSED, World


def seen(world: World, **errors: str) -> Observed:
    rows = [row for engine in world.engines.values() for row in engine.observe("lab")]
    return sort_out(rows, {(host, "docker"): UnreachableError(text) for host, text in errors.items()})


def rows(store: Store) -> dict[str, str]:
    return {f"{row.name} in {row.container_name}": row.state.value for row in store.models()}


def sync(
    world: World, store: Store, *wanted: Wanted, check: bool = False, orphans: tuple[Instance, ...] = (), **errors: str
) -> SyncReport:
    context: Context = world.context("sync")
    return sync_report(wanted, seen(world, **errors), orphans, context, store, rows=store.models(), check=check)


def status_of(world: World, store: Store, wanted: Wanted) -> Fate | None:
    """What `status` tells beside it."""
    picked = [Picked(wanted, wanted.placement.models)]
    report = status_report(picked, seen(world), (), world.context("status"), memory=store, registry=Types(world))
    return report.rows[0].reason


def told(report: SyncReport) -> list[tuple[str, str, str]]:
    return [(str(one.target), one.store, one.action) for one in report.differences]


def test_what_runs_unknown_to_the_store_is_recorded_once(world: World, store: Store) -> None:
    demo = world.want()
    world.run(demo)
    report = sync(world, store, demo)
    assert told(report) == [("demo@localhost", "unknown", "recorded active")]
    assert report.differences[0].engine.startswith("running since 2027-01-15")
    assert report.changed == 1
    assert sync(world, store, demo) == SyncReport()


def test_a_check_repairs_nothing(world: World, store: Store) -> None:
    demo = world.want()
    world.run(demo)
    report = sync(world, store, demo, check=True)
    assert (len(report.differences), report.changed, store.models()) == (1, 0, ())


def test_a_crash_is_told_with_how_and_when(world: World, store: Store) -> None:
    demo = world.want(restart="no")
    world.run(demo)
    sync(world, store, demo)
    world.engine().crash("llmstack-lab-demo", 137)
    (difference,) = sync(world, store, demo).differences
    assert (difference.store, difference.action) == ("active", "recorded inactive")
    assert difference.engine.startswith("exited 137 at 2027-01-15")
    assert store.models()[0].stopped_on_purpose is False


def test_a_restart_by_the_engine_is_told(world: World, store: Store) -> None:
    demo = world.want()
    world.run(demo)
    sync(world, store, demo)
    world.clock.advance(60)
    world.engine().crash("llmstack-lab-demo", 1)
    (difference,) = sync(world, store, demo).differences
    assert difference.engine.startswith("restarted by the engine since")
    assert difference.engine.endswith("(1 restart in 60 s)")
    assert sync(world, store, demo).differences == ()


def test_a_server_that_loads_is_not_active_yet(world: World, store: Store) -> None:
    demo = world.want()
    world.run(demo)
    sync(world, store, demo)
    world.server().lives = [LOADING]
    (difference,) = sync(world, store, demo).differences
    assert difference.engine.startswith("loading since")


def test_what_somebody_removed_is_recorded_inactive(world: World, store: Store) -> None:
    demo = world.want()
    world.run(demo)
    sync(world, store, demo)
    world.engine().instances.clear()
    (difference,) = sync(world, store, demo).differences
    assert (difference.engine, difference.action) == (
        "not there any more: removed by somebody else",
        "recorded inactive",
    )
    assert sync(world, store, demo) == SyncReport()


def test_what_somebody_else_put_under_its_name_is_told_and_not_taken_for_ours(world: World, store: Store) -> None:
    demo = world.want()
    there = world.run(demo)
    sync(world, store, demo)
    foreign = replace(there, id="foreign", spec=None, stack=None, labels={})
    world.engine().instances[there.container_name] = foreign
    assert status_of(world, store, demo) is Fate.REPLACED
    (difference,) = sync(world, store, demo).differences
    assert (difference.reason, difference.action) == (Fate.REPLACED, "recorded inactive")
    assert difference.engine.startswith("replaced by somebody else: another one of that name runs there since")
    assert status_of(world, store, demo) is Fate.REPLACED


def test_another_one_of_ours_under_its_name_is_told(world: World, store: Store) -> None:
    demo = world.want()
    there = world.run(demo)
    sync(world, store, demo)
    world.engine().instances[there.container_name] = replace(there, id="another")
    (difference,) = sync(world, store, demo).differences
    assert (difference.reason, difference.action) == (Fate.REPLACED, "recorded")
    assert sync(world, store, demo).differences == ()


def test_a_process_that_ran_out_of_memory_in_one_that_goes_on_is_told_once(world: World, store: Store) -> None:
    demo = world.want()
    there = world.run(demo)
    sync(world, store, demo)
    world.engine().instances[there.container_name] = replace(there, out_of_memory=True)
    (difference,) = sync(world, store, demo).differences
    assert (difference.reason, difference.action) == (Fate.STARVED, "recorded")
    assert sync(world, store, demo).differences == ()


def test_what_was_stopped_and_then_removed_by_somebody_is_told_too(world: World, store: Store) -> None:
    demo = world.want()
    world.run(demo)
    world.engine().stop("llmstack-lab-demo", 0)
    sync(world, store, demo)
    world.engine().instances.clear()
    (difference,) = sync(world, store, demo).differences
    assert (difference.reason, difference.store, difference.action) == (Fate.REMOVED, "inactive", "recorded")
    assert sync(world, store, demo).differences == ()


def test_a_model_that_left_its_server_is_told_and_one_that_never_came_is_not(world: World, store: Store) -> None:
    ollama = world.want("ollama", "lazy", models=("llama3", "never"))
    world.run(ollama)
    world.server().models["llama3"] = ServedModel(name="llama3")
    assert told(sync(world, store, ollama)) == [("llama3@localhost", "unknown", "recorded active")]
    world.server().models.clear()
    (difference,) = sync(world, store, ollama).differences
    assert (difference.engine, difference.action) == ("not in the server", "recorded inactive")
    assert sync(world, store, ollama).differences == ()


def test_orphans_are_told_each_time_and_never_touched(world: World, store: Store) -> None:
    orphan = world.run(world.want("old"))
    world.all.clear()
    for _ in range(2):
        (difference,) = sync(world, store, orphans=(orphan,)).differences
        assert difference.action == "orphan: llmstack down --orphans removes it"
    assert world.engine().writes == []


def checked(world: World, store: Store, *wanted: Wanted) -> list[tuple[str, Fate | None, str, str]]:
    report = sync(world, store, *wanted, check=True)
    assert report.changed == 0
    return [(str(one.target), one.reason, one.engine, one.action) for one in report.differences]


def test_a_check_tells_what_is_wanted_and_not_there_or_down_or_otherwise(world: World, store: Store) -> None:
    new, down, other = world.want("new"), world.want("down", restart="no", port=2), world.want("other", port=3)
    world.run(down)
    world.run(other)
    sync(world, store, down, other)
    world.engine().crash("llmstack-lab-down", 7)
    sync(world, store, down, other)
    moved = world.want("other", port=4)
    found = checked(world, store, new, down, moved)
    assert [one[:2] for one in found] == [
        ("new@localhost", Fate.WANTED),
        ("down@localhost", Fate.WANTED),
        ("other@localhost", Fate.DIFFERS),
    ]
    assert [one[2][:25] for one in found] == [
        "wanted, not there",
        "wanted, exited 7 at 2027-",
        "differs from the inventor",
    ]
    assert found[2][2].endswith("(port 3 → 4)")
    assert [one[3] for one in found] == [f"llmstack up --service {name}" for name in ("new", "down", "other")]
    assert sync(world, store, new, down, moved).differences == ()
    assert world.engine().writes == []


def test_a_check_tells_once_what_the_store_does_not_know_to_be_down_yet(world: World, store: Store) -> None:
    demo = world.want(restart="no")
    world.run(demo)
    sync(world, store, demo)
    world.engine().crash("llmstack-lab-demo", 7)
    assert [one[1] for one in checked(world, store, demo)] == [Fate.DIED]


def test_a_check_tells_who_has_the_name_and_why_a_start_failed(world: World, store: Store) -> None:
    demo = world.want()
    there = world.run(demo)
    sync(world, store, demo)
    world.engine().stop(there.container_name, 0)
    sync(world, store, demo)
    rungs = (RungResult(rung=Rung.CHECKED, ok=False, ms=1, detail="says no"),)
    store.climbed(Ladder(target=demo.target, rungs=rungs), there.container_name)
    assert status_of(world, store, demo) is Fate.FAILED
    ((_, fate, text, _),) = checked(world, store, demo)
    assert (fate, text[:53]) == (Fate.WANTED, "wanted, its last start failed: checked: says no; stop")
    world.engine().instances[there.container_name] = replace(there, id="foreign", spec=None, stack=None, labels={})
    sync(world, store, demo)
    ((_, fate, text, _),) = checked(world, store, demo)
    assert (fate, text[:36]) == (Fate.WANTED, "wanted, replaced by somebody else: a")


def test_a_check_tells_what_is_off_and_runs(world: World, store: Store) -> None:
    demo = world.want()
    world.run(demo)
    sync(world, store, demo)
    off = replace(demo, placement=replace(demo.placement, service=replace(demo.placement.service, enabled=False)))
    ((_, fate, text, _),) = checked(world, store, off)
    assert (fate, text) == (Fate.DIFFERS, "differs from the inventory (enabled: false)")


def known(store: Store, **facts: str) -> None:
    base = StoredModel(name="x", host="localhost", container_name="c", state=State.READY, engine="docker", stack="lab")
    store.upsert_model(replace(base, **facts))  # type: ignore[arg-type]


def test_rows_of_another_stack_engine_or_host_are_left_alone(world: World, store: Store) -> None:
    demo = world.want()
    known(store, container_name="llmstack-other-x", stack="other")
    known(store, container_name="by-process", engine="process")
    known(store, container_name="far", host="far")
    assert sync(world, store, demo).differences == ()
    known(store, container_name="ours-and-gone")
    assert told(sync(world, store, demo)) == [("x@localhost", "active", "recorded inactive")]


def test_a_host_that_cannot_be_asked_changes_no_row(world: World, store: Store) -> None:
    demo = world.want()
    world.run(demo)
    sync(world, store, demo)
    report = sync(world, store, demo, localhost="docker is not running")
    assert (report.differences, report.exit_code) == ((), 4)
    assert rows(store) == {"demo in llmstack-lab-demo": "ready"}


def test_an_instance_that_cannot_be_inspected_is_taken_as_listed(world: World, store: Store) -> None:
    demo = world.want()
    world.run(demo)
    world.engine().refuse("inspect", UnreachableError("no route"), times=None)
    assert told(sync(world, store, demo)) == [("demo@localhost", "unknown", "recorded active")]


def test_one_that_goes_while_it_is_looked_at_is_gone(world: World, store: Store) -> None:
    demo = world.want()
    world.run(demo)
    sync(world, store, demo)
    observed = seen(world)
    world.engine().instances.clear()
    report = sync_report((demo,), observed, (), world.context("sync"), store, rows=store.models(), check=False)
    assert told(report) == [("demo@localhost", "active", "recorded inactive")]


def test_what_others_note_while_it_is_looked_at_stays(world: World, store: Store) -> None:
    demo, other = world.want(), world.want("other", port=8081)
    world.run(demo)
    sync(world, store, demo)
    before, observed = store.models(), seen(world)
    there = replace(world.run(other), state=State.STARTING)
    store.gone(demo.target, "llmstack-lab-demo", on_purpose=True)
    store.seen(there, ["other"])
    late = replace(observed, instances=seen(world).instances)
    report = sync_report((demo, other), late, (), world.context("sync"), store, rows=before, check=False)
    assert report.differences == ()
    assert rows(store) == {"demo in llmstack-lab-demo": "absent", "other in llmstack-lab-other": "starting"}
    assert store.models()[0].stopped_on_purpose


def test_what_others_start_while_it_is_looked_at_is_not_gone(world: World, store: Store) -> None:
    demo = world.want()
    store.seen(replace(world.run(demo), id="earlier", state=State.READY), ["demo"])
    world.engine().instances.clear()
    before, observed = store.models(), seen(world)
    store.seen(replace(world.run(demo), state=State.READY), ["demo"])
    report = sync_report((demo,), observed, (), world.context("sync"), store, rows=before, check=False)
    assert report.differences == ()
    assert rows(store) == {"demo in llmstack-lab-demo": "ready"}


def test_what_a_run_of_ours_does_meanwhile_is_told_as_its_own(world: World, store: Store) -> None:
    demo = world.want()
    world.run(demo)
    sync(world, store, demo)
    run_id = store.begin_run("down", "")
    store.record(run_id, Event(world.clock.now(), EventType.START, "down", demo.target))
    world.engine().instances.clear()
    (checked,), (recorded,) = (sync(world, store, demo, check=check).differences for check in (True, False))
    assert checked.engine == recorded.engine == f"removed by run {run_id} (down)"
    assert checked.reason is recorded.reason is Fate.STOPPED


def test_external_services_are_synced_too(world: World, store: Store) -> None:
    far = world.want("far", "lazy", models=("llama3",), url="http://127.0.0.1:9")
    world.server(9).models["llama3"] = ServedModel(name="llama3")
    assert told(sync(world, store, far)) == [("llama3@localhost", "unknown", "recorded active")]
    world.server(9).lives = [REFUSED]
    (difference,) = sync(world, store, far).differences
    assert (difference.store, difference.engine) == ("active", "unreachable")
    assert sync(world, store, far).differences == ()


def test_a_row_that_is_right_is_no_difference() -> None:
    there = Instance(
        id="1", container_name="c", service="x", host="h", engine="docker", state=State.STARTING, running=True
    )
    stored = StoredModel(name="x", host="h", container_name="c", state=State.DEGRADED)
    assert differences([stored], [Seen(instance=there, names=("x",), state=State.READY)], 0.0) == ()
    assert differences([replace(stored, state=State.ABSENT)], [], 0.0) == ()
