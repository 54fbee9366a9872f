"""What `status` and `sync` tell, and what the store is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.core.look import Look
from llmstack.core.observe import Observed, sort_out
from llmstack.core.remember import remember
from llmstack.core.report import last_ladder, status_report, strangers_report, sync_report
from llmstack.core.select import Picked
from llmstack.core.status import rows_of
from llmstack.core.sync import Seen, differences
from llmstack.domain.instance import Instance, State
from llmstack.domain.ladder import Ladder, Rung, RungResult
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.plan import Action, ActionKind
from llmstack.domain.report import StatusReport, StatusRow, SyncReport
from llmstack.domain.server import ServedModel
from llmstack.domain.stored import StoredModel
from llmstack.domain.target import Target
from llmstack.errors import PreflightError, StoreError, UnreachableError
from llmstack.store import open_store
from llmstack.store.store import Store
from tests.unit.core.world import LOADING, REFUSED, World


@pytest.fixture
def store(world: World) -> Iterator[Store]:
    with open_store(":memory:", {}, now=world.clock.now) as store:
        yield store


def seen(world: World, **errors: str) -> Observed:
    rows = [row for engine in world.engines.values() for row in engine.observe("lab")]
    return sort_out(rows, {(host, "docker"): UnreachableError(text) for host, text in errors.items()})


def status(world: World, *wanted: Wanted, orphans: tuple[Instance, ...] = (), **errors: str) -> StatusReport:
    picked = [Picked(item, item.placement.models) for item in wanted]
    return status_report(picked, seen(world, **errors), orphans, world.context("status"), lambda _: None)


def row(report: StatusReport) -> StatusRow:
    (only,) = report.rows
    return only


# -- status ------------------------------------------------------------------------------------------------------------


def test_each_model_has_a_row_and_a_companion_one_of_its_own(world: World) -> None:
    ollama, page = world.want("ollama", "lazy", models=("llama3", "gone")), world.want("page", "page", port=3000)
    world.run(ollama)
    world.run(page)
    world.server().models["llama3"] = ServedModel(name="llama3", loaded=False, digest="365c0bd3")
    first, second, third = status(world, ollama, page).rows
    assert (first.model, first.state, first.device, first.version) == (
        "llama3",
        State.READY,
        "on demand",
        "llama3 365c0b",
    )
    assert (second.state, second.detail) == (State.ABSENT, "not pulled: llmstack pull --model gone")
    assert (third.model, third.service, third.version, third.url) == (None, "page", "1", "http://127.0.0.1:3000")


def test_a_row_says_why_it_does_not_run(world: World) -> None:
    demo = world.want(restart="no")
    assert row(status(world, demo)).state is State.ABSENT
    world.run(demo)
    world.engine().crash("llmstack-lab-demo", 137, out_of_memory=True)
    found = row(status(world, demo))
    assert (found.state, found.detail, found.exit_code, found.url) == (
        State.CRASHED, "crashed, exit 137, out of memory", 137, None,
    )  # fmt: skip
    wrong = replace(demo, spec=None, error=PreflightError("model file is not there"))
    world.engine().instances.clear()
    assert row(status(world, wrong)).detail == "model file is not there"


def test_a_host_that_cannot_be_asked_is_a_state_and_an_error(world: World) -> None:
    demo = world.want(host="far")
    report = status(world, demo, far="no route")
    assert (row(report).state, row(report).detail, report.exit_code) == (State.UNREACHABLE, "no route", 4)


def test_an_external_service_has_its_own_address(world: World) -> None:
    far = world.want("far", "lazy", models=("llama3",), url="http://127.0.0.1:9")
    found = row(status(world, far))
    assert (found.engine, found.url, found.container_name) == ("external", "http://127.0.0.1:9", None)
    world.server(9).lives = [REFUSED]
    assert row(status(world, far)).state is State.UNREACHABLE


def test_orphans_come_last_with_the_command_that_removes_them(world: World) -> None:
    orphan = world.run(world.want("old"))
    found = row(status(world, orphans=(orphan,)))
    assert (found.service, found.wanted, found.ours) == ("old", False, True)
    assert found.detail == "running; not in the inventory: llmstack down --orphans removes it"


@pytest.mark.parametrize(("detail", "device"), [("cpu (as asked)", "cpu"), ("gpu", "gpu")])
def test_the_device_is_what_the_last_climb_proved(world: World, store: Store, detail: str, device: str) -> None:
    demo = world.want()
    world.run(demo)
    store.climbed(Ladder(target=demo.target, rungs=(RungResult(rung=Rung.DEVICE, ok=True, ms=1, detail=detail),)), "c")
    rows = rows_of(
        [Picked(demo, demo.placement.models)], seen(world), {demo.target: Look(state=State.READY)},
        lambda target: last_ladder(store, target),
    )  # fmt: skip
    assert next(rows).device == device


def test_a_store_that_fails_remembers_nothing(world: World, store: Store) -> None:
    assert last_ladder(store, Target("demo", "localhost")) is None

    class Broken(Store):
        def last_ladder(self, target: Target) -> None:
            raise StoreError("damaged")

    assert last_ladder(Broken.__new__(Broken), Target("demo", "localhost")) is None
    demo = world.want()
    world.run(demo)
    assert row(status(world, demo)).device == "unknown"


def test_an_image_without_a_tag_has_no_version(world: World) -> None:
    page = world.want("page", "page")
    for image, version in (("host:5000/page", None), ("page", None), (None, None), ("host:5000/page:2", "2")):
        there = world.run(page)
        world.engine().add(replace(there, image=image))
        assert row(status(world, page)).version == version
        world.engine().instances.clear()


class Engines:
    """Both engines of this machine."""

    def __init__(self, world: World) -> None:
        self.world = world

    def get(self, host: object, kind: str) -> object:
        return self.world.engine("localhost", kind)


class Types:
    """A registry of the world's types."""

    def __init__(self, world: World) -> None:
        self.world = world

    def get(self, name: str) -> object:
        return self.world.types.get(name)


def strangers(world: World) -> StatusReport:
    return strangers_report(Engines(world), world.context("status"), Types(world))  # type: ignore[arg-type]


def test_without_an_inventory_everything_that_serves_models_here_is_shown(world: World) -> None:
    ours, several = world.run(world.want()), world.run(world.want("o", "lazy", models=("a", "b"), port=2))
    world.engine().add(replace(ours, container_name="unlabelled", spec=None, running=False, state=State.STOPPED))
    foreign = replace(ours, container_name="some-ollama", service="ollama", port=11434, spec=None)
    world.engine().add_stranger(foreign)
    world.engine(kind="process").add_stranger(replace(foreign, engine="process", running=False))
    report = strangers(world)
    assert [(row.container_name, row.ours, row.model, row.state, row.url) for row in report.rows] == [
        ("llmstack-lab-demo", True, "demo", State.READY, "http://127.0.0.1:8080"),
        (several.container_name, True, None, State.READY, "http://127.0.0.1:2"),
        ("unlabelled", True, None, State.STOPPED, None),
        ("some-ollama", False, None, State.STARTING, None),
        ("some-ollama", False, None, State.STARTING, "http://127.0.0.1:11434"),
    ]
    assert (report.exit_code, report.inventory) == (0, None)


def test_without_an_inventory_an_engine_that_is_not_there_is_no_failure(world: World) -> None:
    world.engine().refuse("observe", UnreachableError("docker is not running"))
    world.engine(kind="process").refuse("observe", StoreError("odd"))
    assert [error.message for error in strangers(world).errors] == ["odd"]


def test_an_engine_that_fails_to_tell_an_address_tells_the_rest(world: World) -> None:
    ours = world.run(world.want())
    world.engine().add_stranger(replace(ours, spec=None, container_name="some-ollama"))
    world.engine().instances.clear()

    def endpoint(there: Instance) -> None:
        raise UnreachableError("gone")

    world.engine().endpoint = endpoint  # type: ignore[method-assign, assignment]
    (row,) = strangers(world).rows
    assert (row.container_name, row.url) == ("some-ollama", None)


# -- remember ----------------------------------------------------------------------------------------------------------


def outcome(wanted: Wanted, kind: ActionKind = ActionKind.KEEP, **more: object) -> Outcome:
    action = Action(kind=kind, target=wanted.target, reason="", placement=wanted.placement, **more)  # type: ignore[arg-type]
    return Outcome(target=wanted.target, status=Status.CHANGED, action=action)


def rows(store: Store) -> dict[str, str]:
    return {f"{row.name} in {row.container_name}": row.state.value for row in store.models()}


def test_a_run_leaves_a_row_for_each_model_with_its_version_and_url(world: World, store: Store) -> None:
    demo, ollama = world.want(), world.want("ollama", "lazy", models=("llama3", "gone"), port=2)
    page = world.want("page", "page", port=3)
    for item in (demo, ollama, page):
        world.run(item)
    world.server(2).models["llama3"] = ServedModel(name="llama3", digest="365c0bd3")
    remember([outcome(item) for item in (demo, ollama, page)], world.context(), store)
    assert rows(store) == {
        "demo in llmstack-lab-demo": "ready",
        "llama3 in llmstack-lab-ollama": "ready",
        "page in llmstack-lab-page": "ready",
    }
    known = {row.name: row for row in store.models()}
    assert (known["demo"].installed_version, known["demo"].url, known["demo"].port) == (
        "1.0",
        "http://127.0.0.1:8080",
        8080,
    )
    assert known["llama3"].installed_version == "llama3 365c0b"
    assert known["llama3"].stack == "lab"


def test_a_model_that_left_its_server_becomes_inactive(world: World, store: Store) -> None:
    ollama = world.want("ollama", "lazy", models=("llama3",))
    world.run(ollama)
    world.server().models["llama3"] = ServedModel(name="llama3")
    remember([outcome(ollama)], world.context(), store)
    world.server().models.clear()
    remember([outcome(ollama)], world.context(), store)
    assert rows(store) == {"llama3 in llmstack-lab-ollama": "absent"}


def test_what_was_removed_was_stopped_on_purpose(world: World, store: Store) -> None:
    demo = world.want()
    there = world.run(demo)
    remember([outcome(demo)], world.context(), store)
    world.engine().instances.clear()
    remember([outcome(demo, ActionKind.REMOVE, observed=there)], world.context("down"), store)
    (known,) = store.models()
    assert (known.state, known.stopped_on_purpose) == (State.ABSENT, True)


def test_what_an_interrupted_replace_left_has_no_row(world: World, store: Store) -> None:
    demo = world.want()
    there = replace(world.run(demo), container_name="llmstack-lab-demo.prev")
    remember([outcome(demo, ActionKind.REMOVE, observed=there), outcome(demo)], world.context(), store)
    assert rows(store) == {"demo in llmstack-lab-demo": "ready"}


def test_what_somebody_else_removed_is_noticed(world: World, store: Store) -> None:
    demo = world.want()
    world.run(demo)
    remember([outcome(demo)], world.context(), store)
    world.engine().instances.clear()
    remember([outcome(demo)], world.context("down"), store)
    assert rows(store) == {"demo in llmstack-lab-demo": "absent"}


def test_an_engine_that_cannot_be_asked_changes_no_row(world: World, store: Store) -> None:
    demo = world.want()
    world.run(demo)
    remember([outcome(demo)], world.context(), store)
    world.engine().refuse("*", UnreachableError("no route"), times=None)
    remember([outcome(demo)], world.context(), store)
    wrong = replace(demo, spec=None, error=PreflightError("gone"))
    world.all[demo.target] = wrong
    remember([outcome(wrong)], world.context(), store)
    assert rows(store) == {"demo in llmstack-lab-demo": "ready"}


def test_an_external_service_is_remembered_by_its_name(world: World, store: Store) -> None:
    far = world.want("far", "lazy", models=("llama3",), url="http://127.0.0.1:9")
    world.server(9).models["llama3"] = ServedModel(name="llama3")
    ladder = Ladder(target=far.target, rungs=(RungResult(rung=Rung.API, ok=True, ms=3),))
    remember([replace(outcome(far), ladder=ladder)], world.context(), store)
    (known,) = store.models()
    assert (known.container_name, known.engine, known.url) == ("external-far", "external", "http://127.0.0.1:9")
    kept = store.last_ladder(far.target)
    assert kept is not None
    assert kept.container_name == "external-far"


def test_an_outcome_without_a_placement_is_only_forgotten(world: World, store: Store) -> None:
    there = world.run(world.want("old"))
    action = Action(kind=ActionKind.REMOVE, target=there.target, reason="", observed=there)
    world.all.clear()
    remember([Outcome(target=there.target, status=Status.CHANGED, action=action)], world.context(), store)
    remember([Outcome(target=there.target, status=Status.OK)], world.context(), store)
    assert rows(store) == {"old in llmstack-lab-old": "absent"}


# -- sync --------------------------------------------------------------------------------------------------------------


def sync(
    world: World, store: Store, *wanted: Wanted, check: bool = False, orphans: tuple[Instance, ...] = (), **errors: str
) -> SyncReport:
    context: Context = world.context("sync")
    return sync_report(wanted, seen(world, **errors), orphans, context, store, check=check)


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
    assert difference.engine.startswith("crashed, exit 137 since 2027-01-15")
    assert store.models()[0].stopped_on_purpose is False


def test_a_restart_by_the_engine_is_told(world: World, store: Store) -> None:
    demo = world.want()
    world.run(demo)
    sync(world, store, demo)
    world.clock.advance(60)
    world.engine().crash("llmstack-lab-demo", 1)
    (difference,) = sync(world, store, demo).differences
    assert difference.engine.startswith("restarted by the engine since")
    assert difference.engine.endswith("(1 in all)")
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
    report = sync_report((demo,), observed, (), world.context("sync"), store, check=False)
    assert told(report) == [("demo@localhost", "active", "recorded inactive")]


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
    assert differences([stored], [Seen(instance=there, names=("x",), state=State.READY)]) == ()
    assert differences([replace(stored, state=State.STOPPED)], []) == ()
