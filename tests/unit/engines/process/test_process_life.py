"""From created to removed."""

from __future__ import annotations

import multiprocessing
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llmstack.domain.instance import Instance, InstanceSpec, Need, State, Weights
from llmstack.engines.process.engine import ProcessEngine
from llmstack.errors import LlmstackError, UnreachableError
from llmstack.protocols import Ability, Engine
from tests.unit.engines.process.support import alive, clear, fetch, now, shim_pid, until

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


def test_the_root_comes_from_the_environment_or_the_users_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMSTACK_PROCESS_ROOT", "somewhere")
    assert ProcessEngine("localhost").root == Path.cwd() / "somewhere"
    monkeypatch.delenv("LLMSTACK_PROCESS_ROOT")
    assert ProcessEngine("localhost").root.parts[-2:] == ("llmstack", "instances")


def test_no_root_is_an_empty_engine(tmp_path: Path) -> None:
    assert ProcessEngine("localhost", tmp_path / "nowhere").observe(None) == ()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_root_that_can_be_no_folder_is_no_empty_engine(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UnreachableError, match=r"cannot use .*: Not a directory") as raised:
        ProcessEngine("localhost", tmp_path / place).observe(None)
    assert raised.value.hint == "set LLMSTACK_PROCESS_ROOT to a directory of yours"


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


def test_names_arguments_and_values_may_be_in_any_language(make: Make, tmp_path: Path, port: int) -> None:
    engine = ProcessEngine("localhost", tmp_path / "Verzeichnis größer als 文字")
    spec = make("--say", "größer", env={"NAME": "文字"})
    engine.create(spec)
    engine.start(spec.name)
    until(lambda: fetch(port, "/env/NAME") == "文字")
    assert next(engine.logs(spec.name)) == "größer"
    clear(engine)  # the fixture knows its own engine alone


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
