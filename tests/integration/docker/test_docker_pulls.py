"""Images from a real registry that works, breaks off, stands still, refuses or is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from llmstack.core.fetching import fetched
from llmstack.domain.clock import SystemClock
from llmstack.domain.instance import InstanceSpec, Need
from llmstack.domain.progress import Progress
from llmstack.engines.docker import DockerEngine
from llmstack.errors import FetchError, InterruptedRunError
from tests.rig.host import RigHost
from tests.rig.registry import Registry

pytestmark = pytest.mark.docker
MB = 1024 * 1024


@pytest.fixture(scope="module")
def registry(rig_host: RigHost) -> Iterator[Registry]:
    made = Registry(rig_host, 5055)
    yield made
    made.signal("KILL")


@pytest.fixture(scope="module")
def app(registry: Registry) -> str:
    return registry.push("app:1", 60)


@pytest.fixture
def engine(rig: RigHost) -> Iterator[DockerEngine]:
    made = DockerEngine("rig", rig.address)
    yield made
    made.close()


@pytest.fixture
def gone(rig: RigHost, app: str) -> Iterator[str]:
    """An image that the registry has, and the host has not."""
    yield app
    if rig.api.images(app):
        rig.forget(app)


def fetch(
    engine: DockerEngine, image: str, hear: Callable[[Progress], None] = lambda _: None, give_up_s: float = 60
) -> list[Progress]:
    """What is told of a pull that came to its end."""
    told = list[Progress]()

    def report(step: Progress) -> None:
        told.append(step)
        hear(step)

    spec = InstanceSpec(stack="lab", service="web", host="rig", type="container", engine="docker", image=image)
    fetched(image, partial(engine.fetch, Need(kind="image", name=image), spec), report, SystemClock(), give_up_s)
    assert engine.missing(spec) == ()
    marks = [step.completed_bytes for step in told]
    assert marks == sorted(marks)
    return told


def failure(engine: DockerEngine, image: str) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetch(engine, image)
    assert caught.value.hint
    return caught.value


class Once:
    """Calls `act` at the first step for which `when` holds."""

    def __init__(self, when: Callable[[Progress], bool], act: Callable[[], None]) -> None:
        self.when, self.act, self.acted = when, act, False

    def __call__(self, step: Progress) -> None:
        if not self.acted and self.when(step):
            self.acted = True
            self.act()


def flows(step: Progress) -> bool:
    return step.completed_bytes > 0


def test_a_pull_tells_how_far_it_is(engine: DockerEngine, gone: str) -> None:
    told = fetch(engine, gone)
    assert told[-1].done
    assert told[-1].completed_bytes > 60 * MB
    assert {"pulling", "extracting", "pulled"} <= {step.phase for step in told}


def test_a_registry_that_dies_in_the_middle_and_comes_back_is_no_failure(
    engine: DockerEngine, rig: RigHost, registry: Registry, gone: str
) -> None:
    def again() -> None:
        registry.signal("KILL")
        registry.start()

    with rig.slowed(200):
        told = fetch(engine, gone, Once(flows, again))
    assert told[-1].done
    assert next(step for step in told if step.phase == "extracting").completed_bytes > 60 * MB, "a cut is no end"
    assert '" 206 ' in rig.run("cat", "/srv/5055.log"), "it goes on where it was"


def test_a_registry_that_stands_still_is_left_and_asked_anew(
    engine: DockerEngine, registry: Registry, gone: str
) -> None:
    registry.signal("STOP")
    goes_on = Once(lambda step: step.phase.startswith("again in"), partial(registry.signal, "CONT"))
    told = fetch(engine, gone, goes_on, give_up_s=2)
    assert told[-1].done
    assert "again in 1 s: stalled" in {step.phase for step in told}


def test_a_pull_that_is_stopped_leaves_nothing_broken(engine: DockerEngine, rig: RigHost, gone: str) -> None:
    def stop() -> None:
        raise InterruptedRunError("stop")

    with pytest.raises(InterruptedRunError):
        fetch(engine, gone, Once(lambda step: True, stop))
    assert rig.api.images(gone) == []
    assert fetch(engine, gone)[-1].done


def test_an_unknown_tag_or_name(engine: DockerEngine, registry: Registry, app: str) -> None:
    for name in ("app:2", "other:1"):
        error = failure(engine, registry.image(name))
        assert (error.exit_code, error.data["kind"]) == (10, "not_found")
        assert f"{name} on rig: no such image or tag" in error.message


def test_a_registry_that_is_not_there(engine: DockerEngine) -> None:
    error = failure(engine, "127.0.0.1:5999/app:1")
    assert (error.data["kind"], "its registry cannot be reached" in error.message) == ("offline", True)


def test_a_registry_that_lets_nobody_in(engine: DockerEngine, rig: RigHost) -> None:
    closed = Registry(rig, 5056, login=True)
    try:
        error = failure(engine, closed.image("app:1"))
    finally:
        closed.signal("KILL")
    assert (error.data["kind"], "its registry refuses" in error.message) == ("denied", True)
    assert "docker login" in (error.hint or "")


def test_a_disk_that_is_too_small(throwaway_host: Callable[..., RigHost]) -> None:
    host = throwaway_host(small_disk_mb=130)
    registry = Registry(host, 5055)
    image = registry.push("big:1", 40)
    free_mb = int(host.run("df", "-m", "--output=avail", "/var/lib/docker").split()[-1])
    host.run("dd", "if=/dev/zero", "of=/var/lib/docker/ballast", "bs=1M", f"count={free_mb - 30}")
    engine = DockerEngine("small", host.address)
    error = failure(engine, image)
    assert (error.exit_code, "the disk of the engine is full" in error.message) == (10, True)
    host.run("rm", "/var/lib/docker/ballast")
    assert fetch(engine, image)[-1].done
    engine.close()
