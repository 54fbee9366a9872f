"""Values show themselves in a notebook as tables that nobody outside can write HTML into."""

from __future__ import annotations

from dataclasses import fields
from html.parser import HTMLParser
from importlib import import_module
from pkgutil import iter_modules
from typing import get_args, get_type_hints

import pytest

import llmstack.domain
from llmstack.domain.instance import State
from llmstack.domain.ladder import Ladder, Rung, RungResult
from llmstack.domain.outcome import Outcome, RunResult, Status
from llmstack.domain.plan import Action, ActionKind, Plan
from llmstack.domain.report import Difference, StatusReport, StatusRow, SyncReport
from llmstack.domain.server import ServedModel
from llmstack.domain.stored import StoredModel
from llmstack.domain.tabular import Document, Named, Rows, Tabular
from llmstack.domain.target import Target
from llmstack.domain.usage import Usage

DEMO = Target("demo", "gpu1")
ACTION = Action(kind=ActionKind.CREATE, target=DEMO, reason="not there")
ROW = StatusRow(model="demo", service="ollama", host="gpu1", state=State.READY, engine="docker")
LEFT = Difference(target=DEMO, store="active", engine="gone", action="recorded inactive")


class Cells(HTMLParser):
    """The texts of a table, row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")
        else:
            assert tag in ("table", "thead", "tbody")

    def handle_data(self, data: str) -> None:
        self.rows[-1][-1] += data


def cells(value: object) -> list[list[str]]:
    parser = Cells()
    parser.feed(value._repr_html_())  # type: ignore[attr-defined]
    return parser.rows


@pytest.mark.parametrize(
    ("value", "rows"),
    [
        (Plan((ACTION,)), [["kind", "target", "reason"], ["create", "demo@gpu1", "not there"]]),
        (
            RunResult(task="up", outcomes=(Outcome(target=DEMO, status=Status.OK, ms=12.34, urls=("a", "b")),)),
            [["target", "status", "ms", "urls"], ["demo@gpu1", "ok", "12.3", "a, b"]],
        ),
        (
            Ladder(target=DEMO, rungs=(RungResult(rung=Rung.API, ok=False, ms=3),)),
            [["rung", "ok", "ms"], ["api", "False", "3"]],
        ),
        (StatusReport(rows=(ROW,)), [["model", "service", "host", "state"], ["demo", "ollama", "gpu1", "ready"]]),
        (
            SyncReport(differences=(LEFT,)),
            [["target", "store", "engine", "action"], ["demo@gpu1", "active", "gone", "recorded inactive"]],
        ),
        (Usage(memory_bytes=7), [["memory bytes"], ["7"]]),
        (
            Rows((ServedModel(name="a"), ServedModel(name="b", loaded=False))),
            [["name", "loaded"], ["a", ""], ["b", "False"]],
        ),
        (Named(ollama=Usage(cpu_percent=1.0)), [["name", "cpu percent"], ["ollama", "1.0"]]),
        (Rows(()), [[]]),
        (Named(), [["name"]]),
        (StatusReport(), [[]]),
    ],
)
def test_a_value_is_a_table_without_what_nobody_knows(value: object, rows: list[list[str]]) -> None:
    assert cells(value) == rows


def test_hostile_names_stay_text() -> None:
    name = "<script>alert('x')</script>&"
    model = StoredModel(name=name, host="h", container_name="c")
    assert cells(model)[1][0] == name
    assert cells(Named({name: Usage()}))[1] == [name]


def entry_of(cls: type[Tabular]) -> type:
    """What has the rows of a table."""
    if not cls.entries:
        return cls
    (entry, _) = get_args(get_type_hints(cls)[cls.entries])
    assert isinstance(entry, type)
    return entry


def test_the_columns_of_every_table_are_there() -> None:
    for module in iter_modules(llmstack.domain.__path__, "llmstack.domain."):
        import_module(module.name)
    tables = {*Tabular.__subclasses__(), *Document.__subclasses__()} - {Document}
    assert len(tables) > 10
    for cls in tables:
        entry = entry_of(cls)
        known = {*dir(entry), *(field.name for field in fields(entry))}  # type: ignore[arg-type]
        assert cls.columns
        assert set(cls.columns) <= known
