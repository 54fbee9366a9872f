"""What `status` tells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmstack.core.desired import Wanted
from llmstack.core.device import BAD
from llmstack.core.limits import decision
from llmstack.core.look import Look
from llmstack.core.observe import Observed, sort_out
from llmstack.core.report import last_ladder, status_report, strangers_report
from llmstack.core.select import Picked
from llmstack.core.status import rows_of
from llmstack.domain.instance import Instance, State
from llmstack.domain.ladder import Ladder, Rung, RungResult
from llmstack.domain.report import StatusReport, StatusRow
from llmstack.domain.resources import Resources
from llmstack.domain.server import ServedModel
from llmstack.domain.target import Target, TargetKind
from llmstack.errors import PreflightError, StoreError, UnreachableError
from llmstack.store.store import Store
from tests.unit.core.stack import Types
from tests.unit.core.world import REFUSED, World


def seen(world: World, **errors: str) -> Observed:
    rows = [row for engine in world.engines.values() for row in engine.observe("lab")]
    return sort_out(rows, {(host, "docker"): UnreachableError(text) for host, text in errors.items()})


def status(
    world: World, *wanted: Wanted, orphans: tuple[Instance, ...] = (), memory: Store | None = None, **errors: str
) -> StatusReport:
    picked = [Picked(item, item.placement.models) for item in wanted]
    return status_report(
        picked, seen(world, **errors), orphans, world.context("status"), memory=memory, registry=Types(world)
    )


def row(report: StatusReport) -> StatusRow:
    (only,) = report.rows
    return only


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
    assert first.stack == third.stack == "lab"
    assert (third.model, third.service, third.version, third.url) == (None, "page", "1", "http://127.0.0.1:3000")


def test_a_row_says_why_it_does_not_run(world: World) -> None:
    demo = world.want(restart="no")
    assert row(status(world, demo)).state is State.ABSENT
    world.run(demo)
    world.engine().crash("llmstack-lab-demo", 137, out_of_memory=True)
    found = row(status(world, demo))
    assert (found.state, found.detail, found.exit_code, found.url) == (
        State.CRASHED, "exited 137 (out of memory) at 2027-01-15 08:00:00", 137, None,
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
    assert (found.state, found.url) == (State.READY, "http://127.0.0.1:8080")


@pytest.mark.parametrize(("detail", "device"), [("cpu (as asked)", "cpu"), ("gpu", "gpu")])
def test_the_device_is_what_the_last_climb_proved(world: World, store: Store, detail: str, device: str) -> None:
    demo = world.want()
    world.run(demo)
    store.climbed(Ladder(target=demo.target, rungs=(RungResult(rung=Rung.DEVICE, ok=True, ms=1, detail=detail),)), "c")
    rows = rows_of(
        [Picked(demo, demo.placement.models)], seen(world), {demo.target: Look(state=State.READY)},
        lambda target: last_ladder(store, target), known={}, now=0.0,
    )  # fmt: skip
    assert next(rows).device == device


@pytest.mark.parametrize(("proved", "device"), [("cpu!", "cpu!"), ("gpu-lost", "gpu-lost")])
def test_what_fell_back_from_its_gpu_is_degraded(world: World, store: Store, proved: str, device: str) -> None:
    demo = world.want(gpus=("all",))
    world.run(demo)
    store.climbed(Ladder(target=demo.target, rungs=(RungResult(rung=Rung.DEVICE, ok=False, ms=1, detail=proved),)), "c")
    rows = rows_of(
        [Picked(demo, demo.placement.models)], seen(world), {demo.target: Look(state=State.READY)},
        lambda target: last_ladder(store, target), known={}, now=0.0,
    )  # fmt: skip
    found = next(rows)
    assert (found.state, found.device, bool(found.detail)) == (State.DEGRADED, device, True)


@pytest.mark.parametrize(
    ("proved", "state", "device"), [("cpu!", State.DEGRADED, "cpu!"), ("gpu", State.READY, "partial 50 %")]
)
def test_a_lazy_server_that_claims_a_gpu_on_which_nobody_saw_it_is_degraded(
    world: World, store: Store, proved: str, state: State, device: str
) -> None:
    ollama = world.want("ollama", "lazy", models=("llama3",), gpus=("all",))
    world.run(ollama)
    world.server().models["llama3"] = ServedModel(name="llama3", loaded=True, memory_bytes=2, vram_bytes=1)
    target = Target("llama3", "localhost", TargetKind.MODEL)
    store.climbed(Ladder(target=target, rungs=(RungResult(rung=Rung.DEVICE, ok=None, ms=1, detail=proved),)), "c")
    found = row(status(world, ollama, memory=store))
    assert (found.state, found.device) == (state, device)


def test_a_lazy_model_on_the_cpu_of_a_server_with_a_gpu_is_degraded(world: World) -> None:
    ollama = world.want("ollama", "lazy", models=("llama3",), gpus=("all",))
    world.run(ollama)
    world.server().models["llama3"] = ServedModel(name="llama3", loaded=True, memory_bytes=9, vram_bytes=0)
    found = row(status(world, ollama))
    assert (found.state, found.device, found.detail) == (State.DEGRADED, "cpu!", BAD["cpu!"])


def test_the_limits_that_were_decided_are_told_with_their_reasons(world: World) -> None:
    demo = world.want()
    spec = replace(demo.needed_spec, resources=Resources(pids="auto")).with_decided(
        **decision("pids", "512", "512: so")
    )
    world.run(replace(demo, spec=spec))
    assert row(status(world, demo)).limits == "pids 512: so"


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
    for image, version in (
        ("host:5000/page", None),
        ("page", None),
        (None, None),
        ("host:5000/page:2", "2"),
        (f"page@sha256:{'a' * 64}", "a" * 12),
    ):
        there = world.run(page)
        world.engine().add(replace(there, image=image))
        assert row(status(world, page)).version == version
        world.engine().instances.clear()


def strangers(world: World) -> StatusReport:
    return strangers_report(world.context("status"), Types(world))


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
    assert [row.stack for row in report.rows] == ["lab", "lab", "lab", None, None]
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
