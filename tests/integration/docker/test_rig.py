"""The rig itself: what other suites build on."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from llmstack.domain.instance import InstanceSpec
from llmstack.engines.docker import DockerEngine
from tests import room
from tests.desk import free_port, get, listens, until
from tests.rig import host, images
from tests.rig.host import RigHost


@pytest.mark.docker
def test_the_recorded_ollama_answers_from_a_container(in_rig: RigHost) -> None:
    engine = DockerEngine("localhost", in_rig.address)
    spec = InstanceSpec(
        stack="lab",
        service="ollama",
        host="localhost",
        type="ollama",
        engine="docker",
        image=in_rig.ollama_replay(),
        command=("serve",),
        env={"OLLAMA_HOST": "{listen}:{port}"},
        port=free_port(),
        container_port=11434,
    )
    engine.start(engine.create(spec).container_name)
    with until(lambda: urllib.request.urlopen(f"http://127.0.0.1:{spec.port}/api/version", timeout=5)) as response:
        assert "version" in json.load(response)
    engine.close()


@pytest.mark.docker
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: enters the network of a host container")
def test_only_the_calling_thread_and_what_it_starts_enter_the_hosts_network(rig: RigHost) -> None:
    def network() -> str:
        return os.readlink("/proc/thread-self/ns/net")

    home, seen = network(), list[str]()
    with rig.inside():
        away = network()
        thread = threading.Thread(target=lambda: seen.append(network()))
        thread.start()
        thread.join()
    assert away != home
    assert seen == [away]
    assert network() == home


@pytest.mark.docker
def test_who_may_not_enter_reaches_the_published_ports_and_no_others(rig: RigHost) -> None:
    engine, port = DockerEngine("localhost", rig.address), free_port()
    serve = ("sh", "-c", "mkdir /w; echo hello > /w/index.html; exec httpd -f -p 80 -h /w")
    spec = InstanceSpec(
        stack="lab",
        service="web",
        host="localhost",
        type="container",
        engine="docker",
        image=rig.busybox(),
        command=serve,
        port=port,
        container_port=80,
    )
    with rig.relayed():
        assert not listens(port)
        engine.start(engine.create(spec).container_name)
        assert until(lambda: get(f"http://127.0.0.1:{port}")) == "hello\n"
        engine.stop(spec.name, 0)
        assert not listens(port)
    engine.close()


@pytest.mark.docker
def test_a_host_leaves_nothing() -> None:
    with contextlib.closing(RigHost()) as made:
        folder = made.socket.parent
        assert {path.name for path in folder.iterdir()} == {"docker.sock", "loopback.sock"}
    assert not folder.exists()


def test_without_an_engine_the_reason_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ORIGINAL", {"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    with pytest.raises(pytest.skip.Exception, match=r"needs Docker: .* does not run; start it"):
        host.outer()


def test_without_mmdebstrap_the_way_to_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLMSTACK_TEST_CACHE", str(tmp_path))
    monkeypatch.setattr(images, "mirror", lambda: "http://mirror.lab/debian")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match=r"needs mmdebstrap .* apt install mmdebstrap"):
        images.root_tar(images.HOST)
    (tmp_path / "mmdebstrap").write_text("#!/bin/sh\necho one >&2; echo 'E: no mode fits' >&2; exit 1\n")
    (tmp_path / "mmdebstrap").chmod(0o755)
    with pytest.raises(pytest.skip.Exception, match="E: no mode fits"):
        images.root_tar(images.HOST)


def test_a_recipe_is_built_anew_when_it_changes() -> None:
    recipe = images.Recipe("x", ("a",))
    assert recipe.key == images.Recipe("x", ("a",)).key
    assert recipe.key != replace(recipe, packages=("a", "b")).key


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("sources.list.d/debian.sources", "Types: deb\n# note\nURIs: http://mirror.lab/debian\nSuites: x\n"),
        ("sources.list", "# deb http://old x main\ndeb [arch=amd64] http://mirror.lab/debian x main\n"),
    ],
)
def test_the_mirror_is_the_one_that_the_machine_uses(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / file).write_text(text)
    assert images.mirror(tmp_path) == "http://mirror.lab/debian"


def test_a_machine_without_sources_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception, match="needs a Debian mirror"):
        images.mirror(tmp_path)
