"""From created to removed, and everything that may be in the way."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llmstack.domain.instance import Instance, InstanceSpec, Need, State, Weights
from llmstack.engines.process import ProcessEngine
from llmstack.engines.process.engine import STALE_S
from llmstack.errors import LlmstackError, NoMatchError, PreflightError, UnreachableError
from llmstack.protocols import Ability, Engine
from tests.unit.engines.process.support import alive, fetch, now, shim_pid, until

Make = Callable[..., InstanceSpec]
Serve = Callable[..., Instance]


def test_a_whole_life(engine: ProcessEngine, make: Make, port: int) -> None:
    spec = make()
    assert engine.missing(spec) == ()
    engine.check_port(spec)

    created = engine.create(spec)
    assert (created.state, created.running, created.spec) == (State.STOPPED, False, spec)
    assert (created.port, created.restarts, created.exit_code, created.stack) == (port, 0, None, "lab")

    engine.start(spec.name)
    until(lambda: fetch(port) == "ok")
    running = now(engine, spec.name)
    assert (running.state, running.running, running.id) == (State.STARTING, True, created.id)
    assert running.started_at is not None
    assert engine.pids(spec.name) == (running.pid,)
    engine.check_port(spec)  # its own port is no obstacle to a replace
    endpoint = engine.endpoint(running)
    assert endpoint is not None
    assert endpoint.controller == f"http://127.0.0.1:{port}"

    shim = shim_pid(engine, spec.name)
    engine.stop(spec.name, 10.0)
    stopped = now(engine, spec.name)
    assert (stopped.state, stopped.running, stopped.exit_code, stopped.error) == (State.STOPPED, False, 0, None)
    assert stopped.finished_at is not None
    assert engine.pids(spec.name) == ()
    assert not alive(shim)
    assert fetch(port) is None

    engine.remove(spec.name)
    assert engine.inspect(spec.name) is None
    assert engine.observe(None) == ()
    engine.remove(spec.name)


def test_mypy_and_the_protocol_agree_on_what_it_can_do(engine: ProcessEngine) -> None:
    same: Engine = engine
    assert (same.kind, same.host) == ("process", "localhost")
    assert not same.abilities & {Ability.MEMORY_LIMIT, Ability.NETWORK, Ability.IMAGES}
    assert same.describe().startswith("process ")


def test_a_stopped_one_starts_again_under_the_same_id(engine: ProcessEngine, serve: Serve, port: int) -> None:
    first = serve()
    engine.stop(first.container_name, 10.0)
    engine.start(first.container_name)
    until(lambda: fetch(port) == "ok")
    again = now(engine, first.container_name)
    assert (again.id, again.exit_code, again.finished_at, again.state) == (first.id, None, None, State.STARTING)


def test_starting_twice_at_once_runs_one_server(engine: ProcessEngine, make: Make, root: Path) -> None:
    spec = make()
    engine.create(spec)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ProcessEngine("localhost", root).start(spec.name), range(4)))
    pid = now(engine, spec.name).pid
    engine.start(spec.name)
    assert engine.pids(spec.name) == (pid,)
    assert now(engine, spec.name).restarts == 0


def test_one_of_many_creators_of_a_name_wins(engine: ProcessEngine, make: Make, root: Path) -> None:
    spec = make()

    with ThreadPoolExecutor(8) as pool:
        tries = [pool.submit(ProcessEngine("localhost", root).create, spec) for _ in range(8)]
    losers = [each.exception() for each in tries if each.exception()]
    assert len(losers) == 7
    assert all(isinstance(loser, LlmstackError) and loser.data["conflict"] is True for loser in losers)
    assert [path.name for path in root.iterdir()] == [spec.name]


def test_everything_on_disk_is_for_the_owner_alone(engine: ProcessEngine, serve: Serve) -> None:
    name = serve().container_name
    folder = engine.root / name
    assert {stat.S_IMODE(path.stat().st_mode) for path in (engine.root, folder)} == {0o700}
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert set(files) == {"labels.json", "state.json", "lock", "log"}
    assert set(files.values()) == {0o600}


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


def test_the_root_comes_from_the_environment_or_the_users_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMSTACK_PROCESS_ROOT", "somewhere")
    assert ProcessEngine("localhost").root == Path.cwd() / "somewhere"
    monkeypatch.delenv("LLMSTACK_PROCESS_ROOT")
    assert ProcessEngine("localhost").root.parts[-2:] == ("llmstack", "instances")


def test_no_root_is_an_empty_engine(tmp_path: Path) -> None:
    assert ProcessEngine("localhost", tmp_path / "nowhere").observe(None) == ()
    assert not (tmp_path / "nowhere").exists()


def test_observe_picks_one_stack(engine: ProcessEngine, make: Make) -> None:
    engine.create(make())
    engine.create(make(stack="other", service="web"))
    assert [each.container_name for each in engine.observe("lab")] == ["llmstack-lab-demo"]
    assert [each.service for each in engine.observe(None)] == ["demo", "web"]
    assert engine.observe("third") == ()


def test_a_running_one_is_renamed_under_its_server(engine: ProcessEngine, serve: Serve, port: int) -> None:
    name = serve().container_name
    engine.rename(name, name + ".prev")
    assert engine.inspect(name) is None
    assert now(engine, name + ".prev").running
    assert fetch(port) == "ok"
    engine.stop(name + ".prev", 10.0)
    assert now(engine, name + ".prev").state is State.STOPPED


def test_a_rename_takes_no_name_away(engine: ProcessEngine, make: Make) -> None:
    for service in ("one", "two"):
        engine.create(make(service=service))
    with pytest.raises(LlmstackError, match="llmstack-lab-two is taken") as caught:
        engine.rename("llmstack-lab-one", "llmstack-lab-two")
    assert caught.value.data["conflict"] is True
    assert len(engine.observe("lab")) == 2


def test_a_running_one_is_not_removed(engine: ProcessEngine, serve: Serve, port: int) -> None:
    name = serve().container_name
    with pytest.raises(LlmstackError, match="runs"):
        engine.remove(name)
    assert fetch(port) == "ok"


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


def test_fetch_has_nothing_to_do(engine: ProcessEngine, make: Make) -> None:
    engine.fetch(Need(kind="weights", name="x"), make(), lambda _: pytest.fail("there is no progress"))
    assert not engine.root.exists()


def test_words_of_the_command_are_filled_in_at_the_start(engine: ProcessEngine, serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_text("x")
    weights = Weights(source="file:x", path=str(file), fingerprint="f", size_bytes=1)
    name = serve("--say", "{weights} {listen}", weights=weights, env={"WHERE": "{port}"}).container_name
    assert f"{file} 127.0.0.1" in list(engine.logs(name))
    instance = now(engine, name)
    assert fetch(instance.port, "/env/WHERE") == str(instance.port)
    assert instance.spec is not None
    assert instance.spec.command[-1] == "{weights} {listen}"


def test_the_server_sees_only_what_it_needs_of_our_environment(
    serve: Serve, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for servers")
    monkeypatch.setenv("LC_TIME", "C")
    serve()
    assert fetch(port, "/env/AWS_SECRET_ACCESS_KEY") == "ok"
    assert fetch(port, "/env/LC_TIME") == "C"
    assert fetch(port, "/env/PATH") == os.environ["PATH"]


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


def test_drafts_of_a_killed_run_are_invisible_and_forgotten(engine: ProcessEngine, make: Make, root: Path) -> None:
    for name in (".new-old", ".gone-old", ".new-fresh"):
        (root / name).mkdir(parents=True)
    root.chmod(0o700)
    for name in (".new-old", ".gone-old"):
        os.utime(root / name, (0, 0))
    assert engine.observe(None) == ()
    engine.create(make())
    assert {path.name for path in root.iterdir()} == {".new-fresh", "llmstack-lab-demo"}
    assert STALE_S > 60


def test_an_instance_outlives_the_process_that_started_it(engine: ProcessEngine, make: Make, port: int) -> None:
    spec = make()
    starter = multiprocessing.get_context("spawn").Process(target=_create_and_start, args=(engine.root, spec))
    starter.start()
    starter.join()
    assert starter.exitcode == 0
    until(lambda: fetch(port) == "ok")
    assert now(engine, spec.name).running


def _create_and_start(root: Path, spec: InstanceSpec) -> None:
    engine = ProcessEngine("localhost", root)
    engine.create(spec)
    engine.start(spec.name)


def test_a_server_that_listens_everywhere_is_reached_by_name_from_elsewhere(make: Make, tmp_path: Path) -> None:
    engine = ProcessEngine("gpu01.lab", tmp_path / "instances")
    everywhere = engine.endpoint(engine.create(make(bind="0.0.0.0", port=8001)))
    assert everywhere is not None
    assert (everywhere.controller, everywhere.network) == ("http://127.0.0.1:8001", "http://gpu01.lab:8001")
    one = engine.endpoint(engine.create(make(service="one", bind="10.1.2.3", port=8001)))
    assert one is not None
    assert one.controller == one.network == "http://10.1.2.3:8001"
    six = engine.endpoint(engine.create(make(service="six", bind="::1", port=8001)))
    assert six is not None
    assert (six.controller, six.network) == ("http://[::1]:8001", None)
    assert engine.endpoint(engine.create(make(service="mute", port=None))) is None
