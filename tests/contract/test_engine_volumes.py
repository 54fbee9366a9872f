"""Volumes, the same on every engine that has them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping

import pytest

from llmstack.domain.instance import InstanceSpec, Mount
from llmstack.domain.leftover import Leftover, LeftoverKind
from llmstack.domain.progress import Progress
from llmstack.errors import FetchError, LlmstackError, NoMatchError
from tests.contract.benches import NAME, Bench
from tests.contract.conftest import ENGINES

pytestmark = pytest.mark.parametrize("bench", [engine for engine in ENGINES if engine != "process"], indirect=True)
PREV = f"{NAME}.prev"
DATA, CACHE = "contract-data", "contract-cache"
FILES = {"data/a/b.txt": b"hello", "data/empty": b"", "var/cache/web/big": bytes(3 << 20) + b"end"}


def archive(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def files_of(chunks: Iterator[bytes]) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        found = [(member, tar.extractfile(member)) for member in tar if member.isreg()]
        return {member.name: file.read() if file else b"" for member, file in found}


def with_data(bench: Bench, copies: str = "", **changes: object) -> InstanceSpec:
    mounts = (
        Mount(source=DATA, target="/data", volume=True),
        Mount(source=CACHE, target="/var/cache/web", volume=True),
        Mount(source="contract-shared", target="/shared", volume=True, read_only=True),
    )
    return bench.spec(mounts=mounts, **changes).with_decided(volumes=copies)


@pytest.fixture
def stateful(bench: Bench) -> Bench:
    """An instance whose volumes hold FILES."""
    bench.engine.create(with_data(bench))
    bench.engine.write_volumes(NAME, iter([archive(FILES)]))
    return bench


def test_volumes_are_made_with_the_instance_and_outlive_it(stateful: Bench) -> None:
    spec = with_data(stateful)
    stateful.engine.remove(NAME)
    assert {DATA, CACHE} <= set(stateful.engine.volumes(spec.stack))
    assert stateful.engine.volumes("other") == {}
    stateful.engine.create(spec)
    assert files_of(stateful.engine.read_volumes(NAME)) == FILES


def test_who_else_mounts_a_volume_is_named(stateful: Bench) -> None:
    spec = with_data(stateful)
    assert stateful.engine.sharers(spec) == {}
    other = with_data(stateful, service="other")
    stateful.engine.create(other)
    assert stateful.engine.sharers(spec) == dict.fromkeys((DATA, CACHE), other.name)
    assert stateful.engine.sharers(with_data(stateful, f"{DATA}.1")) == {CACHE: other.name}
    stateful.engine.remove(other.name)


def test_copies_hold_the_same_and_what_was_copied_stays_as_it_was(stateful: Bench) -> None:
    copies = with_data(stateful, f"{DATA}.1 {CACHE}.1")
    stateful.engine.rename(NAME, PREV)
    stateful.engine.create(copies)
    steps: list[Progress] = []
    stateful.engine.copy_volumes(PREV, copies, steps.append)
    assert files_of(stateful.engine.read_volumes(NAME)) == FILES
    assert {step.item for step in steps if step.done} == {DATA, CACHE}
    stateful.engine.write_volumes(NAME, iter([archive({"data/a/b.txt": b"changed"})]))
    assert files_of(stateful.engine.read_volumes(PREV)) == FILES
    assert {f"{DATA}.1", f"{CACHE}.1", DATA, CACHE} <= set(stateful.engine.volumes(copies.stack))


def test_a_volume_that_both_mount_is_not_copied(stateful: Bench) -> None:
    one = with_data(stateful, f"{DATA}.1")
    stateful.engine.rename(NAME, PREV)
    stateful.engine.create(one)
    steps: list[Progress] = []
    stateful.engine.copy_volumes(PREV, one, steps.append)
    assert {step.item for step in steps} == {DATA}
    assert files_of(stateful.engine.read_volumes(NAME)) == FILES


WHOLE = archive(FILES)
UNCLOSED = WHOLE[: len(WHOLE.rstrip(b"\0")) // 512 * 512 + 512]


@pytest.mark.parametrize("broken", [UNCLOSED, WHOLE[:700], b"no archive" * 100, b""])
def test_an_archive_that_is_cut_or_none_is_refused(stateful: Bench, broken: bytes) -> None:
    with pytest.raises(FetchError):
        stateful.engine.write_volumes(NAME, iter([broken]))


@pytest.mark.parametrize("name", ["elsewhere/x", "data/../../etc/x", "/etc/x", "database/x", "data//etc/x/../../../y"])
def test_an_archive_of_something_else_is_refused(stateful: Bench, name: str) -> None:
    with pytest.raises(FetchError):
        stateful.engine.write_volumes(NAME, iter([archive({name: b"x"})]))


def test_what_is_not_there_has_no_volumes(stateful: Bench) -> None:
    with pytest.raises(NoMatchError):
        list(stateful.engine.read_volumes("llmstack-contract-other"))
    with pytest.raises(NoMatchError):
        stateful.engine.write_volumes("llmstack-contract-other", iter([archive(FILES)]))


def volume(name: str) -> Leftover:
    return Leftover(kind=LeftoverKind.VOLUME, name=name, what="data")


def test_a_volume_is_discarded_once_nothing_mounts_it(stateful: Bench) -> None:
    with pytest.raises(LlmstackError, match=DATA):
        stateful.engine.discard(volume(DATA))
    stateful.engine.remove(NAME)
    stateful.engine.discard(volume(DATA))
    stateful.engine.discard(volume(DATA))
    assert DATA not in stateful.engine.volumes(with_data(stateful).stack)
