"""What every plugin promises: the same suite over each of them."""

from __future__ import annotations

import re
import socket
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from llmstack.domain.instance import InstanceSpec
from llmstack.domain.ladder import Rung
from llmstack.domain.service import ModelSpec, ServiceSpec
from llmstack.errors import ConfigError
from llmstack.modeltype import Family, Launch, LaunchRequest, ModelType, Peer
from llmstack.modeltype.registry import Registry, bundled_folder

NAMES = Registry().names()
WORDS = {"port", "listen", "weights"}
PAIRS = [(name, engine) for name in NAMES for engine in sorted(Registry().get(name).engines)]  # type: ignore[union-attr]
CLIENT = ("liveness", "version", "models", "chat")
LAZY_CLIENT = (*CLIENT, "load", "unload", "pull", "remove")


@pytest.fixture(params=NAMES)
def kind(request: pytest.FixtureRequest) -> ModelType:
    found = Registry().get(request.param)
    assert found is not None
    return found


def model_file(folder: Path) -> str:
    (folder / "m.gguf").write_bytes(b"GGUF")
    return "file:m.gguf"


def asked(kind: ModelType, engine: str, folder: Path, **service: Any) -> LaunchRequest:
    source = model_file(folder) if kind.needs_source else "demo:1b"
    serves = kind.family is not Family.COMPANION
    return LaunchRequest(
        stack="lab",
        service=ServiceSpec(name="svc", type=kind.name, image=service.pop("image", kind.image or "image:1"), **service),
        engine=engine,
        options=kind.Options(),
        models=(ModelSpec(name="demo", service="svc", source=source),) if serves else (),
        peers=(Peer(name="ollama", type="ollama", family=Family.LAZY, url="http://ollama:11434"),),
        base_dir=str(folder),
    )


def launched(name: str, engine: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **service: Any) -> Launch:
    kind = Registry().get(name)
    assert kind is not None
    program = folder / "bin" / "llama-server"
    program.parent.mkdir(exist_ok=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}")
    return kind.launch(asked(kind, engine, folder, **service))


def test_it_loads_by_its_name_and_says_what_it_is(kind: ModelType) -> None:
    assert kind.name in NAMES
    assert isinstance(kind.family, Family)
    assert kind.engines
    assert kind.engines <= {"docker", "process"}
    assert kind.ready_timeout_s > 0
    assert type(kind).__doc__
    assert kind.family.rungs[0] is Rung.CREATED


def test_its_port_is_one_or_the_users_to_say(kind: ModelType) -> None:
    assert kind.port is None or 1024 <= kind.port <= 65535
    service = ServiceSpec(name="svc", type=kind.name, port=9000)
    inside = kind.container_port(service, kind.Options())
    assert inside == (kind.port or 9000)
    assert kind.container_port(ServiceSpec(name="svc", type=kind.name), kind.Options()) == kind.port


def test_its_image_has_a_tag_that_is_not_latest(kind: ModelType) -> None:
    if kind.image is not None:
        name, _, tag = kind.image.rpartition(":")
        assert name
        assert tag not in ("", "latest")


def test_its_options_are_documented_and_all_have_defaults(kind: ModelType) -> None:
    assert is_dataclass(kind.Options)
    assert kind.Options.__doc__
    for field in fields(kind.Options):
        assert field.metadata["doc"].endswith(".")
        assert field.default is not MISSING or field.default_factory is not MISSING


def test_each_of_its_failure_rules_is_a_pattern_with_advice(kind: ModelType) -> None:
    for rule in kind.failures:
        re.compile(rule.pattern)
        assert rule.meaning
        assert rule.do


@pytest.mark.parametrize(("name", "engine"), PAIRS)
def test_it_launches_on_every_engine_it_claims(
    name: str, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = launched(name, engine, tmp_path, monkeypatch)
    assert launch.image if engine == "docker" else launch.program


@pytest.mark.parametrize(("name", "engine"), PAIRS)
def test_a_launch_holds_only_words_that_engines_fill_in(
    name: str, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = launched(name, engine, tmp_path, monkeypatch)
    texts = [*launch.command, *launch.env.values()]
    assert {word for text in texts for word in re.findall(r"{(\w*)}", text)} <= WORDS
    assert all(isinstance(text, str) for text in texts)
    assert not launch.weights or any("{weights}" in text for text in texts)
    spec = InstanceSpec(
        stack="lab", service="svc", host="h", type=name, engine=engine, command=launch.command, env=launch.env
    )
    command, env = spec.settled(port="1", listen="127.0.0.1", weights="/m.gguf")
    assert not any("{" in text for text in (*command, *env.values()))


@pytest.mark.parametrize(("name", "engine"), PAIRS)
def test_arguments_of_the_user_come_last_so_that_they_win(
    name: str, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = launched(name, engine, tmp_path, monkeypatch, args=("--mine", "1"))
    assert launch.command[-2:] == ("--mine", "1")


@pytest.mark.parametrize(("name", "engine"), PAIRS)
def test_the_users_image_is_taken(name: str, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert launched(name, engine, tmp_path, monkeypatch, image="mine:2").image == "mine:2"


@pytest.mark.parametrize(("name", "engine"), PAIRS)
def test_a_launch_is_the_same_every_time(
    name: str, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = launched(name, engine, tmp_path, monkeypatch)
    assert launched(name, engine, tmp_path, monkeypatch) == once


def test_its_client_speaks_what_its_family_needs(kind: ModelType) -> None:
    client = kind.client("http://127.0.0.1:1", "key", kind.Options())
    wanted = LAZY_CLIENT if kind.family is Family.LAZY else CLIENT
    assert [name for name in wanted if not callable(getattr(client, name, None))] == []
    assert client.base_url == "http://127.0.0.1:1"


def test_a_server_that_is_not_there_is_silent_and_raises_nothing(kind: ModelType) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and nobody listens
        life = kind.client(f"http://127.0.0.1:{held.getsockname()[1]}", None, kind.Options()).liveness()
    assert (life.life, life.port) == ("silent", False)


def test_its_models_have_one_name_in_the_server(kind: ModelType) -> None:
    name = kind.served_name(ModelSpec(name="demo", service="svc", source="demo:1b"))
    assert name
    assert kind.same_model(name, name)
    assert not kind.same_model(name, "another:1b")


def test_every_file_in_the_folder_is_a_plugin_of_its_name() -> None:
    files = sorted(path.stem for path in bundled_folder().glob("*.py"))
    assert [name.replace("-", "_") for name in NAMES] == files


@pytest.mark.parametrize("name", [name for name in NAMES if Registry().get(name).image is None])  # type: ignore[union-attr]
def test_without_an_image_of_its_own_it_asks_for_one(name: str, tmp_path: Path) -> None:
    kind = Registry().get(name)
    assert kind is not None
    with pytest.raises(ConfigError, match="has no image"):
        kind.launch(asked(kind, "docker", tmp_path, image=None))
