"""The spec that an instance carries as its label."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from llmstack.domain import codec
from llmstack.domain.instance import InstanceSpec, Mount, Weights
from llmstack.domain.resources import Resources
from llmstack.domain.secret import Sealed, Secret, seal
from llmstack.errors import SecretError

BARE = InstanceSpec(stack="lab", service="demo", host="localhost", type="llamacpp", engine="process")
FULL = InstanceSpec(
    stack="lab",
    service="qwen",
    host="gpu02.lab",
    type="vllm",
    engine="docker",
    image="vllm/vllm-openai:v0.11.0",
    program=("python", "-m", "vllm"),
    command=("--port", "{port}"),
    env={"B": "2", "A": "ü {listen}"},
    secrets={"HF_TOKEN": Sealed("salt:0123")},
    port="auto",
    container_port=8000,
    bind="0.0.0.0",
    mounts=(Mount(source="/data", target="/d", read_only=True), Mount(source="weights", target="/w", volume=True)),
    weights=Weights(source="file:/m.gguf", path="/m.gguf", fingerprint="ab12", size_bytes=94_000_000),
    resources=Resources(memory_bytes=2**34, cpus=1.5, shm_bytes=2**30, pids=512, gpus=("0", "GPU-1")),
    restart="on-failure:3",
    models={"qwen": "hf:Qwen/Qwen3-8B"},
    depends_on=("ollama",),
    compose_labels=False,
    decided={"port": "8001"},
    inventory="/srv/inventory.yaml",
)


def label(**changes):
    return json.dumps({**json.loads(codec.dumps(BARE)), **changes})


@pytest.mark.parametrize("spec", [BARE, FULL], ids=["bare", "full"])
def test_a_spec_comes_back_as_it_was(spec):
    assert codec.loads(codec.dumps(spec)) == spec


def test_the_text_is_canonical():
    assert codec.dumps(FULL) == codec.dumps(replace(FULL, env={"A": "ü {listen}", "B": "2"}))
    assert codec.dumps(codec.loads(codec.dumps(FULL))) == codec.dumps(FULL)
    text = codec.dumps(BARE)
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert ": " not in text
    assert ", " not in text


def test_a_secret_leaves_only_sealed():
    spec = replace(BARE, secrets={"TOKEN": Secret("env:TOKEN", lambda: "hunter2")})
    text = codec.dumps(spec)
    assert "hunter2" not in text
    assert "env:TOKEN" not in text
    sealed = codec.loads(text).secrets["TOKEN"]
    assert sealed.matches("hunter2")
    assert not sealed.matches("hunter3")


def test_a_secret_that_cannot_be_read_is_told():
    def read():
        raise SecretError("no variable TOKEN")

    with pytest.raises(SecretError, match="no variable TOKEN"):
        codec.dumps(replace(BARE, secrets={"TOKEN": Secret("env:TOKEN", read)}))


def test_a_digest_names_what_is_launched_and_not_where_or_with_which_secrets():
    elsewhere = replace(FULL.weights, path="/home/m.gguf")
    same = replace(FULL, secrets={"T": seal("x")}, decided={"port": "9"}, inventory="/etc/i.yaml", weights=elsewhere)
    assert codec.digest(same) == codec.digest(FULL)
    others = [replace(FULL, image="vllm:2"), replace(FULL, restart="no"), replace(FULL, weights=None), BARE]
    assert len({codec.digest(spec) for spec in (FULL, *others)}) == 5
    assert len(codec.digest(FULL)) == 16


def test_what_is_sealed_stays_as_it_is():
    sealed = seal("hunter2")
    assert codec.loads(codec.dumps(replace(BARE, secrets={"T": sealed}))).secrets == {"T": sealed}


def test_keys_of_a_newer_version_are_ignored():
    assert codec.loads(label(invented="later")) == BARE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "null",
        "[]",
        "{}",
        '"text"',
        label(mounts=["/data"]),
        label(mounts=[{"from": "/data"}]),
        label(mounts=7),
        label(program=5),
        label(weights={"path": "/m"}),
        label(resources={"memory": 1}),
        label(resources=[1]),
        label(secrets=["a"]),
        "[" * 100_000,
    ],
    ids=lambda text: text[-30:] or "empty",
)
def test_a_label_that_is_none_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"."):
        codec.loads(text)
