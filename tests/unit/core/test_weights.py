"""The model files of hosts: who uses them, whether they are sound, and what may go."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from llmstack.core.weights import used_by
from llmstack.domain.event import EventType
from llmstack.domain.instance import Instance, State, Weights
from llmstack.domain.server import ServedModel
from llmstack.domain.stock import Kept, Stock
from llmstack.domain.weights import ModelFile
from llmstack.errors import UnreachableError
from llmstack.modeltype.folder import Folder
from tests.unit.core.stack import ALL, Bench
from tests.unit.core.world import refuse

TEXT = """
llmstack: 1
stack: lab
all: {hosts: {localhost: {}, far: {docker_host: "tcp://far:2375"}}}
services:
  ollama: {type: lazy, port: 11434, hosts: localhost}
models:
  demo: {type: loader, port: auto, hosts: all, source: "https://x.org/demo.gguf"}
  llama3: {service: ollama}
"""
CONTENT = b"weights"


def file(name: str, source: str = "", **more: object) -> ModelFile:
    known = {"size_bytes": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest(), "fetched_at": 1.0}
    return ModelFile(fingerprint=f"print-{name}", name=f"{name}.gguf", source=source or name, **(known | more))  # type: ignore[arg-type]


DEMO, OLD, OTHERS = file("demo", "https://x.org/demo.gguf"), file("old"), file("others")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Three files on each host: of the inventory, of an instance of another stack, and of nobody."""
    monkeypatch.setenv("LLMSTACK_WEIGHTS", str(tmp_path / "weights"))
    made = Bench(tmp_path)
    made.write(TEXT)
    for host in ("localhost", "far"):
        made.world.engine(host).files = dict.fromkeys((DEMO, OLD, OTHERS), CONTENT)
    weights = Weights(source="x", path="/x/others.gguf", fingerprint="print-others")
    spec = made.world.spec(made.world.want("theirs").placement, "docker", weights)
    theirs = instance("other", spec=replace(spec, stack="other"))
    made.world.engine("far").add(theirs)
    return made


def instance(stack: str, **more: object) -> Instance:
    given = {"id": "1", "container_name": f"llmstack-{stack}-x", "service": "x", "host": "far", "engine": "docker"}
    return Instance(**given, state=State.STOPPED, stack=stack, **more)  # type: ignore[arg-type]


def users(found: Stock) -> dict[str, tuple[str, ...]]:
    return {f"{item.file.name}@{item.host}": item.used_by for item in found.items}


def test_every_file_is_listed_with_who_uses_it_and_nothing_is_changed(bench: Bench) -> None:
    found = bench.app().weights()
    assert users(found) == {
        "demo.gguf@localhost": ("demo of the inventory",),
        "old.gguf@localhost": (),
        "others.gguf@localhost": (),
        "demo.gguf@far": ("demo of the inventory",),
        "old.gguf@far": (),
        "others.gguf@far": ("other/x",),
    }
    assert bench.writes() == []
    assert [str(item.target) for item in found.unused.items] == [
        "volume/print-old/old.gguf@localhost",
        "volume/print-others/others.gguf@localhost",
        "volume/print-old/old.gguf@far",
    ]
    assert set(users(bench.app().weights(("far",)))) == {"demo.gguf@far", "old.gguf@far", "others.gguf@far"}


def test_what_nobody_uses_goes_and_the_rest_stays(bench: Bench) -> None:
    app = bench.app()
    result = app.prune_weights(app.weights().unused)
    assert (result.exit_code, len(result.outcomes)) == (0, 3)
    assert {outcome.reason for outcome in result.outcomes} == {"removed"}
    assert list(bench.world.engine().files) == [DEMO]
    assert list(bench.world.engine("far").files) == [DEMO, OTHERS]
    assert ("lock", "lab") in bench.world.engine("far").calls


def test_what_is_used_by_now_stays(bench: Bench) -> None:
    app = bench.app()
    found = app.weights().unused
    bench.world.engine("far").add(instance("newer", schema=99))
    result = app.prune_weights(found)
    assert OLD in bench.world.engine("far").files
    (kept,) = (outcome for outcome in result.outcomes if outcome.target.host == "far")
    assert kept.reason == "kept: llmstack-newer-x (written by another llmstack) uses it by now"


def test_a_file_that_somebody_has_put_anew_meanwhile_stays(bench: Bench) -> None:
    app, engine = bench.app(), bench.world.engine()
    found = app.weights().unused
    del engine.files[OLD]
    engine.files[replace(OLD, fetched_at=2.0)] = CONTENT
    app.prune_weights(found)
    assert {each.name for each in engine.files} == {"demo.gguf", "old.gguf"}


def test_a_host_that_is_locked_or_away_keeps_all_and_is_told(bench: Bench) -> None:
    app = bench.app()
    found = app.weights().unused
    with bench.world.engine("far").lock("lab", "anna", 60):
        result = app.prune_weights(found)
    assert result.exit_code == 7
    assert OLD in bench.world.engine("far").files
    bench.world.engine("far").refuse("shelf", UnreachableError("far: no route"))
    found = bench.app().weights()
    assert {item.host for item in found.items} == {"localhost"}
    assert [error.exit_code for error in found.lost.values()] == [4]
    bench.world.engine("far").refuse("shelf", UnreachableError("far: no route"))
    assert bench.app().verify_weights().exit_code == 4


def test_an_engine_that_nobody_needs_may_be_away(bench: Bench) -> None:
    bench.write(TEXT.replace("hosts: all,", "hosts: localhost,"))
    bench.world.engine("far").refuse("shelf", UnreachableError("no route"), times=None)
    assert bench.app().weights().lost == {}
    (warning,) = bench.world.ears.of(EventType.WARNING)
    assert warning.message == "docker on far was not asked: no route"


def test_a_damaged_file_is_told(bench: Bench) -> None:
    bench.world.engine("far").files[DEMO] = b"Weights"
    result = bench.app().verify_weights()
    bad = [outcome for outcome in result.outcomes if outcome.error]
    assert (result.exit_code, [str(outcome.target) for outcome in bad]) == (10, ["volume/print-demo/demo.gguf@far"])
    assert "print-demo/demo.gguf on far is damaged: its sha256 is" in bad[0].reason
    assert bad[0].error
    assert "docker volume rm llmstack-weights" in str(bad[0].error.hint)
    assert len(bench.world.ears.of(EventType.RESULT)) == 6
    assert bench.writes() == []


def test_a_file_that_was_cut_or_is_gone_is_told_and_may_be_pruned(bench: Bench) -> None:
    home = bench.folder / "weights"
    (home / "manifests").mkdir(parents=True)
    for one in (DEMO, OLD):
        (home / one.manifest_path).write_bytes(one.dumps())
    (home / DEMO.fingerprint).mkdir()
    (home / DEMO.path).write_bytes(CONTENT[:3])
    app = bench.app()
    result = app.verify_weights(("localhost",))
    bad = {str(outcome.target): outcome.reason for outcome in result.outcomes if outcome.error}
    assert (result.exit_code, bad) == (
        10,
        {
            "folder/print-demo/demo.gguf@localhost": "print-demo/demo.gguf on localhost is broken: "
            "3 of its 7 bytes are there",
            "folder/print-old/old.gguf@localhost": "print-old/old.gguf on localhost is broken: "
            "0 of its 7 bytes are there",
        },
    )
    found = app.weights(("localhost",))
    told = [item.as_json()["found_bytes"] for item in found.items if item.where == "folder"]
    assert told == [3, 0]
    assert 3 in [row.size_bytes for row in app.disk_use(("localhost",))[0]]
    assert app.prune_weights(found.unused).exit_code == 0
    assert not [path for path in home.rglob("*") if path.is_file()]


def test_the_folder_of_this_machine_is_one_of_the_places(bench: Bench) -> None:
    home = bench.folder / "weights"
    (home / "manifests").mkdir(parents=True)
    for one in (DEMO, OLD):
        (home / one.fingerprint).mkdir()
        (home / one.path).write_bytes(CONTENT)
        (home / one.manifest_path).write_bytes(one.dumps())
    (home / DEMO.fingerprint / "0123.part").write_bytes(b"half")
    found = bench.app().weights(("localhost",))
    mine = [item for item in found.items if item.where == "folder"]
    assert [(item.file.name, item.used_by) for item in mine] == [("demo.gguf", ()), ("old.gguf", ()), ("0123.part", ())]
    bench.write(TEXT.replace("hosts: all,", "engine: process, hosts: localhost,"))
    app = bench.app()
    found = app.weights(("localhost",))
    assert [item.used_by for item in found.items if item.where == "folder"] == [("demo of the inventory",), (), ()]
    verified = {str(outcome.target): outcome.status.value for outcome in app.verify_weights(("localhost",)).outcomes}
    assert len(verified) == 6
    assert verified["folder/print-demo/0123.part@localhost"] == "skipped"
    assert app.prune_weights(found.unused).exit_code == 0
    assert [path.name for path in sorted(home.rglob("*")) if path.is_file()] == ["print-demo.json", "demo.gguf"]


def test_a_part_of_what_the_inventory_wants_is_in_use() -> None:
    part = ModelFile(fingerprint="print-demo", name="0.part", source="unfinished", size_bytes=1)
    assert used_by(part, [("me", lambda one: one.fingerprint == "print-demo"), ("you", lambda _: False)]) == ("me",)


def test_a_disk_that_refuses_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMSTACK_WEIGHTS", str(tmp_path))
    (tmp_path / OLD.fingerprint / OLD.name).mkdir(parents=True)
    with pytest.raises(Exception, match="cannot be read: Is a directory"):
        list(Folder().read(OLD))
    with pytest.raises(Exception, match=r"cannot delete .*: Is a directory"):
        Folder().drop(OLD)


def test_the_disk_use_tells_models_of_servers_and_files(bench: Bench) -> None:
    world = bench.world
    bench.app().up(ALL)
    world.server(11434).models = {
        "llama3": ServedModel(name="llama3", digest="d1", size_bytes=4_700_000_000),
        "more": ServedModel(name="more"),
    }
    rows, stock = bench.app().disk_use(("localhost",))
    assert stock.lost == {}
    assert [(row.model, row.where, row.digest, row.size_bytes, row.used_by) for row in rows] == [
        ("llama3", "ollama", "d1", 4_700_000_000, ("llama3",)),
        ("more", "ollama", None, None, ()),
        ("demo.gguf", "volume", DEMO.sha256, 7, ("demo of the inventory",)),
        ("old.gguf", "volume", OLD.sha256, 7, ()),
        ("others.gguf", "volume", OTHERS.sha256, 7, ()),
    ]
    world.server(11434).errors["models"] = refuse()
    rows, _ = bench.app().disk_use(("localhost",))
    assert [(row.model, row.digest, row.size_bytes, row.used_by) for row in rows if row.where == "ollama"] == [
        ("llama3", None, None, ("llama3",))
    ]


def test_a_row_is_a_target_and_a_place() -> None:
    kept = Kept(host="far", engine="docker", file=OLD)
    assert kept.as_json()["target"] == "volume/print-old/old.gguf@far"
    assert (kept.where, Kept(host="far", engine="process", file=OLD).where) == ("volume", "folder")
