"""Both front doors over the fake app, in this process."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from llmstack.cli import picked
from tests.unit.cli import fake_app
from tests.unit.cli.front import enter


@dataclass(frozen=True)
class Ran:
    """What a line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document


class Terminal(io.StringIO):
    """Standard input with a person before it."""

    def isatty(self) -> bool:
        return True


Run = Callable[..., Ran]


@pytest.fixture
def calls(monkeypatch):
    """The calls of the fake app."""
    monkeypatch.setitem(sys.modules, "llmstack.app", fake_app)
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.delitem(sys.modules, "tasks", raising=False)
    picked.names_from_stdin.cache_clear()
    fake_app.CALLS.clear()
    yield fake_app.CALLS
    sys.modules.pop("tasks", None)
    picked.names_from_stdin.cache_clear()


@pytest.fixture
def through(calls, capsys, monkeypatch):
    """Run a line through the door of that name, with `stdin` as text."""

    def run(door: str, *words: str, stdin: str | None = None) -> Ran:
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = 0
        try:
            enter(door, list(words))
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture(params=["invoke", "llmstack"])
def door(request):
    """The name of each door in turn."""
    return request.param


@pytest.fixture
def both(through, door) -> Run:
    """Run a line through each door in turn."""
    return lambda *words, **more: through(door, *words, **more)


@pytest.fixture
def own(through) -> Run:
    """Run a line through the installed door."""
    return lambda *words, **more: through("llmstack", *words, **more)
