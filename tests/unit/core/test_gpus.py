"""Who holds the memory of a GPU."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmstack.core.gpus import held_gpus, holders, with_gpu
from llmstack.core.select import Picked
from llmstack.core.stats import stats_report
from llmstack.domain.gpu import Gpu, HolderKind, Owner
from llmstack.domain.instance import Instance, State
from llmstack.domain.usage import Usage
from llmstack.errors import UnreachableError
from tests.unit.core.world import World

GIB = 1 << 30
THEIRS = Instance(
    id="t", container_name="blender", service="blender", host="localhost", engine="docker", state=State.READY
)
CARD = Gpu(0, "GPU-1", "T4", 15 * GIB, 9 * GIB, {1: GIB, 2: 5 * GIB, 3: 3 * GIB, 4242: None}, {2: 61})


@pytest.fixture
def world() -> World:
    """An instance of ours in a container (pid 1) and as a process (4242), somebody else's container (2), a program (3);
    the engine knows containers by their ids too."""
    made = World()
    ours = made.run(made.want("demo"))
    made.run(made.want("tiny", engine="process", port=8081))
    made.engine().instances |= {"id-ours": ours, "id-theirs": THEIRS}
    made.gpus.found = (CARD,)
    made.gpus.owners = {1: Owner("id-ours"), 2: Owner("id-theirs", "python"), 3: Owner(None, "Xorg")}
    return made


def test_each_process_is_an_instances_another_containers_or_the_machines(world: World) -> None:
    (held,) = held_gpus(world.context())
    assert [(holder.pid, holder.kind, holder.name) for holder in held.holders or ()] == [
        (2, HolderKind.CONTAINER, "blender"),
        (3, HolderKind.PROCESS, "Xorg"),
        (1, HolderKind.INSTANCE, "demo@localhost"),
        (4242, HolderKind.INSTANCE, "tiny@localhost"),
    ]
    assert [holder.memory_bytes for holder in held.holders or ()] == [5 * GIB, 3 * GIB, GIB, None]
    assert [holder.percent for holder in held.holders or ()] == [61, None, None, None]


def test_a_container_that_no_engine_tells_of_is_known_by_its_id(world: World) -> None:
    world.gpus.owners[2] = Owner("0123456789abcdef", "python")
    world.engine().refuse("inspect", UnreachableError("away"), times=None)
    world.engine(kind="process").refuse("observe", UnreachableError("away"), times=None)
    found = holders([CARD], world.context())
    assert (found[2].name, found[2].kind, found[4242].kind) == ("0123456789ab", "container", "process")


def test_a_program_that_nobody_knows_is_unknown(world: World) -> None:
    world.gpus.owners.clear()
    assert holders([CARD], world.context())[3].name == "unknown"


def test_a_card_that_does_not_tell_has_unknown_holders_and_an_idle_one_none(world: World) -> None:
    world.gpus.found = (replace(CARD, process_bytes=None), replace(CARD, process_bytes={}))
    assert [held.holders for held in held_gpus(world.context())] == [None, ()]


def test_a_driver_that_does_not_answer_is_an_error_with_its_reason(world: World) -> None:
    world.gpus.found, world.gpus.reason = None, "the NVIDIA driver was updated"
    with pytest.raises(UnreachableError, match="was updated"):
        held_gpus(world.context())


def test_what_an_instance_uses_of_all_cards_is_summed(world: World) -> None:
    cards = (
        replace(CARD, process_bytes={1: GIB, 2: GIB}, process_percent={1: 30}),
        Gpu(1, "b", "T4", process_bytes={1: 2 * GIB}),
    )
    whose = holders(cards, world.context())
    assert with_gpu(Usage(), "llmstack-lab-demo", cards, whose, None) == Usage(gpu_memory_bytes=3 * GIB)
    assert with_gpu(Usage(), "llmstack-lab-demo", cards[:1], whose, None) == Usage(
        gpu_memory_bytes=GIB, gpu_percent=30.0
    )
    assert with_gpu(Usage(), "other", cards[:1], whose, None) == Usage(gpu_memory_bytes=0, gpu_percent=0.0)


@pytest.mark.parametrize("sizes", [None, {1: None}])
def test_one_card_that_does_not_tell_makes_the_sum_unknown(world: World, sizes: dict[int, int | None] | None) -> None:
    cards = (CARD, Gpu(1, None, None, process_bytes=sizes))
    whose = holders(cards, world.context())
    assert with_gpu(Usage(), "llmstack-lab-demo", cards, whose, None).gpu_memory_bytes is None


@pytest.mark.parametrize(
    ("container_name", "engine", "gpus", "found"),
    [
        ("llmstack-lab-demo", "docker", ("a",), GIB),
        ("llmstack-lab-demo", "docker", ("all",), None),
        ("llmstack-lab-demo", "docker", ("a", "lost"), None),
        ("llmstack-lab-demo", "docker", (), None),  # it got one without asking
        ("other", "docker", (), 0),
        ("other", "process", (), None),
    ],
)
def test_a_lost_card_hides_only_what_may_be_on_it(
    world: World, container_name: str, engine: str, gpus: tuple[str, ...], found: int | None
) -> None:
    cards = (Gpu(0, "a", "T4", process_bytes={1: GIB}), Gpu(1, None, None, process_bytes=None, trouble="lost"))
    spec = world.want("demo", engine=engine, gpus=gpus).needed_spec
    assert with_gpu(Usage(), container_name, cards, holders(cards, world.context()), spec).gpu_memory_bytes == found


def test_stats_tell_what_instances_of_this_machine_hold(world: World) -> None:
    far = world.want("far", host="gpu09")
    world.run(far)
    rows = stats_report([Picked(item) for item in world.all.values()], world.context()).rows
    assert [(row.service, row.usage.gpu_memory_bytes) for row in rows] == [("demo", GIB), ("tiny", None), ("far", None)]
