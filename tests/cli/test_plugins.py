"""The plugin of docs/plugins.md, and a type that comes with an inventory, through both doors."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.cli.conftest import OURS
from tests.desk import ROOT, Desk

PLUGIN = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8"), re.DOTALL)[0]
LISTED = OURS + "plugins: [plugins/speed.py]\n"
TYPE = """\
from llmstack.modeltype import Family, Launch, ModelType


class Sleeper(ModelType):
    name = "sleeper"
    family = Family.COMPANION
    engines = frozenset({"process"})

    def launch(self, request):
        return Launch(program=("sleep", "1000"))
"""


@pytest.fixture
def project(make_desk: Callable[..., Desk]) -> Desk:
    """A desk with the example beside its tasks.py, listed by its inventory."""
    desk = make_desk(LISTED)
    (desk.folder / "plugins").mkdir(mode=0o755)
    (desk.folder / "plugins" / "speed.py").write_text(PLUGIN, encoding="utf-8")
    return desk


def test_the_example_of_the_documents_works(project: Desk, door: str) -> None:
    if door == "llmstack":
        assert project.run("speed", door=door).code == 13
        project.good("plugins.trust", "--file", "plugins/speed.py")
    project.good("up", "-m", "llama3")
    ran = project.good("speed", "-m", "llama3", "--rounds", "1", "-o", "json", door=door)
    (item,) = ran.json["items"]
    assert (ran.json["kind"], item["target"], item["rounds"]) == ("speed", "llama3@localhost", 1)
    assert item["tokens_per_s"] > 0
    assert project.good("speed", "-m", "llama3", "-o", "names", door=door).out == "llama3@localhost\n"
    (run,) = project.good("history", "--last", "1", "-o", "json", door=door).json["items"]
    assert run["task"] == "speed"


def test_a_type_that_an_inventory_brings_along_has_to_be_trusted(make_desk: Callable[..., Desk], door: str) -> None:
    desk = make_desk("llmstack: 1\nplugins: [sleeper.py]\nservices:\n  nap: {type: sleeper, engine: process}\n")
    desk.write(TYPE, "sleeper.py")
    desk.folder.chmod(0o755)
    ran = desk.run("up", "--check", door=door)
    assert ran.code == 13
    assert "not trusted" in ran.out
    desk.good("plugins.trust", "--file", "sleeper.py", door=door)
    assert "nap@localhost" in desk.good("up", "--check", door=door).out
