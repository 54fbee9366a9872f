"""What the JSON Schema for editors accepts and refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft7Validator

from llmstack.inventory.compose import compose
from llmstack.inventory.nodes import Problems, plain
from llmstack.reference import inventory_schema
from tests.meta.source import ROOT
from tests.unit.inventory.test_hosts import TREE
from tests.unit.inventory.test_load import LAB
from tests.unit.inventory.test_mistakes import CASES, FINE, HOSTS
from tests.unit.inventory.test_variables import MODELS, OVER, WEB

OURS = [*(HOSTS + text for text in FINE), TREE, LAB, f"llmstack: 1\n{OVER}{WEB}{MODELS}"]


@pytest.fixture(scope="module")
def schema() -> Draft7Validator:
    found = inventory_schema()
    Draft7Validator.check_schema(found)
    return Draft7Validator(found)


def parsed(text: str) -> Any:
    """As an editor reads it: YAML 1.2, where `no` is text."""
    return plain(compose(text, "x.yaml", Problems(text, "x.yaml")))


def test_the_example_inventory_is_accepted(schema: Draft7Validator) -> None:
    text = (ROOT / "inventory.yaml").read_text(encoding="utf-8")
    assert [error.message for error in schema.iter_errors(parsed(text))] == []


@pytest.mark.parametrize("text", OURS)
def test_what_llmstack_accepts_is_accepted(schema: Draft7Validator, text: str) -> None:
    assert [error.message for error in schema.iter_errors(parsed(text))] == []


@pytest.mark.parametrize(
    "text", [text for text, code, _, message, _ in CASES if code == "E012" and "nothing has the type" not in message]
)
def test_an_unknown_key_is_refused(schema: Draft7Validator, text: str) -> None:
    assert not schema.is_valid(parsed(text))


@pytest.mark.parametrize(
    "text",
    [
        "stack: lab\n",
        "llmstack: 2\n",
        "llmstack: 1\nservices: {web: {image: x}}\n",
        "llmstack: 1\nservices: {Web: {type: c}}\n",
        "llmstack: 1\nservices: {web: {type: c, port: [1]}}\n",
        "llmstack: 1\nservices: {web: {type: c, enabled: maybe}}\n",
        "llmstack: 1\nservices: {web: {type: c, args: -v}}\n",
        "llmstack: 1\nservices: {web: {type: c, engine: podman}}\n",
        "llmstack: 1\nservices: {web: {type: c, env: {A: {from: vault}}}}\n",
        "llmstack: 1\nservices: {web: {type: c, adopt: my-web}}\n",
        "llmstack: 1\nservices: {web: {type: c, update: {serial: 1, parallel: 2}}}\n",
        "llmstack: 1\nservices: {web: {type: c, resources: {memory: [8]}}}\n",
        "llmstack: 1\nservices: {o: {type: ollama, options: {keepalive: 5m}}}\n",
        "llmstack: 1\nmodels: {m: {source: x}}\n",
        "llmstack: 1\nall: {hosts: [a]}\n",
        "llmstack: 1\nall: {vars: {overrides: {web: {type: x}}}}\n",
    ],
)
def test_what_llmstack_refuses_by_its_shape_is_refused(schema: Draft7Validator, text: str) -> None:
    assert not schema.is_valid(parsed(text))


def test_every_key_says_what_it_is_for(schema: Draft7Validator) -> None:
    properties = schema.schema["properties"]
    keys = {
        **properties["services"]["additionalProperties"]["properties"],
        **properties["models"]["additionalProperties"]["properties"],
    }
    assert [key for key, about in keys.items() if not about.get("description")] == []
    assert "ollama" in json.dumps(keys["type"])
