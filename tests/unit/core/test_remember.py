"""What a run leaves in the store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmstack.core.desired import Wanted
from llmstack.core.remember import remember
from llmstack.domain.codec import digest
from llmstack.domain.footprint import Footprint
from llmstack.domain.gpu import Gpu
from llmstack.domain.instance import State, Weights
from llmstack.domain.ladder import Ladder, Rung, RungResult
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.plan import Action, ActionKind
from llmstack.domain.server import ServedModel
from llmstack.domain.target import Target, TargetKind
from llmstack.domain.usage import StatsRow, Usage
from llmstack.errors import PreflightError, UnreachableError
from llmstack.store.store import Store
from tests.unit.core.world import World


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


def test_what_was_kept_is_asked_again_only_where_the_store_does_not_know_it(world: World, store: Store) -> None:
    demo, other = world.want(), world.want("other", port=2)
    kept = [replace(outcome(item, observed=world.run(item)), status=Status.OK) for item in (demo, other)]
    remember(kept[:1], world.context(), store)
    world.engine().calls.clear()
    remember(kept, world.context(), store)
    assert [name for verb, name in world.engine().calls if verb == "inspect"] == ["llmstack-lab-other"]
    assert rows(store) == {"demo in llmstack-lab-demo": "ready", "other in llmstack-lab-other": "ready"}


def test_what_is_not_there_and_was_not_known_to_be_is_not_asked_again(world: World, store: Store) -> None:
    demo = world.want()
    there = world.run(demo)
    absent = replace(outcome(demo), status=Status.OK)
    world.engine().instances.clear()
    remember([absent], world.context("down"), store)
    assert "inspect" not in dict(world.engine().calls)
    world.engine().instances[there.container_name] = there
    remember([outcome(demo)], world.context(), store)
    world.engine().instances.clear()
    remember([absent], world.context("down"), store)
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


def test_only_a_start_that_was_waited_for_is_a_measure_of_its_spec(world: World, store: Store) -> None:
    demo, other = world.want(), world.want("other", port=2)
    assert demo.spec
    rungs = tuple(RungResult(rung=rung, ok=True, ms=ms) for rung, ms in ((Rung.CREATED, 100), (Rung.LOADED, 2100)))
    climbed = replace(outcome(demo, ActionKind.REPLACE, spec=demo.spec), ladder=Ladder(target=demo.target, rungs=rungs))
    kept = replace(outcome(other, spec=other.spec), ladder=Ladder(target=other.target, rungs=rungs))
    assert kept.action
    fallen = Ladder(target=demo.target, rungs=(*rungs, RungResult(rung=Rung.ANSWERED, ok=False, ms=9000)))
    failed = replace(climbed, status=Status.UNHEALTHY, ladder=fallen)
    remember([climbed, kept, failed], world.context(), store)
    remember([replace(kept, action=replace(kept.action, kind=ActionKind.START))], world.context(wait=False), store)
    assert store.start_s(demo.target, digest(demo.spec)) == 2.0
    assert store.start_s(other.target, digest(demo.spec)) is None


def test_an_outcome_without_a_placement_is_only_forgotten(world: World, store: Store) -> None:
    old = world.want("old")
    there = world.run(old)
    remember([outcome(old)], world.context(), store)
    action = Action(kind=ActionKind.REMOVE, target=there.target, reason="", observed=there)
    world.all.clear()
    remember([Outcome(target=there.target, status=Status.CHANGED, action=action)], world.context(), store)
    remember([Outcome(target=there.target, status=Status.OK)], world.context(), store)
    assert rows(store) == {"old in llmstack-lab-old": "absent"}


def test_what_nobody_waited_for_is_measured_later_on_the_gpu_that_it_has_now(
    world: World, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Footprint(weights_bytes=7, kv_bytes=0, context=8)
    monkeypatch.setattr(type(world.types["loader"]), "footprint", lambda *_: found)
    world.gpus.found = (Gpu(0, "a", "T4", process_bytes={}), Gpu(1, "b", "A100", process_bytes={}))
    weights = Weights(source="file:m.gguf", path="/m.gguf", fingerprint="f1", size_bytes=7)
    for gpu, wait in (("a", True), ("b", False)):
        demo = world.want(weights=weights, gpus=(gpu,))
        world.engine().instances.clear()
        there = world.run(demo)
        world.engine().measured[there.container_name] = Usage(memory_bytes=5)
        remember([outcome(demo, ActionKind.REPLACE, spec=demo.spec)], world.context(wait=wait), store)
        world.clock.sleep(1)
    usage = Usage(memory_bytes=9, gpu_memory_bytes=9)
    row = StatsRow(service="demo", host="localhost", engine="docker", container_name=there.container_name, usage=usage)
    peaks = [store.peak("image:1", "f1", 8, kind) for kind in ("T4", "A100")]
    assert [peak and peak.memory_bytes for peak in peaks] == [5, None]
    store.keep_samples([row])
    peaks = [store.peak("image:1", "f1", 8, kind) for kind in ("T4", "A100")]
    assert [peak and (peak.memory_bytes, peak.gpu_bytes) for peak in peaks] == [(5, None), (9, 9)]


def test_what_was_started_and_proved_leaves_its_versions(world: World, store: Store) -> None:
    weights = Weights(source="file:m.gguf", path="/m.gguf", fingerprint="f1", size_bytes=7)
    demo = world.want(weights=weights)
    world.run(demo)
    started = replace(outcome(demo, ActionKind.CREATE, spec=demo.spec), ladder=Ladder(target=demo.target))
    remember([started], world.context(wait=False), store)
    assert store.versions(demo.target) == ()
    remember([started], world.context(), store)
    (image,), (model,) = store.versions(demo.target), store.versions(Target("demo", "localhost", TargetKind.MODEL))
    assert (image.source, image.digest, image.version) == ("image:1", "image:1", "1.0")
    assert (model.source, model.digest) == ("file:m.gguf", "f1")
