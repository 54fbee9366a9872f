"""What only Docker does: networks, volumes, labels for Compose, limits, strangers, a lock that others see."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import replace

import pytest

from llmstack.domain.instance import PAUSED, InstanceSpec, State
from llmstack.domain.leftover import LeftoverKind
from llmstack.domain.resources import Resources
from llmstack.engines.docker import DockerEngine
from llmstack.engines.docker.wire import Wire
from llmstack.engines.labels import SCHEMA, labels_of
from llmstack.errors import FetchError, LlmstackError, LockedError, PluginError, PreflightError
from tests.desk import free_port, until
from tests.rig.host import RigHost

pytestmark = pytest.mark.docker
Web = Callable[..., InstanceSpec]


def run(engine: DockerEngine, spec: InstanceSpec) -> None:
    engine.create(spec)
    engine.start(spec.name)


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as response:
        return str(response.read().decode()).strip()


def test_a_companion_reaches_another_by_its_service_name(engine: DockerEngine, web: Web) -> None:
    run(engine, web())
    endpoint = engine.endpoint(engine.inspect(web().name) or pytest.fail("it is gone"))
    assert endpoint
    assert endpoint.inside == "http://web:80"
    until(lambda: get(f"http://127.0.0.1:{web().port}") == "hello")
    command = ("sh", "-c", f"until wget -q -O - {endpoint.inside}; do sleep 0.1; done")
    run(engine, replace(web("friend", port=None, container_port=None, restart="no"), command=command))
    until(lambda: list(engine.logs("llmstack-lab-friend")) == ["hello"])


def test_a_replaced_instance_takes_over_the_name_in_the_network(engine: DockerEngine, web: Web) -> None:
    run(engine, web(words="old"))
    engine.rename(web().name, f"{web().name}.prev")
    engine.create(web(words="new"))
    engine.stop(f"{web().name}.prev", 5)
    engine.start(web().name)
    until(lambda: get(f"http://127.0.0.1:{web().port}") == "new")
    command = ("sh", "-c", "until wget -q -O - http://web:80; do sleep 0.1; done")
    run(engine, replace(web("friend", port=None, container_port=None, restart="no"), command=command))
    until(lambda: list(engine.logs("llmstack-lab-friend")) == ["new"])


@pytest.mark.parametrize("removed", [False, True])
def test_what_was_stopped_leaves_its_name_in_the_network_at_once(
    engine: DockerEngine, web: Web, *, removed: bool
) -> None:
    friend, command = web("friend", port=None, container_port=None), ("wget", "-q", "-O", "-", "http://web:80")
    run(engine, replace(friend, command=("sleep", "600")))
    run(engine, web())
    until(lambda: get(f"http://127.0.0.1:{web().port}") == "hello")
    engine.execute(friend.name, command)
    if removed:
        engine.stop_and_remove(engine.inspect(web().name) or pytest.fail("it is gone"), 5)
    else:
        engine.stop(web().name, 5)
    with pytest.raises(LlmstackError, match="bad address"):
        engine.execute(friend.name, command)


def test_from_outside_only_what_is_bound_to_the_network_is_open(
    rig: RigHost, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = DockerEngine("localhost", rig.address)
    other = web("lan", words="lan", port=free_port(), bind="0.0.0.0")
    run(engine, other)
    run(engine, web())
    until(lambda: get(f"http://{rig.ip}:{other.port}") == "lan")
    with pytest.raises(OSError, match="refused"):
        get(f"http://{rig.ip}:{web().port}")
    with rig.inside():
        assert until(lambda: get(f"http://127.0.0.1:{web().port}")) == "hello"
    lan = engine.endpoint(engine.inspect("llmstack-lab-lan") or pytest.fail("it is gone"))
    assert lan
    assert (lan.controller, lan.network is not None) == (f"http://127.0.0.1:{other.port}", True)
    engine.close()


def test_down_leaves_no_container_and_no_network_and_keeps_volumes(
    engine: DockerEngine, web: Web, rig: RigHost
) -> None:
    both = (web(), web("second", port=free_port()))
    for spec in both:
        run(engine, spec)
    for spec in both:
        engine.stop(spec.name, 5)
        assert [network["Name"] for network in rig.api.networks(names=["llmstack-lab"])] == ["llmstack-lab"]
        engine.remove(spec.name)
    assert rig.api.networks(names=["llmstack-lab"]) == []
    assert rig.api.containers(all=True) == []


def test_a_created_container_has_what_the_spec_asks_for(engine: DockerEngine, web: Web, rig: RigHost) -> None:
    limits = Resources(memory_bytes=64 * 2**20, cpus=0.5, shm_bytes=2**26, pids=50)
    engine.create(web(resources=limits, restart="on-failure:3"))
    host = rig.api.inspect_container(web().name)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (64 * 2**20, 64 * 2**20, 500_000_000)
    assert (host["ShmSize"], host["PidsLimit"], host["Init"]) == (2**26, 50, True)
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}


def test_out_of_memory_is_told(engine: DockerEngine, web: Web) -> None:
    hungry = ("sh", "-c", "x=a; while true; do x=$x$x; done")
    spec = replace(web(restart="no", resources=Resources(memory_bytes=16 * 2**20)), command=hungry)
    run(engine, spec)
    instance = until(lambda: (now := engine.inspect(spec.name)) and not now.running and now)
    assert (instance.state, instance.exit_code, instance.out_of_memory) == (State.CRASHED, 137, True)


def test_a_gpu_that_the_engine_cannot_give_is_refused_and_what_was_created_stays(
    engine: DockerEngine, web: Web
) -> None:
    engine.create(web(resources=Resources(gpus=("all",))))
    with pytest.raises(PreflightError, match="cannot give it a GPU") as raised:
        engine.start(web().name)
    assert "nvidia-ctk" in (raised.value.hint or "")
    left = engine.inspect(web().name)
    assert left is not None
    assert (left.state, left.running) == (State.STOPPED, False)
    engine.stop(web().name, 1)
    engine.remove(web().name)
    assert engine.inspect(web().name) is None


def test_a_port_taken_between_check_and_start_names_its_holder(engine: DockerEngine, web: Web) -> None:
    run(engine, web())
    second = web("second")
    engine.create(second)
    with pytest.raises(PreflightError, match=rf"port {web().port} .* taken by llmstack-lab-web"):
        engine.start(second.name)
    engine.stop(web().name, 5)
    engine.start(second.name)
    assert until(lambda: get(f"http://127.0.0.1:{web().port}")) == "hello"


def test_a_missing_image_is_a_fetch_error_and_leaves_nothing(engine: DockerEngine, web: Web) -> None:
    with pytest.raises(FetchError, match="image is not there"):
        engine.create(web(image="nowhere.invalid/none:1"))
    assert engine.observe(None) == ()


def test_a_program_that_the_image_lacks_is_a_crash_that_its_log_explains(engine: DockerEngine, web: Web) -> None:
    """The container's init starts well, and then finds nothing to run."""
    run(engine, replace(web(restart="no"), command=("no-such-program",)))
    instance = until(lambda: (now := engine.inspect(web().name)) and not now.running and now)
    assert (instance.state, instance.exit_code) == (State.CRASHED, 127)
    assert "no-such-program" in "".join(engine.logs(web().name))


def test_a_spec_of_a_newer_llmstack_is_seen_but_not_read(engine: DockerEngine, web: Web, rig: RigHost) -> None:
    labels = {**labels_of(web()), SCHEMA: "99"}
    rig.api.create_container(rig.busybox(), command=["true"], name=web().name, labels=labels)
    (instance,) = engine.observe("lab")
    assert (instance.schema, instance.spec, instance.service) == (99, None, "web")
    (found,) = [each for each in engine.leftovers("lab") if each.kind is LeftoverKind.CONTAINER]
    with pytest.raises(PluginError, match="newer llmstack"):
        engine.discard(found)
    assert engine.observe("lab") == (instance,)


def test_an_adopted_container_is_seen_by_its_name(engine: DockerEngine, rig: RigHost) -> None:
    rig.api.create_container(rig.busybox(), command=["true"], name="theirs", tty=True)
    rig.api.start("theirs")
    instance = until(lambda: (now := engine.inspect("theirs")) and not now.running and now)
    assert (instance.service, instance.stack, instance.spec) == ("theirs", None, None)
    assert engine.observe(None) == ()
    assert engine.endpoint(instance) is None


def test_the_log_of_a_container_with_a_terminal_has_no_frames(engine: DockerEngine, rig: RigHost) -> None:
    rig.api.create_container(rig.busybox(), command=["sh", "-c", "echo one; echo two >&2"], name="theirs", tty=True)
    rig.api.start("theirs")
    until(lambda: list(engine.logs("theirs")) == ["one", "two"])


def test_a_stranger_is_told_by_its_name(engine: DockerEngine, web: Web, rig: RigHost) -> None:
    run(engine, web("ollama"))
    rig.api.create_container(rig.busybox(), command=["sleep", "100"], name="my-ollama")
    rig.api.start("my-ollama")
    assert [(each.container_name, each.service) for each in engine.strangers()] == [("my-ollama", "ollama")]


def test_a_lock_is_a_container_that_other_controllers_see(engine: DockerEngine, rig: RigHost) -> None:
    other = DockerEngine("elsewhere", rig.address)
    with engine.lock("lab", "anna@here", 60):
        (row,) = rig.api.containers(all=True)
        assert (row["Names"], row["State"]) == (["/llmstack-lab-lock"], "created")
        assert engine.observe(None) == ()
        with pytest.raises(LockedError, match="anna@here") as raised, other.lock("lab", "bert", 60):
            pass
        assert "docker rm llmstack-lab-lock" in (raised.value.hint or "")
    assert rig.api.containers(all=True) == []
    other.close()


def test_of_many_who_lock_at_once_one_holds_it(rig: RigHost, engine: DockerEngine) -> None:
    expired = engine.lock("lab", "gone", 0)
    expired.__enter__()
    won, lost, gate = [], [], threading.Barrier(6)
    release = threading.Event()

    def contend(number: int) -> None:
        gate.wait()
        try:
            with engine.lock("lab", f"controller {number}", 60):
                won.append(number)
                release.wait(30)
        except LockedError:
            lost.append(number)
        except LlmstackError as error:
            lost.append(error.message)

    threads = [threading.Thread(target=contend, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    until(lambda: len(won) + len(lost) == 6)
    release.set()
    for thread in threads:
        thread.join()
    expired.__exit__(None, None, None)
    assert len(won) == 1
    assert [each for each in lost if not isinstance(each, int)] == []


def test_a_foreign_container_in_the_locks_place_is_not_removed(engine: DockerEngine, rig: RigHost) -> None:
    rig.api.create_container(rig.busybox(), command=["true"], name="llmstack-lab-lock")
    with pytest.raises(LockedError, match="somebody unknown"), engine.lock("lab", "anna", 60):
        pass
    assert len(rig.api.containers(all=True)) == 1


def test_the_labels_for_compose_are_on_container_and_network(engine: DockerEngine, web: Web, rig: RigHost) -> None:
    engine.create(web())
    (network,) = rig.api.networks(names=["llmstack-lab"])
    assert network["Labels"]["com.docker.compose.project"] == "llmstack-lab"
    engine.remove(web().name)
    engine.create(web(compose_labels=False))
    (network,) = rig.api.networks(names=["llmstack-lab"])
    everything = json.dumps([network["Labels"], rig.api.inspect_container(web().name)["Config"]["Labels"]])
    assert "com.docker.compose" not in everything


def test_a_paused_container_says_so(engine: DockerEngine, web: Web, rig: RigHost) -> None:
    run(engine, web())
    rig.api.pause(web().name)
    (instance,) = engine.observe("lab")
    assert (instance.running, instance.state, instance.error) == (False, State.STOPPED, PAUSED)
    engine.start(web().name)
    assert [each.running for each in engine.observe("lab")] == [True]
    rig.api.pause(web().name)
    engine.stop(web().name, 5)


def test_a_lease_that_is_renewed_outlives_its_first_end_and_a_lost_one_is_told(
    engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = engine._wire.now()

    def passed(seconds: float) -> None:
        monkeypatch.setattr(Wire, "now", lambda _: began + seconds)

    passed(0)
    with engine.lock("lab", "anna@here", 60) as renew:
        passed(50)
        renew()
        passed(100)
        with pytest.raises(LockedError, match="anna@here"), engine.lock("lab", "bert@there", 60):
            pass
        passed(111)
        with engine.lock("lab", "bert@there", 60), pytest.raises(LockedError, match="was taken over"):
            renew()
