"""One controller at a time for each stack."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from llmstack.engines.process.engine import ProcessEngine
from llmstack.errors import LockedError
from tests.unit.engines.process.support import until


def test_a_held_lock_names_its_holder(engine: ProcessEngine) -> None:
    with engine.lock("lab", "ann@desk", 60.0):
        with (
            pytest.raises(LockedError, match=r"ann@desk works on stack 'lab' since \d\d:\d\d:\d\d") as caught,
            ProcessEngine("localhost", engine.root).lock("lab", "bob@lap", 60.0),
        ):
            pytest.fail("two hold one lock")
        assert (caught.value.data["owner"], caught.value.data["pid"]) == ("ann@desk", os.getpid())
        assert caught.value.hint
    with engine.lock("lab", "bob@lap", 60.0):
        pass


def test_each_stack_has_its_own(engine: ProcessEngine) -> None:
    with engine.lock("lab", "ann", 60.0), engine.lock("other", "ann", 60.0):
        assert engine.observe(None) == ()


def test_an_error_inside_frees_it(engine: ProcessEngine) -> None:
    with pytest.raises(ZeroDivisionError), engine.lock("lab", "ann", 60.0):
        raise ZeroDivisionError
    with engine.lock("lab", "bob", 60.0):
        holder = json.loads((engine.root / ".lab.lock").read_text())
    assert holder["owner"] == "bob"
    assert holder["expires"] - holder["since"] == 60.0
    assert (engine.root / ".lab.lock").read_text() == ""


def test_a_holder_that_said_nothing_yet_is_another_run(engine: ProcessEngine) -> None:
    with engine.lock("lab", "ann", 60.0):
        (engine.root / ".lab.lock").write_text("")
        with pytest.raises(LockedError, match="another run works"), engine.lock("lab", "bob", 60.0):
            pytest.fail("two hold one lock")


def test_a_killed_holder_frees_it(engine: ProcessEngine) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    holder = context.Process(target=_hold, args=(engine.root, held))
    holder.start()
    assert held.wait(30)
    with pytest.raises(LockedError, match="doomed"), engine.lock("lab", "ann", 60.0):
        pytest.fail("two hold one lock")
    assert holder.pid
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    until(lambda: _free(engine))


def test_a_server_started_under_the_lock_does_not_inherit_it(
    engine: ProcessEngine, make: object, serve: object
) -> None:
    with engine.lock("lab", "ann", 60.0):
        serve()  # type: ignore[operator]
    assert _free(engine)


def _hold(root: Path, held: Event) -> None:
    with ProcessEngine("localhost", root).lock("lab", "doomed", 60.0):
        held.set()
        signal.pause()


def _free(engine: ProcessEngine) -> bool:
    try:
        with engine.lock("lab", "ann", 60.0):
            return True
    except LockedError:
        return False
