"""What may be in the way of an instance: roots, names, programs, damaged files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llmstack.domain.instance import Instance, InstanceSpec, State, Weights
from llmstack.engines.process.engine import ProcessEngine
from llmstack.errors import LlmstackError, NoMatchError, PluginError, PreflightError, UnreachableError
from tests.unit.engines.process.support import now

Make = Callable[..., InstanceSpec]
Serve = Callable[..., Instance]


def test_a_root_that_others_may_write_to_is_refused(engine: ProcessEngine, make: Make, root: Path) -> None:
    root.mkdir()
    root.chmod(0o777)
    with pytest.raises(LlmstackError, match="others may write") as caught:
        engine.create(make())
    assert caught.value.hint == f"chmod 700 {root}"


def test_a_root_that_is_a_file_refuses_us(tmp_path: Path, make: Make) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UnreachableError, match="file"):
            ProcessEngine("localhost", root).create(make())
    with pytest.raises(UnreachableError, match="cannot use"):
        ProcessEngine("localhost", tmp_path / "file").observe(None)


def test_a_root_where_nothing_can_be_made_is_named(make: Make) -> None:
    with pytest.raises(LlmstackError, match="/proc/llmstack"):
        ProcessEngine("localhost", Path("/proc/llmstack")).create(make())


@pytest.mark.parametrize("verb", ["start", "pids", "logs"])
def test_a_name_that_is_not_there_is_no_match(engine: ProcessEngine, verb: str) -> None:
    with pytest.raises(NoMatchError, match="llmstack-lab-nobody"):
        getattr(engine, verb)("llmstack-lab-nobody")


def test_stop_and_rename_of_a_name_that_is_not_there(engine: ProcessEngine) -> None:
    with pytest.raises(NoMatchError):
        engine.stop("llmstack-lab-nobody", 1.0)
    with pytest.raises(NoMatchError):
        engine.rename("llmstack-lab-nobody", "llmstack-lab-somebody")


@pytest.mark.parametrize("name", ["../escape", ".hidden", "a/b", ""])
def test_no_name_leads_out_of_the_root(engine: ProcessEngine, make: Make, name: str) -> None:
    engine.create(make())
    assert engine.inspect(name) is None
    engine.remove(name)
    with pytest.raises(LlmstackError, match="no name"):
        engine.rename("llmstack-lab-demo", name)


def test_a_program_that_does_not_exist_fails_before_and_at_the_start(engine: ProcessEngine, make: Make) -> None:
    spec = make(program=("no-such-program-anywhere",))
    with pytest.raises(PreflightError, match="no-such-program-anywhere") as caught:
        engine.missing(spec)
    assert caught.value.hint
    engine.create(spec)
    with pytest.raises(PreflightError, match="no-such-program-anywhere"):
        engine.start(spec.name)
    after = now(engine, spec.name)
    assert (after.state, after.running, after.exit_code) == (State.STOPPED, False, None)
    engine.stop(spec.name, 1.0)
    engine.remove(spec.name)
    assert engine.observe(None) == ()


def test_a_program_that_cannot_be_executed_tells_why(engine: ProcessEngine, make: Make, tmp_path: Path) -> None:
    program = tmp_path / "broken"
    program.write_bytes(b"\x7fELF not really")
    program.chmod(0o700)
    spec = make(program=(str(program),))
    engine.create(spec)
    with pytest.raises(PreflightError, match="Exec format error"):
        engine.start(spec.name)
    assert now(engine, spec.name).state is State.STOPPED


def test_what_a_process_cannot_have_is_told_before_the_start(engine: ProcessEngine, make: Make, tmp_path: Path) -> None:
    weights = Weights(source="file:x", path=str(tmp_path / "no.gguf"), fingerprint="f", size_bytes=1)
    with pytest.raises(PreflightError, match=r"no\.gguf is not there"):
        engine.missing(make(weights=weights))
    with pytest.raises(PreflightError, match="no program"):
        engine.missing(make(program=()))
    for module in ("no_such_module", "no_such_package.module"):
        with pytest.raises(PreflightError, match=module):
            engine.missing(make(program=("python", "-m", module)))
    assert engine.missing(make(program=("python", "-m", "http.server"))) == ()


def test_mounts_need_a_container(engine: ProcessEngine, make: Make) -> None:
    from llmstack.domain.instance import Mount

    with pytest.raises(PreflightError, match="no mounts"):
        engine.missing(make(mounts=(Mount(source="/data", target="/data"),)))


def test_a_damaged_folder_is_shown_and_can_be_removed(engine: ProcessEngine, make: Make) -> None:
    spec = make()
    engine.create(spec)
    folder = engine.root / spec.name
    (folder / "labels.json").write_text("{ not json")
    (folder / "state.json").write_text("[]")
    (damaged,) = engine.observe(None)
    assert (damaged.spec, damaged.stack, damaged.service) == (None, None, spec.name)
    assert engine.endpoint(damaged) is None
    with pytest.raises(LlmstackError, match="another version"):
        engine.start(spec.name)
    engine.remove(spec.name)
    assert engine.observe(None) == ()


def test_what_a_newer_version_wrote_is_not_started(engine: ProcessEngine, make: Make) -> None:
    spec = make()
    engine.create(spec)
    path = engine.root / spec.name / "labels.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "io.llmstack.schema": "99"}))
    assert (now(engine, spec.name).schema, now(engine, spec.name).spec) == (99, None)
    with pytest.raises(LlmstackError, match="schema 99"):
        engine.start(spec.name)
    for found in engine.leftovers(spec.stack):
        with pytest.raises(PluginError, match="newer llmstack"):
            engine.discard(found)
    assert (engine.root / spec.name).exists()


def test_drafts_of_a_killed_run_are_invisible_and_forgotten(engine: ProcessEngine, make: Make, root: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as killed:
        killed.wait()
    fresh = f".new-{os.getpid()}-x"
    for name in (f".new-{killed.pid}-x", f".gone-{killed.pid}-x", fresh):
        (root / name).mkdir(parents=True)
    root.chmod(0o700)
    assert engine.observe(None) == ()
    assert engine.littered("lab")
    engine.create(make())
    assert {path.name for path in root.iterdir()} == {fresh, "llmstack-lab-demo"}
    assert not engine.littered("lab")
