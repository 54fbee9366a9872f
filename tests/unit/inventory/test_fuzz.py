"""Whatever stands in an inventory, it loads or its mistakes are told."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from llmstack.errors import ConfigError
from llmstack.inventory import load
from tests.unit.inventory.test_hosts import TREE
from tests.unit.inventory.test_load import LAB

SCRAPS = [
    *"{}[]:,-#'\"|>?@`\\~é\u2028\ud7ff\n\t\0\x07 ",
    "  ",
    ": ",
    "- ",
    "<<: ",
    "? ",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
]
SCRAPS += ["\\x", "&a", "*a", "!x", "!!", "<<", "${", "${x}", "$${", "{{", "null", "true", "no", "1e999", "-1", "0"]
SCRAPS += ["99999999999", "[1:9]", "[a:c]", "all", "gpu", "localhost", "auto", "host", "from:", "models:", "services:"]
SCRAPS += ["service:", "{from: env}", "{from: file, path: /}", "{from:", "!vault x"]


def mutated(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice([0, 0, 1, 3, 20]))
        moved = chance.randrange(len(text) + 1)
        scrap = chance.choice([*SCRAPS, "", text[moved : moved + chance.randint(1, 30)]])
        text = text[:start] + scrap + text[end:]
    return text


@pytest.mark.parametrize("seed", range(8))
def test_no_text_ends_in_anything_but_an_inventory_or_its_mistakes(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    refused = 0
    for _ in range(100):
        text = mutated(chance.choice([LAB, TREE]), chance)
        path = tmp_path / "inventory.yaml"
        path.write_bytes(text.encode())
        try:
            load(str(path), environ={})
        except ConfigError:
            refused += 1
    assert 10 < refused < 100
