"""Which GPU an instance gets, on real cards as NVML tells of them."""

from __future__ import annotations

from dataclasses import replace

from llmstack.core.placement import GIB, MIG_HINT, RESERVE_BYTES, beside, free_on, place
from llmstack.domain.gpu import HeldGpu, Holder, HolderKind
from llmstack.gpu.nvml import NvmlReader
from tests.servers.fake_nvml import A100, GB10, RTX_3090, RTX_4090, T4, FakeGpu, fake_nvml

ME = "llmstack-lab-demo"
OURS = [f"llmstack-lab-{name}" for name in ("small", "mid", "large")]


def cards(*gpus: FakeGpu, names: dict[int, str] | None = None) -> list[HeldGpu]:
    """Each with its holders: pids in `names` are instances, the others processes."""
    with fake_nvml(gpus):
        found = NvmlReader().gpus() or ()
    names = names or {}

    def holder(pid: int, size: int | None) -> Holder:
        kind = HolderKind.INSTANCE if pid in names else HolderKind.PROCESS
        container = f"llmstack-lab-{names[pid].partition('@')[0]}" if pid in names else None
        return Holder(pid=pid, kind=kind, name=names.get(pid, "Xorg"), memory_bytes=size, container_name=container)

    return [HeldGpu(gpu, tuple(holder(*item) for item in (gpu.process_bytes or {}).items())) for gpu in found]


def free(found: list[HeldGpu], promised: dict[str, int] | None = None, host: int | None = None) -> dict[str, int]:
    return free_on(found, ME, promised or {}, host)


def test_the_smallest_that_has_room_is_taken_and_a_reserve_stays() -> None:
    found = cards(A100, RTX_4090, T4)
    placed = place(10 * GIB, found, free(found))
    assert placed.ids == (T4.uuid,)
    assert placed.why == "GPU 2 Tesla T4, 10.0 GiB of 14.0 GiB free"
    assert free(found)[T4.uuid] == (T4.total_bytes or 0) - RESERVE_BYTES


def test_everyones_use_counts_but_what_it_holds_itself() -> None:
    found = cards(T4.holding({1: 6 * GIB, 2: 5 * GIB}), names={1: "demo@localhost"})
    assert free(found) == {T4.uuid: 9 * GIB}
    assert free(found, {T4.uuid: 4 * GIB}) == {T4.uuid: 5 * GIB}


def test_several_are_taken_only_where_one_has_no_room() -> None:
    found = cards(RTX_3090, T4, RTX_4090)
    placed = place(40 * GIB, found, free(found))
    assert placed.ids == (RTX_3090.uuid, RTX_4090.uuid)
    assert placed.lacks is None


def test_without_a_size_it_is_the_one_with_the_most_free() -> None:
    found = cards(T4, RTX_3090.holding({7: 20 * GIB}))
    assert place(None, found, free(found)).ids == (T4.uuid,)


def test_what_holds_the_memory_is_told_and_which_down_frees_enough() -> None:
    gpu = RTX_3090.holding({1: 3 * GIB, 2: 12 * GIB, 3: 6 * GIB})
    found = cards(gpu, names={1: "small@localhost", 2: "large@gpu01", 3: "mid@localhost"})
    placed = place(8 * GIB, found, free(found), OURS)
    assert (placed.ids, round(placed.share, 2)) == ((gpu.uuid,), 0.25)
    assert placed.lacks == (
        "no GPU has room for 8.0 GiB: GPU 0 NVIDIA GeForce RTX 3090 has 2.0 GiB to give, "
        "held by small@localhost 3.0 GiB, large@gpu01 12.0 GiB, mid@localhost 6.0 GiB"
    )
    assert placed.hint == "llmstack down --service mid   frees 6.0 GiB"
    both = place(19 * GIB, found, free(found), OURS).hint
    assert both == "llmstack down --service large --host gpu01   llmstack down --service mid   frees 18.0 GiB"


def test_nothing_of_ours_frees_enough() -> None:
    found = cards(T4.holding({1: GIB, 2: 13 * GIB}), names={1: "small@localhost"})
    placed = place(14 * GIB, found, free(found), OURS)
    assert (placed.ids, placed.hint) == ((), None)


def test_what_it_holds_itself_and_what_another_inventory_runs_is_not_to_be_taken_down() -> None:
    found = cards(T4.holding({1: 6 * GIB, 2: 8 * GIB}), names={1: "demo@localhost", 2: "alien@localhost"})
    placed = place(9 * GIB, beside(found, ME), free(found), OURS)
    assert (
        placed.lacks
        == "no GPU has room for 9.0 GiB: GPU 0 Tesla T4 has 6.0 GiB to give, held by alien@localhost 8.0 GiB"
    )
    assert placed.hint is None


def test_unified_memory_is_the_machines_and_what_does_not_tell_is_left_out() -> None:
    found = cards(GB10, T4.failing(nvmlDeviceGetMemoryInfo=999), A100.failing(nvmlDeviceGetHandleByIndex=15))
    assert free(found, host=100 * GIB) == {GB10.uuid: 99 * GIB}
    full = place(200 * GIB, found, free(found, host=100 * GIB)).lacks
    assert full == (
        "no GPU has room for 200.0 GiB: GPU 0 NVIDIA GB10 has 99.0 GiB to give; GPU 1 Tesla T4 does not tell how much "
        "memory it has left; GPU 2 the GPU is lost (it fell off the bus); reboot the machine and look at its cooling "
        "and power"
    )


def test_a_card_that_is_cut_up_is_named_with_what_to_write_instead() -> None:
    found = cards(replace(A100, mig=True))
    placed = place(GIB, found, free(found))
    assert placed.lacks == "no GPU can be picked: GPU 0 NVIDIA A100-SXM4-80GB is cut up by MIG"
    assert placed.hint == MIG_HINT
