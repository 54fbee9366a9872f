"""The rig itself: what other suites build on."""

from __future__ import annotations

import json
import os
import threading
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from llmstack.domain.instance import InstanceSpec
from llmstack.engines.docker import DockerEngine
from tests.contract.benches import until
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
        port=11434,
        container_port=11434,
    )
    engine.start(engine.create(spec).container_name)
    with until(lambda: urllib.request.urlopen("http://127.0.0.1:11434/api/version", timeout=5)) as response:
        assert "version" in json.load(response)
    engine.close()


@pytest.mark.docker
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


def test_without_root_the_reason_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(host.HostUnavailableError, match="needs root"):
        host.outer()


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
    with pytest.raises(LookupError, match="no Debian mirror"):
        images.mirror(tmp_path)
