"""Tasks with dots in their names, through both doors."""

from __future__ import annotations

import pytest
from invoke.program import Program

from llmstack.cli import program
from llmstack.cli.argv import parse
from llmstack.cli.collection import collection
from llmstack.cli.flags import Flag
from llmstack.cli.task import verb
from llmstack.errors import OK, UsageError

NAME = Flag("name", "NAME of it.", None)
RAN: list[tuple[str, object]] = []


def made(name):
    @verb(NAME, name=name)
    def run(session):
        """Do nothing."""
        RAN.append((name, session[NAME]))
        return OK

    return run


VERBS = tuple(map(made, ("shelf", "shelf.book", "box.lid")))
TASKS = {task.name: task for task in VERBS}


@pytest.fixture
def dotted(monkeypatch, door):
    """Run a line of these tasks."""
    RAN.clear()
    monkeypatch.setattr(program, "VERBS", VERBS)

    def run(*words):
        if door == "invoke":
            Program(namespace=collection(VERBS)).run(["invoke", *words])
            return 0
        with pytest.raises(SystemExit) as ended:
            program.main(["llmstack", *words])
        return ended.value.code

    return run


def test_a_name_with_dots_is_a_task(dotted):
    assert dotted("shelf.book", "--name", "a", "box.lid") == 0
    assert RAN == [("shelf.book", "a"), ("box.lid", None)]


def test_a_family_may_be_a_task_itself(dotted):
    assert dotted("shelf", "--name", "a", "shelf") == 0
    assert RAN == [("shelf", "a"), ("shelf", None)]


def test_in_the_installed_door_dots_may_be_blanks_and_a_word_alone_is_the_name():
    line = ["shelf", "book", "a", "box", "lid", "shelf", "lid"]
    assert parse(line, TASKS) == [("shelf.book", {"name": "a"}), ("box.lid", {}), ("shelf", {"name": "lid"})]


def test_a_family_that_is_no_task_is_told_with_its_tasks():
    with pytest.raises(UsageError) as raised:
        parse(["box"], TASKS)
    assert (raised.value.message, raised.value.hint) == ("no task 'box'", "tasks: box.lid")
