"""What a fresh machine meets first: the example inventory, the Makefile, the scripts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from llmstack.core.desired import desire
from llmstack.inventory import load
from llmstack.modeltype.registry import Registry
from tests.meta.source import ROOT

SCRIPTS = [*(ROOT / "scripts").glob("*.sh"), *(path for path in (ROOT / ".ci").iterdir() if path.is_file())]


def test_the_example_inventory_wants_a_demo_an_ollama_and_a_web_ui() -> None:
    inventory = load(str(ROOT / "inventory.yaml"), environ={})
    placed = {placement.service.name: placement for placement in inventory.placements}
    assert {name: (one.service.type, one.service.engine) for name, one in placed.items()} == {
        "ollama": ("ollama", None),
        "webui": ("open-webui", None),
        "demo": ("llamacpp", "process"),
    }
    assert [model.name for model in placed["ollama"].models] == ["llama3"]
    assert placed["webui"].service.depends_on == ("ollama",)


def test_every_service_of_the_example_inventory_can_be_launched() -> None:
    wanted = desire(load(str(ROOT / "inventory.yaml"), environ={}), Registry())
    assert {one.spec.service for one in wanted} == {"ollama", "webui", "demo"}


def test_the_smallest_inventory_of_the_readme_is_one(tmp_path: Path) -> None:
    block = (ROOT / "README.md").read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    assert len(block.splitlines()) == 6
    (tmp_path / "inventory.yaml").write_text(block, encoding="utf-8")
    inventory = load(str(tmp_path / "inventory.yaml"), environ={})
    assert [str(placement.target) for placement in inventory.placements] == ["demo@localhost"]


def test_the_compose_file_holds_a_small_stack_that_only_this_machine_reaches() -> None:
    stack = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert set(stack["services"]) == {"ollama", "webui"}
    assert all(port.startswith("127.0.0.1:") for one in stack["services"].values() for port in one["ports"])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_programs_that_stop_at_the_first_error(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert "\nset -euo pipefail\n" in script.read_text(encoding="utf-8")
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


def test_ci_runs_exactly_make_test() -> None:
    assert '\nstep "make test" make test\n' in (ROOT / ".ci/run").read_text(encoding="utf-8")


def test_make_help_names_every_target() -> None:
    run = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = {line.split()[1] for line in run.stdout.splitlines()}
    phony = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY: "))
    assert listed == set(phony.removeprefix(".PHONY: ").split())
