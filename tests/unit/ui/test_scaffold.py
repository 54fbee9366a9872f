"""What `init` writes is a good start on every machine: it loads, and says what was found."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from llmstack.core.desired import desire
from llmstack.domain.gpu import Gpu
from llmstack.domain.instance import State
from llmstack.domain.machine import Machine, Wishes
from llmstack.domain.report import StatusRow
from llmstack.errors import UnreachableError
from llmstack.inventory import load
from llmstack.modeltype.registry import Registry
from llmstack.ui.scaffold import files_of, found, usual

OLLAMA = StatusRow(
    model=None, service="ollama", host="localhost", state=State.READY, engine="process", ours=False,
    url="http://127.0.0.1:11434",
)  # fmt: skip
BIG = Machine(
    docker="docker 28.5.2",
    gpus=(Gpu(index=0, uuid="GPU-1", name="RTX 4090", memory_total_bytes=24 << 30),),
    memory_bytes=64 << 30,
    demo=True,
)
BARE = Machine(docker_trouble=UnreachableError("the Docker engine does not run"), gpus=(), memory_bytes=4 << 30)
MACHINES = {
    "big": BIG,
    "bare": BARE,
    "demo": replace(BARE, demo=True),
    "busy": replace(BIG, taken=frozenset({11434}), gpus=None),
    "served": replace(
        BARE, serving=(OLLAMA,), served={"http://127.0.0.1:11434": ("qwen3:0.6b", "hf.co/org/My_Model:latest")}
    ),
}


def services(text: str, folder) -> dict:
    path = folder / "inventory.yaml"
    path.write_text(text, encoding="utf-8")
    wanted = desire(load(str(path), environ={}), Registry())
    return {item.target.name: item for item in wanted}


@pytest.mark.parametrize("name", MACHINES)
def test_the_inventory_loads_on_every_machine(name, tmp_path):
    machine = MACHINES[name]
    text = files_of(machine, usual(machine, "lab"))["inventory.yaml"]
    found_services = services(text, tmp_path)
    assert {
        "big": {"ollama", "demo"}, "bare": set(), "demo": {"demo"}, "busy": {"ollama", "demo"}, "served": {"ollama"},
    }[name] == set(found_services)  # fmt: skip
    assert text == files_of(replace(machine, serving=()), usual(machine, "lab"))["inventory.yaml"]
    for line in found(replace(machine, serving=())):
        assert f"# {line}\n" in text


def test_what_is_commented_out_loads_too_once_it_is_wanted(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    text = files_of(BIG, usual(BIG, "lab"))["inventory.yaml"]
    lines = [line.replace("  # ", "  ", 1) if line.startswith("  # ") else line for line in text.splitlines()]
    assert set(services("\n".join(lines), tmp_path)) == {"ollama", "webui", "demo", "mine"}


def test_gpus_a_taken_port_and_the_room_for_a_model_are_minded(tmp_path):
    big = services(files_of(BIG, usual(BIG, "lab"))["inventory.yaml"], tmp_path)["ollama"]
    assert (big.placement.service.resources.gpus, big.placement.service.port) == (("all",), 11434)
    assert big.placement.models[0].source == "llama3.1:8b"
    busy = MACHINES["busy"]
    ollama = services(files_of(busy, usual(busy, "lab"))["inventory.yaml"], tmp_path)["ollama"]
    assert (ollama.placement.service.resources.gpus, ollama.placement.service.port) == ((), "auto")


def test_an_ollama_that_is_there_is_used_unless_it_is_not_wished(tmp_path):
    machine = MACHINES["served"]
    text = files_of(machine, usual(machine, "lab"))["inventory.yaml"]
    ollama = services(text, tmp_path)["ollama"]
    assert ollama.external
    has = [(model.name, model.source) for model in ollama.placement.models]
    assert has == [("qwen3-0-6b", "qwen3:0.6b"), ("my-model", "hf.co/org/My_Model:latest")]
    assert services(files_of(machine, Wishes(stack="lab", engine="process"))["inventory.yaml"], tmp_path) == {}


def test_an_ollama_without_a_model_gets_none(tmp_path):
    machine = replace(MACHINES["served"], served={"http://127.0.0.1:11434": ()})
    text = files_of(machine, usual(machine, "lab"))["inventory.yaml"]
    assert services(text, tmp_path)["ollama"].placement.models == ()


def test_the_other_files_are_what_they_say():
    files = files_of(BARE, usual(BARE, "lab"))
    assert yaml.safe_load(files["invoke.yaml"]) == {
        "tasks": {"executor_class": "llmstack.cli.invoked.Chain", "auto_dash_names": True}
    }
    compile(files["tasks.py"], "tasks.py", "exec")
