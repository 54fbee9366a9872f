"""Values that the user types."""

from __future__ import annotations

import pytest

from llmstack.cli import flags
from llmstack.cli.collection import VERBS
from llmstack.cli.invoked import Invoked


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("90", 90.0),
        ("90s", 90.0),
        ("1.5m", 90.0),
        ("2h", 7200.0),
        ("0", 0.0),
        ("1h30m", 5400.0),
        ("500ms", 0.5),
    ],
)
def test_a_duration_may_have_a_unit(text, value):
    assert flags.seconds(text) == value


@pytest.mark.parametrize("text", ["", "soon", "-1", "1e3", "nan", "inf", "5 m", "1d", "1h30", "5m 3s", "9" * 400])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="number of seconds"):
        flags.seconds(text)


@pytest.mark.parametrize("text", ["", "1.0", "-1", "many", "1" * 10, "²"])
def test_what_is_no_count_is_refused(text):
    with pytest.raises(ValueError, match="whole number, 0 or more"):
        flags.count(0)(text)


@pytest.mark.parametrize("text", ["", " ", " a", "a ", "a\nb"])
def test_what_is_no_name_is_refused(text):
    with pytest.raises(ValueError, match="a name"):
        flags.name(text)


@pytest.mark.parametrize("task", VERBS, ids=lambda task: task.name)
def test_every_flag_of_a_task_has_help_and_a_name_of_its_own(task):
    assert len({flag.name for flag in task.flags}) == len(task.flags)
    assert all(flag.help.endswith(".") for flag in task.flags)
    assert all("-" not in flag.key and flag.key.isidentifier() for flag in task.flags)


def test_a_short_flag_means_one_thing_in_every_task():
    meanings = {(flag.short, (flag.also or (flag.name,))[0]) for task in VERBS for flag in task.flags if flag.short}
    assert len({short for short, _ in meanings}) == len(meanings)


def test_no_two_tasks_are_ever_equal_for_invoke():
    up = Invoked(VERBS[0])
    assert up != up
    assert len({*VERBS}) == len(VERBS)
