"""Why a container is as it is, on a real engine: each reason as the engine's own facts tell it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from llmstack.core.fate import reason
from llmstack.domain.instance import Instance, InstanceSpec, State
from llmstack.domain.report import Fate
from llmstack.domain.resources import Resources
from llmstack.domain.stored import StoredModel
from llmstack.engines.docker import DockerEngine
from tests.desk import until
from tests.rig.host import RigHost

pytestmark = pytest.mark.docker
SPEC = InstanceSpec(stack="fates", service="web", host="localhost", type="container", engine="docker", restart="no")
EATS = "tail /dev/zero"


@pytest.fixture
def engine(rig: RigHost) -> Iterator[DockerEngine]:
    made = DockerEngine("localhost", rig.address)
    yield made
    made.close()


def started(engine: DockerEngine, rig: RigHost, *command: str, **changes: object) -> Instance:
    memory = Resources(memory_bytes=16 << 20)
    spec = replace(SPEC, image=rig.busybox(), command=command, resources=memory, **changes)  # type: ignore[arg-type]
    engine.create(spec)
    engine.start(spec.name)
    return now(engine)


def now(engine: DockerEngine) -> Instance:
    found = engine.inspect(SPEC.name)
    assert found is not None
    return found


def ended(engine: DockerEngine) -> Instance:
    return until(lambda: (there := now(engine)).state in (State.CRASHED, State.STOPPED) and there)


def fate(there: Instance, known: StoredModel | None = None) -> Fate:
    why = reason(there, known, (there.finished_at or there.started_at or 0) + 1)
    assert why is not None
    return why.fate


def known(there: Instance) -> StoredModel:
    return StoredModel(
        name="web",
        host="localhost",
        container_name=SPEC.name,
        state=State.READY,
        container_id=there.id,
        started_at=there.started_at,
        restarts=there.restarts,
        last_updated=there.started_at,
    )


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("exit 7", Fate.DIED),
        (f"exec {EATS}", Fate.OUT_OF_MEMORY),
        (f"{EATS}; exit 1", Fate.STARVED),
        (f"{EATS}; exit 0", Fate.STOPPED),
    ],
    ids=["exit", "memory", "memory of a child", "memory of a child and a good end"],
)
def test_each_end_has_its_reason(engine: DockerEngine, rig: RigHost, script: str, expected: Fate) -> None:
    started(engine, rig, "sh", "-c", script)
    there = ended(engine)
    assert (fate(there), there.out_of_memory) == (expected, EATS in script)


def test_a_stop_is_no_crash_and_a_loop_is_one(engine: DockerEngine, rig: RigHost) -> None:
    started(engine, rig, "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done")
    engine.stop(SPEC.name, 5)
    assert fate(now(engine)) is Fate.STOPPED
    engine.remove(SPEC.name)
    first = known(started(engine, rig, "sh", "-c", "exit 3", restart="on-failure:3"))
    there = until(lambda: (there := now(engine)).restarts == 3 and not there.running and there)
    assert fate(there, first) is Fate.CRASH_LOOP


def test_what_somebody_else_did_is_told_from_what_the_engine_did(engine: DockerEngine, rig: RigHost) -> None:
    first = known(started(engine, rig, "sh", "-c", "sleep 600", restart="always"))
    rig.api.restart(SPEC.name, timeout=0)
    assert fate(now(engine), first) is Fate.STARTED
    again = known(now(engine))
    rig.run("kill", "-9", str(now(engine).pid))
    there = until(lambda: (there := now(engine)).running and there.restarts == 1 and there)
    assert fate(there, again) is Fate.RESTARTED
    rig.api.remove_container(SPEC.name, force=True)
    started(engine, rig, "sh", "-c", "sleep 600")
    assert fate(now(engine), again) is Fate.REPLACED
