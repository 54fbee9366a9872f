"""The shim as a program: small, alone, and plain about what went wrong."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import llmstack
from llmstack.domain.instance import InstanceSpec
from llmstack.engines.process import files, launch, shim
from llmstack.engines.process.engine import ProcessEngine
from llmstack.errors import LlmstackError, PreflightError
from tests.unit.engines.process.support import alive, fetch, now, shim_pid, until

Make = Callable[..., InstanceSpec]


def test_it_loads_nothing_but_the_standard_library() -> None:
    root = str(Path(llmstack.__file__).parent.parent)
    code = f"import sys; sys.path.append({root!r}); import llmstack.engines.process.shim; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    roots = {name.split(".")[0] for name in done.stdout.split()}
    assert roots - set(sys.stdlib_module_names) == {"llmstack", "__main__"}
    ours = {name for name in done.stdout.split() if name.startswith("llmstack.") and name.count(".") > 2}
    assert ours == {f"llmstack.engines.process.{name}" for name in ("files", "log", "policy", "shim")}


def test_it_waits_for_a_looker_and_gives_way_to_another_shim(
    engine: ProcessEngine, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make()
    engine.create(spec)
    monkeypatch.chdir(engine.root / spec.name)
    monkeypatch.setattr(shim, "LOCK_WAIT_S", 0.05)
    with files.locked("lock") as fd:
        assert fd is not None
        assert shim._hold_lock() is False


def test_a_folder_removed_while_it_waited_is_told(
    engine: ProcessEngine, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make()
    engine.create(spec)
    (engine.root / spec.name / "state.json").unlink()
    with pytest.raises(PreflightError, match="No such file"):
        engine.start(spec.name)


def test_a_server_whose_folder_somebody_deletes_ends(engine: ProcessEngine, make: Make, port: int) -> None:
    engine.create(spec := make())
    engine.start(spec.name)
    until(lambda: fetch(port))
    keeper = shim_pid(engine, spec.name)
    shutil.rmtree(engine.root / spec.name)
    until(lambda: not alive(keeper))
    assert fetch(port) is None


def test_a_shim_that_cannot_start_says_why(engine: ProcessEngine, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = make()
    engine.create(spec)
    monkeypatch.setattr(launch, "RUN_SHIM", "raise SystemExit('no such luck')")
    with pytest.raises(LlmstackError, match="no such luck"):
        engine.start(spec.name)
    monkeypatch.setattr(launch, "RUN_SHIM", "")
    with pytest.raises(LlmstackError, match="it said nothing"):
        engine.start(spec.name)
    monkeypatch.setattr(launch, "RUN_SHIM", "import time; time.sleep(3600)")
    monkeypatch.setattr(launch, "SHIM_START_S", 0.1)
    with pytest.raises(LlmstackError, match="no answer"):
        engine.start(spec.name)
    monkeypatch.setattr(sys, "executable", "/no/python")
    with pytest.raises(LlmstackError, match="/no/python: No such file"):
        engine.start(spec.name)
    assert not now(engine, spec.name).running


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    files.write_json(path, {"a": 1})
    (tmp_path / f"state.json.{os.getpid()}.tmp").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        files.write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_lookers_do_not_see_each_other(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    with files.locked(path, fcntl.LOCK_SH) as looker:
        assert looker is not None
        assert not files.is_held(path)
    with files.locked(path) as holder:
        assert holder is not None
        assert files.is_held(path)
    assert not files.is_held(tmp_path / "nothing")
