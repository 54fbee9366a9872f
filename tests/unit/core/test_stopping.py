"""Stopped means that nothing of it stays, also not on a GPU."""

from __future__ import annotations

import pytest

from llmstack.core.stopping import GPU_FREE_S, end_for_good, stop_for_good
from llmstack.domain.gpu import Gpu, Owner
from llmstack.errors import LlmstackError
from tests.unit.core.world import World

PID = 4242
"""What the fake engine gives to all that runs."""


def gpu(*pids: int) -> Gpu:
    return Gpu(index=0, uuid="GPU-1", name="T4", process_bytes=dict.fromkeys(pids, 1 << 30))


class Emptying:
    """A GPU whose processes go when it was looked at a few times."""

    def __init__(self, looks: int | None) -> None:
        self.looks, self.seen = looks, 0

    def gpus(self) -> tuple[Gpu, ...]:
        self.seen += 1
        return (gpu(7) if self.looks is not None and self.seen > self.looks else gpu(PID, 7),)

    def owner(self, pid: int) -> Owner:
        return Owner(program="python")


def test_the_end_of_its_processes_on_a_gpu_is_waited_for(world: World) -> None:
    there = world.run(world.want(gpus=("all",)))
    context = world.context()
    context.gpus = gpus = Emptying(5)
    stop_for_good(context, world.engine(), there)
    assert gpus.seen == 6
    assert not world.engine().instances[there.container_name].running


def test_what_stays_on_a_gpu_is_named(world: World) -> None:
    there = world.run(world.want(gpus=("all",)))
    context = world.context()
    context.gpus = Emptying(None)
    with pytest.raises(LlmstackError, match=f"but python {PID} of it still holds memory of a GPU"):
        stop_for_good(context, world.engine(), there)
    assert world.clock.monotonic() >= GPU_FREE_S


def test_what_got_a_gpu_without_asking_is_watched_too(world: World) -> None:
    there = world.run(world.want())
    context = world.context()
    context.gpus = gpus = Emptying(5)
    end_for_good(context, world.engine(), there)
    assert gpus.seen == 6
    assert not world.engine().instances


def test_a_process_of_another_machine_is_none_of_this_ones(world: World) -> None:
    there = world.run(world.want(host="gpu09", gpus=("all",)))
    world.gpus.found = (gpu(PID),)
    stop_for_good(world.context(), world.engine("gpu09"), there)
    assert world.clock.monotonic() == 0


def test_where_nobody_holds_a_gpu_no_processes_are_asked_for(world: World) -> None:
    there = world.run(world.want(gpus=("all",)))
    world.gpus.found = (gpu(),)
    end_for_good(world.context(), world.engine(), there)
    assert "pids" not in {call[0] for call in world.engine().calls}


def test_a_gpu_that_it_never_held_is_not_waited_for(world: World) -> None:
    there = world.run(world.want(gpus=("all",)))
    world.gpus.found = (gpu(7),)
    stop_for_good(world.context(), world.engine(), there)
    assert world.clock.monotonic() == 0
