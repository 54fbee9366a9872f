"""Newer model files at their sources: told, taken by `update`, kept by `up`, given up by `rollback`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from llmstack.core.desired import Wanted
from llmstack.core.facts import with_facts
from llmstack.core.plan import plan_pull, plan_up, plan_update
from llmstack.core.policy import Policy
from llmstack.core.select import Picked
from llmstack.core.versions import plan_rollback, with_source
from llmstack.domain.instance import Need
from llmstack.domain.plan import Action, ActionKind
from llmstack.domain.stored import StoredVersion
from llmstack.domain.weights import ModelFile
from llmstack.modeltype.source import gguf_weights
from tests.servers.files import FileServer, serving
from tests.unit.core.test_facts import picked, seen
from tests.unit.core.world import World

OLD, NEW = hashlib.sha256(b"old").hexdigest(), hashlib.sha256(b"new").hexdigest()
PLANNERS = {"pull": plan_pull, "update": plan_update, "up": plan_up}


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(FileServer(b"new")) as server:
        yield server


def says(server: FileServer, sha256: str | None) -> None:
    """What it tells of its file from now on."""
    server.headers = {"X-Linked-ETag": f'"{sha256}"'} if sha256 else {}


def runs(world: World, source: str, sha256: str = OLD) -> Wanted:
    """A model whose file lies on its host as it came from `source`."""
    wanted = world.want(weights=gguf_weights(source, ""))
    world.run(wanted)
    keep(world, source, sha256)
    return wanted


def keep(world: World, source: str, sha256: str = OLD) -> str:
    fingerprint = gguf_weights(source, "").fingerprint
    file = ModelFile(fingerprint=fingerprint, name="m.gguf", source=source, size_bytes=3, sha256=sha256)
    world.engine().files[file] = b"old"
    return fingerprint


def planned(world: World, wanted: Wanted, task: str, proved: str | None = None) -> Action:
    """What is to be done, where the store knows a file of the source `proved` as the last one."""
    items, target = picked(wanted), wanted.target_of(wanted.placement.models[0])
    last = StoredVersion(target=target, source=proved, digest=gguf_weights(proved, "").fingerprint) if proved else None
    context = world.context(task, proved={target: last}.get)
    (action,) = PLANNERS[task](items, with_facts(items, seen(world), context)).actions
    return action


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (OLD, "the newest"),
        (NEW, f"a newer one is there, {NEW[:12]}: `update` takes it"),
        (None, "unknown whether there is a newer one"),
    ],
)
def test_pull_tells_the_digest_and_whether_its_source_has_another(
    world: World, server: FileServer, told: str | None, words: str
) -> None:
    says(server, told)
    action = planned(world, runs(world, f"{server.url}/m.gguf"), "pull")
    assert (action.kind, action.reason) == (ActionKind.KEEP, f"already there, {OLD[:12]}, {words}")


def test_a_pinned_file_is_the_newest_and_nobody_is_asked(world: World, server: FileServer) -> None:
    action = planned(world, runs(world, f"{server.url}/m.gguf#sha256={OLD}"), "pull")
    assert (action.reason, server.asked) == (f"already there, {OLD[:12]}, the newest", [])


def test_an_update_pins_the_newer_file_and_up_keeps_it(world: World, server: FileServer) -> None:
    source = f"{server.url}/m.gguf"
    says(server, NEW)
    wanted = runs(world, source)
    action = planned(world, wanted, "update")
    assert (action.kind, action.reason) == (ActionKind.REPLACE, "a newer model file")
    assert action.spec
    assert action.spec.weights == gguf_weights(f"{source}#sha256={NEW}", "")
    world.engine().instances.clear()
    there = world.run(replace(wanted, spec=action.spec))
    keep(world, f"{source}#sha256={NEW}", NEW)
    server.asked.clear()
    assert (planned(world, wanted, "up").kind, server.asked) == (ActionKind.KEEP, [])
    assert planned(world, wanted, "update").kind is ActionKind.KEEP
    changed = replace(wanted, spec=replace(wanted.needed_spec, command=("--more",), wish={"args": ["--more"]}))
    anew = planned(world, changed, "up")
    assert (anew.kind, anew.spec and anew.spec.weights) == (ActionKind.REPLACE, there.spec and there.spec.weights)


@pytest.mark.parametrize("engine", ["docker", "process"])
@pytest.mark.parametrize(("task", "kind"), [("up", ActionKind.CREATE), ("pull", ActionKind.FETCH)])
def test_where_nothing_is_there_the_file_that_was_proved_last_is_taken(
    world: World, server: FileServer, engine: str, task: str, kind: ActionKind
) -> None:
    source = f"{server.url}/m.gguf"
    pinned, wanted = f"{source}#sha256={OLD}", world.want(weights=gguf_weights(source, ""), engine=engine)
    world.engine(kind=engine).lack("demo", Need(kind="weights", name="m.gguf", size_bytes=3))
    action = planned(world, wanted, task, pinned)
    assert (action.kind, action.reason) == (kind, f"not there, with the model file of `update`, sha256 {OLD[:12]}")
    assert action.spec
    assert (action.spec.weights, action.spec.decided["weights"]) == (gguf_weights(pinned, ""), pinned)


@pytest.mark.parametrize("proved", [None, "{}/m.gguf", "{}/other.gguf#sha256=" + NEW])
def test_after_a_rollback_or_with_another_source_it_is_the_inventory_that_counts(
    world: World, server: FileServer, proved: str | None
) -> None:
    weights = gguf_weights(f"{server.url}/m.gguf", "")
    action = planned(world, world.want(weights=weights), "up", proved and proved.format(server.url))
    assert (action.reason, action.spec and action.spec.weights) == ("not there", weights)


def test_a_file_that_the_inventory_pins_is_no_other(world: World, server: FileServer) -> None:
    pinned = gguf_weights(f"{server.url}/m.gguf#sha256={NEW}", "")
    action = planned(world, world.want(weights=pinned), "up", f"{server.url}/m.gguf#sha256={OLD}")
    assert (action.reason, action.spec and action.spec.weights) == ("not there", pinned)


def test_an_update_of_what_is_not_there_takes_what_its_source_has_now(world: World, server: FileServer) -> None:
    source = f"{server.url}/m.gguf"
    says(server, NEW)
    action = planned(world, world.want(weights=gguf_weights(source, "")), "update", f"{source}#sha256={OLD}")
    assert action.kind is ActionKind.CREATE
    assert action.spec
    assert action.spec.weights == gguf_weights(f"{source}#sha256={NEW}", "")


def test_what_was_proved_last_but_can_be_had_no_more_is_refused_with_the_way_on(
    world: World, server: FileServer
) -> None:
    source = f"{server.url}/m.gguf"
    says(server, NEW)
    wanted = world.want(weights=gguf_weights(source, ""))
    world.engine().lack("demo", Need(kind="weights", name="m.gguf"))
    action = planned(world, wanted, "up", f"{source}#sha256={OLD}")
    assert action.kind is ActionKind.REFUSED
    assert action.error
    assert "`llmstack update` takes what is there now" in str(action.error.hint)


def test_what_is_decided_anew_keeps_its_model_file(world: World) -> None:
    pinned = f"https://x.org/m.gguf#sha256={NEW}"
    wanted = world.want(weights=gguf_weights("https://x.org/m.gguf", ""), port="auto")
    there = world.run(replace(wanted, spec=with_source(wanted.needed_spec, pinned)))
    items = picked(wanted)
    observed = with_facts(items, seen(world), world.context("up"))
    (action,) = plan_up(items, observed, Policy(re_decide=frozenset({wanted.target}))).actions
    assert (action.kind, action.reason) == (ActionKind.REPLACE, "decided anew")
    assert (action.spec and action.spec.weights) == (there.spec and there.spec.weights) == gguf_weights(pinned, "")


def test_what_tells_no_digest_stays_and_that_is_said(world: World, server: FileServer) -> None:
    action = planned(world, runs(world, f"{server.url}/m.gguf"), "update")
    assert action.kind is ActionKind.KEEP
    assert "whether its source has a newer model file is unknown" in action.reason


@pytest.mark.parametrize("kept", [True, False])
def test_rollback_needs_the_file_before_or_names_its_digest(world: World, *, kept: bool) -> None:
    first, second = "https://x.org/m.gguf", f"https://x.org/m.gguf#sha256={NEW}"
    wanted = runs(world, second, NEW)
    fingerprint = keep(world, first) if kept else gguf_weights(first, "").fingerprint
    versions = [
        StoredVersion(target=wanted.target, source=source, digest=digest, version=sha256, installed_at=at)
        for source, digest, sha256, at in (
            (first, fingerprint, OLD, 1.0),
            (second, gguf_weights(second, "").fingerprint, NEW, 2.0),
        )
    ]
    items = [Picked(wanted, wanted.placement.models, by_model=True)]
    observed = with_facts(items, seen(world), world.context("rollback"))
    known = {wanted.target_of(wanted.placement.models[0]): versions}
    (action,) = plan_rollback(items, observed, known=known).actions
    if kept:
        assert action.kind is ActionKind.REPLACE
        assert action.spec
        assert action.spec.weights == gguf_weights(first, "")
    else:
        assert (action.kind, action.error and action.error.exit_code) == (ActionKind.REFUSED, 9)
        assert action.reason == f"demo@localhost: the file of {first} is not kept; its sha256 was {OLD}"
