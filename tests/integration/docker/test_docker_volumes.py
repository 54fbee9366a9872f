"""What a copy of a volume keeps, and what happens when there is no room for it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from llmstack.domain.instance import InstanceSpec, Mount
from llmstack.domain.leftover import Leftover, LeftoverKind
from llmstack.domain.progress import Progress
from llmstack.engines.docker import DockerEngine
from llmstack.errors import FetchError
from tests.desk import until
from tests.rig.host import RigHost
from tests.rig.kinds import KINDS

pytestmark = pytest.mark.docker
Web = Callable[..., InstanceSpec]
LONG = "b" * 120


def member(name: str, content: bytes = b"", **facts: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(f"data/{name}")
    info.size, info.mtime = len(content), 1_700_000_000
    for fact, value in facts.items():
        setattr(info, fact, value)
    return info, content


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", encoding="utf-8") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def told(chunks: Iterator[bytes]) -> dict[str, tuple[object, ...]]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks)), encoding="utf-8") as tar:
        return {one.name: (one.type, one.mode, one.uid, one.gid, one.mtime, one.size, one.linkname) for one in tar}


def with_volume(engine: DockerEngine, image: str) -> InstanceSpec:
    """An instance with a volume; it shows what is in there."""
    spec = InstanceSpec(
        stack="lab",
        service="web",
        host="localhost",
        type="container",
        engine="docker",
        image=image,
        command=("ls", "-lnA", "/data", "/data/secret"),
        mounts=(Mount(source="data", target="/data", volume=True),),
        restart="no",
    )
    engine.create(spec)
    return spec


@pytest.fixture
def first(engine: DockerEngine, rig: RigHost) -> InstanceSpec:
    return with_volume(engine, rig.busybox())


def copied(engine: DockerEngine, first: InstanceSpec, **changes: object) -> InstanceSpec:
    second = replace(first, **changes).with_decided(volumes="data.1")  # type: ignore[arg-type]
    engine.rename(first.name, f"{first.name}.prev")
    engine.create(second)
    engine.copy_volumes(f"{first.name}.prev", second, lambda _: None)
    return second


@pytest.mark.parametrize("kind", KINDS)
def test_owners_modes_times_links_and_names_are_kept(kind: str, rig_of: Callable[[str], RigHost]) -> None:
    host = rig_of(kind)
    engine = DockerEngine("localhost", host.address)
    first = with_volume(engine, host.busybox())
    members = (
        member("", type=tarfile.DIRTYPE, mode=0o2750, uid=33, gid=44),
        member("secret", type=tarfile.DIRTYPE, mode=0o700, uid=1000, gid=1001),
        member("secret/key", b"top", mode=0o600, uid=1000, gid=1001),
        member(f"secret/{LONG}/größe", b"x" * 70_000, mode=0o4755),
        member("zsame", type=tarfile.LNKTYPE, linkname="data/secret/key", mode=0o600, uid=1000, gid=1001),
        member("link", type=tarfile.SYMTYPE, linkname="/etc/passwd", mode=0o777),
    )
    engine.write_volumes(first.name, iter([archive(*members)]))
    before = told(engine.read_volumes(first.name))
    assert before["data/secret/key"][:4] == (tarfile.REGTYPE, 0o600, 1000, 1001)
    assert before[f"data/secret/{LONG}/größe"][1] == 0o4755
    assert before["data/link"][-1] == "/etc/passwd"
    if "podman" not in kind:  # it tells nothing of the folder itself
        assert before["data"][:4] == (tarfile.DIRTYPE, 0o2750, 33, 44)
    second = copied(engine, first)
    assert told(engine.read_volumes(second.name)) == before
    engine.start(second.name)
    until(lambda: not getattr(engine.inspect(second.name), "running", True))
    log = "\n".join(" ".join(line.split()) for line in engine.logs(second.name))
    assert "-rw------- 2 1000 1001 3 Nov 14 2023 key" in log
    assert "link -> /etc/passwd" in log
    engine.close()


def test_what_the_image_has_there_does_not_come_back(
    engine: DockerEngine, web: Web, rig: RigHost, tmp_path: Path
) -> None:
    seed = tmp_path / "seed"
    seed.write_text("of the image")
    image = rig.image_with("test/seeded:1", rig.busybox(), {"/data/seed": seed}, {})
    spec = web(mounts=(Mount(source="data", target="/data", volume=True),), image=image)
    engine.create(spec)
    assert "data/seed" in told(engine.read_volumes(spec.name))
    engine.remove(spec.name)
    engine.discard(Leftover(kind=LeftoverKind.VOLUME, name="data", what=""))
    empty = replace(spec, image=rig.busybox())
    engine.create(empty)
    copied(engine, empty, image=image)
    assert set(told(engine.read_volumes(spec.name))) == {"data"}


def test_a_volume_that_moved_to_another_path_goes_with_its_name(engine: DockerEngine, first: InstanceSpec) -> None:
    engine.write_volumes(first.name, iter([archive(member("a", b"1"))]))
    copied(engine, first, mounts=(Mount(source="data", target="/srv/deep/data", volume=True),))
    assert "srv/deep/data/a" in told(engine.read_volumes(first.name))


def test_a_disk_without_room_for_the_copy_is_told_and_given_back(throwaway_host: Callable[..., RigHost]) -> None:
    host = throwaway_host(small_disk_mb=80)
    engine = DockerEngine("small", host.address)
    mounts = (Mount(source="data", target="/data", volume=True),)
    first = InstanceSpec(
        stack="lab",
        service="web",
        host="small",
        type="t",
        engine="docker",
        image=host.busybox(),
        mounts=mounts,
        command=("true",),
    )
    engine.create(first)
    engine.write_volumes(first.name, iter([archive(member("big", bytes(45 << 20)))]))
    before = told(engine.read_volumes(first.name))
    second = first.with_decided(volumes="data.1")
    engine.rename(first.name, f"{first.name}.prev")
    engine.create(second)
    steps: list[Progress] = []
    with pytest.raises(FetchError, match="disk of the engine is full"):
        engine.copy_volumes(f"{first.name}.prev", second, steps.append)
    assert steps
    assert not any(step.done for step in steps)
    engine.remove(second.name)
    engine.discard(Leftover(kind=LeftoverKind.VOLUME, name="data.1", what=""))
    assert told(engine.read_volumes(f"{first.name}.prev")) == before
    assert engine.volumes("lab") == {"data": "web"}
    engine.close()


def test_sizes_of_volumes_are_told(engine: DockerEngine, first: InstanceSpec) -> None:
    engine.write_volumes(first.name, iter([archive(member("big", bytes(1 << 20)))]))
    (found,) = [each for each in engine.leftovers("lab") if each.kind is LeftoverKind.VOLUME]
    assert (found.name, found.what, found.stack) == ("data", "data of web", "lab")
    assert found.size_bytes is not None
    assert found.size_bytes >= 1 << 20
