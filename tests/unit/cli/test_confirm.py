"""Before something is lost for good, somebody says yes."""

from __future__ import annotations

import io
import sys

import pytest

from llmstack.cli.flags import MODEL, YES
from llmstack.cli.session import Session
from llmstack.errors import DeclinedError


class Terminal(io.StringIO):
    def isatty(self):
        return True


def session(**values):
    return Session("llmstack", "uninstall", (MODEL, YES), {"model": ["a"], **values})


def ask(monkeypatch, answer, **values):
    """What is said to somebody who answers."""
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stderr", said := Terminal())
    session(**values).confirm("Remove volume a?")
    return said.getvalue()


@pytest.mark.parametrize("answer", ["y\n", "Yes\n"])
def test_who_says_yes_is_taken_at_his_word(monkeypatch, answer):
    assert ask(monkeypatch, answer).endswith(" [y/N] ")


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_anything_else_is_a_no(monkeypatch, answer):
    with pytest.raises(DeclinedError, match="not confirmed"):
        ask(monkeypatch, answer)


def test_nobody_is_asked_with_yes(monkeypatch):
    assert ask(monkeypatch, "", yes=True) == ""


def test_where_nobody_can_answer_the_command_is_told_that_needs_no_answer(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(DeclinedError) as raised:
        session().confirm("Remove volume a?")
    assert (raised.value.exit_code, raised.value.message) == (12, "nobody is here to answer: Remove volume a?")
    assert raised.value.hint == "to do it without being asked: llmstack uninstall --model a --yes"
