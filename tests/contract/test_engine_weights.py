"""Model files on a host, the same on every engine that keeps them in a volume."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from llmstack.domain.instance import InstanceSpec, Need, Weights
from llmstack.domain.weights import ModelFile, Shelf
from tests.contract.benches import NAME, Bench
from tests.contract.conftest import ENGINES
from tests.gguf_files import gguf

pytestmark = pytest.mark.parametrize(
    "bench", [engine for engine in ENGINES if engine not in ("fake", "process")], indirect=True
)
BODY = gguf(3 << 20)
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def spec(bench: Bench, tmp_path: Path) -> InstanceSpec:
    """With a file that was fetched to this machine."""
    (tmp_path / "m.gguf").write_bytes(BODY)
    weights = Weights(source="https://x.org/m.gguf", path=str(tmp_path / "m.gguf"), fingerprint="contract")
    return bench.spec(weights=weights)


def shelf_of(bench: Bench) -> Shelf:
    found = bench.engine.shelf("lab")
    assert found is not None
    return found


def put(bench: Bench, spec: InstanceSpec) -> ModelFile:
    for need in bench.engine.missing(spec):
        if need.kind == "weights":
            bench.engine.fetch(need, spec, lambda _: None)
    (found,) = (file for file in shelf_of(bench).files() if file.fingerprint == "contract")
    return found


def test_a_file_is_told_with_what_is_in_it_and_read_as_it_was_written(bench: Bench, spec: InstanceSpec) -> None:
    found = put(bench, spec)
    assert (found.path, found.source, found.sha256) == ("contract/m.gguf", "https://x.org/m.gguf", SHA256)
    assert (found.architecture, found.context, found.quantization) == ("llama", 2048, "Q4_K_M")
    assert b"".join(shelf_of(bench).read(found)) == BODY


def test_a_file_is_there_without_its_origin_for_an_instance_and_without_one(bench: Bench, spec: InstanceSpec) -> None:
    put(bench, spec)
    bench.engine.create(spec)
    assert bench.engine.missing(spec) == ()
    assert "contract" in {file.fingerprint for file in shelf_of(bench).files()}
    bench.engine.remove(NAME)
    assert "contract" in {file.fingerprint for file in shelf_of(bench).files()}


def test_a_deleted_file_is_gone_frees_its_room_and_can_come_again(bench: Bench, spec: InstanceSpec) -> None:
    found = put(bench, spec)
    bench.engine.create(spec)
    shelf_of(bench).drop(found)
    assert "contract" not in {file.fingerprint for file in shelf_of(bench).files()}
    assert Need(kind="weights", name="https://x.org/m.gguf") in bench.engine.missing(spec)
    assert b"".join(shelf_of(bench).read(found)) == b""
    assert put(bench, spec).sha256 == SHA256
