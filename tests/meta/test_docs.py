"""Documents say what the code does."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest

import llmstack
from llmstack.errors import meanings
from llmstack.inventory import load
from tests.meta.source import ROOT
from tests.room import BUDGET_S


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands(name: str) -> set[tuple[str, str]]:
    """(`make`, target) and (`invoke`, task) of a document's code: blocks and spans."""
    code = re.findall(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", read(name), re.DOTALL)
    text = "\n".join(block or span for block, span in code)
    words = re.findall(r"(?:^|[\n$/|;&] *)(make|invoke|llmstack)((?: +-o +\w+| +-\w+)?) +([a-z][\w.-]*)", text)
    return {("make" if program == "make" else "invoke", word) for program, _, word in words}


@pytest.fixture(scope="module")
def tasks() -> set[str]:
    run = subprocess.run(
        [sys.executable, "-m", "invoke", "--list"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    found = re.findall(r"^  ([a-z][\w.-]*)", run.stdout, re.MULTILINE)
    return {"help", *found, *(name.partition(".")[0] for name in found)}


DOCUMENTS = ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if name != "docs/errors.md"])
def test_every_command_of_a_document_exists(document: str, tasks: set[str]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    assert {word for program, word in commands(document) if program == "make"} - targets == set()
    assert {word for program, word in commands(document) if program == "invoke"} - tasks == set()


def test_the_readme_shows_commands_at_all() -> None:
    assert {("make", "demo"), ("make", "test"), ("invoke", "up"), ("invoke", "ask")} <= commands("README.md")


def test_the_readme_s_local_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)", read("README.md"))
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_the_table_of_exit_codes_is_the_code_s() -> None:
    rows = re.findall(r"^\| (\d+) \| (\w+) \| (.+) \|$", read("docs/exit-codes.md"), re.MULTILINE)
    assert {int(code): (name, text) for code, name, text in rows} == dict(meanings())


def test_the_tables_of_the_inventory_s_page_are_the_code_s() -> None:
    """`python scripts/inventory_page.py` writes them."""
    script = runpy.run_path(str(ROOT / "scripts/inventory_page.py"))
    page = read("docs/inventory.md")
    assert script["filled"](page) == page
    assert page.count("<!-- end -->") == len(script["tables"]())


def test_the_examples_of_the_inventory_s_page_load(tmp_path: Path) -> None:
    whole, editor, variables, secrets = re.findall(r"```yaml\n(.*?)```", read("docs/inventory.md"), re.DOTALL)
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/gpu.yml").write_text(variables, encoding="utf-8")
    (tmp_path / "inventory.yaml").write_text(whole, encoding="utf-8")
    placed = {
        str(each.target): each.service.port for each in load(str(tmp_path / "inventory.yaml"), environ={}).placements
    }
    assert placed == {
        "ollama@gpu01.lab": 9000,
        "ollama@gpu03.lab": 9000,
        "webui@gpu01.lab": 3000,
        "demo@localhost": None,
    }
    web = "services:\n  web:\n    type: container\n" + indent(secrets, "    ")
    (tmp_path / "inventory.yaml").write_text(editor + web, encoding="utf-8")
    (placement,) = load(str(tmp_path / "inventory.yaml"), environ={}).placements
    assert sorted(placement.service.env) == ["API_KEY", "HF_TOKEN", "PASSWORD"]


def test_the_changelog_has_an_unreleased_part_first() -> None:
    headings = re.findall(r"^## (.+)$", read("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", heading) for heading in headings[1:])


def test_contributing_states_each_suite_s_budget() -> None:
    rows = re.findall(r"^\| `tests/(\w+)` \| [^|]+ \| (\d+) s \|", read("CONTRIBUTING.md"), re.MULTILINE)
    assert {suite: int(seconds) for suite, seconds in rows} == BUDGET_S


def test_every_suite_has_a_budget() -> None:
    suites = {path.parent.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").glob("*/**/test_*.py")}
    assert suites <= set(BUDGET_S)


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs/decisions").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_version_is_a_number() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", llmstack.__version__)
