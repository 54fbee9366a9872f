"""Errors become codes in one place."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress

import pytest

from llmstack.cli.guard import guarded
from llmstack.cli.session import Session
from llmstack.cli.task import verb
from llmstack.domain.stop import STOP
from llmstack.errors import LockedError


def untold(error):
    raise AssertionError(error)


def raising(error):
    def body():
        raise error

    return body


def test_in_another_thread_signals_are_left_alone(capsys):
    codes = []
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=lambda: codes.append(guarded(lambda: 6, untold)))
    thread.start()
    thread.join()
    assert codes == [6]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_handler_of_a_signal_is_put_back(number):
    before = signal.getsignal(number)
    assert guarded(lambda: 0, untold) == 0
    assert signal.getsignal(number) is before


def test_a_run_that_wound_down_after_sigterm_ends_with_143():
    def body():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        return 130

    assert guarded(body, untold) == 143


def test_a_run_that_wound_down_after_sigterm_keeps_another_code():
    def body():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        return 6

    assert guarded(body, untold) == 6


def test_a_signal_that_is_sent_twice_at_once_is_one():
    def body():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        return 130

    assert guarded(body, untold) == 143


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert guarded(lambda: signal.raise_signal(signal.SIGINT) or 0, untold) == 0
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_error_is_told_for_the_door_in_use(capsys):
    assert guarded(raising(LockedError("busy", "try `invoke status`")), Session("llmstack").tell) == 7
    assert capsys.readouterr().err == "error: busy\n       try `llmstack status`\n"


def test_a_signal_whose_exception_got_lost_keeps_the_next_task_from_beginning(capsys):
    """Python drops it in the midst of an import."""
    ran = []
    task = verb(name="up")(lambda session: ran.append(session) or 0)

    def body():
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return task.perform(task.session("llmstack", {}))

    assert (guarded(body, untold), ran) == (130, [])
    assert "error: interrupted" in capsys.readouterr().err
    assert not STOP.is_set()
