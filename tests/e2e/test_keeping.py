"""What outlives an instance, by commands: data in a file and back, and at last nothing."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk import Desk, get, until
from tests.rig import images
from tests.rig.host import RigHost

pytestmark = pytest.mark.docker
INVENTORY = """\
llmstack: 1
stack: keep
services:
  page:
    type: container
    image: {image}
    port: PORT
    mounts: ["data:/data"]
    stateful: true
    options: {{container_port: 80, health_path: /seed}}
    args: [sh, -c, "cd /data; cat seed || echo first > seed; exec httpd -f -p 80", "{word}"]
"""


@pytest.fixture
def desk(tmp_path: Path, in_rig: RigHost) -> Iterator[Desk]:
    in_rig.busybox()
    made = Desk(tmp_path / "desk", DOCKER_HOST=in_rig.address)
    want(made, "one")
    made.good("up")
    yield made
    made.close()


def want(desk: Desk, word: str) -> None:
    desk.write(INVENTORY.format(image=images.BUSYBOX, word=word))


def seed(desk: Desk) -> str:
    return until(lambda: get(f"http://127.0.0.1:{desk.port}/seed").strip())


def volumes(rig: RigHost) -> list[str]:
    return [volume["Name"] for volume in rig.api.volumes()["Volumes"]]


@pytest.mark.parametrize("door", ["invoke"])
def test_data_are_saved_to_a_file_and_given_back(desk: Desk, in_rig: RigHost, door: str) -> None:
    file = desk.folder / "page.tar"
    words = ("--service", "page", "--file", "page.tar")
    ran = desk.good("backup", *words, door=door)
    assert "changed=1" in ran.recap
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = desk.run("backup", *words, door=door)
    assert (again.code, f"{door} backup --service page --yes --file page.tar" in again.err) == (12, True)
    job = in_rig.api.exec_create("llmstack-keep-page", ["sh", "-c", "echo second > /data/seed; echo x > /data/more"])
    in_rig.api.exec_start(job["Id"])
    assert seed(desk) == "second"
    assert desk.run("restore", *words, door=door).code == 12
    before = in_rig.api.inspect_container("llmstack-keep-page")["State"]["StartedAt"]
    nowhere = desk.run("backup", "-s", "page", "--file", "none/page.tar", door=door)
    assert (nowhere.code, "cannot write none/page.tar: No such file" in nowhere.err) == (9, True)
    missing = desk.run("restore", "-s", "page", "--file", "none.tar", door=door)
    assert (missing.code, "cannot read none.tar" in missing.err) == (9, True)
    assert in_rig.api.inspect_container("llmstack-keep-page")["State"]["StartedAt"] == before
    want(desk, "two")
    planned = desk.run("restore", *words, "--check", door=door).out
    assert "all data in /data are replaced by those of page.tar" in " ".join(planned.split())
    assert "args" not in planned
    desk.good("restore", *words, "--yes", door=door)
    want(desk, "one")
    assert (seed(desk), volumes(in_rig)) == ("first", ["data.1"])
    with pytest.raises(OSError, match="404"):
        get(f"http://127.0.0.1:{desk.port}/more")
    file.write_bytes(file.read_bytes()[:3000])
    broken = desk.run("restore", *words, "--yes", door=door)
    assert (broken.code, "no whole backup" in broken.err) == (9, True)
    assert "1 looked at: 1 keep" in desk.good("up", "--check").out
    desk.good("down")
    gone = desk.run("backup", *words, door=door)
    assert (gone.code, "Overwrite" in gone.err) == (9, False), gone.err
    assert "is not there, and the volumes that" in " ".join(gone.err.split()), gone.err


BOTH = """\
  ollama: {type: ollama, engine: process, port: auto}
"""


def test_uninstall_all_leaves_nothing_of_ours(desk: Desk, in_rig: RigHost) -> None:
    (desk.folder / "inventory.yaml").write_text((desk.folder / "inventory.yaml").read_text() + BOTH)
    desk.good("up", "--service", "ollama")
    in_rig.api.create_volume("mine")
    mine = in_rig.api.create_container(images.BUSYBOX, command=["true"], name="mine")["Id"]
    refused = desk.run("uninstall")
    assert (refused.code, "llmstack uninstall --yes" in refused.err) == (12, True)
    assert "data of page" in refused.err
    listed = desk.good("uninstall", "--all", "--check", "-o", "json").json["items"]
    assert {item["kind"] for item in listed} == {"container", "network", "volume", "image", "folder", "file"}
    assert desk.servers()
    assert seed(desk) == "first"
    ran = desk.good("uninstall", "--all", "--yes")
    assert "failed=0" in ran.recap
    assert [row["Id"] for row in in_rig.api.containers(all=True)] == [mine]
    assert in_rig.api.networks(filters={"type": "custom"}) == []
    assert volumes(in_rig) == ["mine"]
    assert [row["RepoTags"] for row in in_rig.api.images() if "llmstack" in str(row["RepoTags"])] == []
    assert desk.servers() == []
    room = desk.folder / "room"
    written = [path.relative_to(room) for path in room.rglob("*") if "llmstack" in path.name or path.is_file()]
    assert [path for path in written if path.parts[0] != "cache"] == []
    assert not desk.processes_root.exists()
    assert "nothing is left" in desk.good("uninstall", "--all").out
