"""Limits that are left open, with their reasons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmstack.core.limits import GIB, MIB, Case, limited
from llmstack.domain import codec
from llmstack.domain.footprint import Footprint
from llmstack.domain.instance import InstanceSpec
from llmstack.domain.measured import Peak
from llmstack.domain.resources import Resources
from llmstack.modeltype import Family

ALL = Resources(memory_bytes="auto", cpus="auto", shm_bytes="auto", pids="auto")
SPEC = InstanceSpec(
    stack="lab",
    service="demo",
    host="localhost",
    type="t",
    engine="docker",
    command=("--threads", "{threads}"),
    resources=ALL,
)
MODEL = Footprint(weights_bytes=4 * GIB, kv_bytes=GIB, context=8192, prompts_bytes=GIB)
CASE = Case(family=Family.LOADING, footprint=MODEL, host_bytes=64 * GIB, host_cpus=8)
PEAK = Peak(image="i", model="m", context=1, gpu_kind="cpu", host="h", container_name="c", memory_bytes=8 * GIB)


def test_on_the_cpu_it_is_weights_context_prompts_and_the_server() -> None:
    found = limited(SPEC, CASE)
    assert found.limits == Resources(memory_bytes=7 * GIB, cpus=7.0, shm_bytes=64 * MIB, pids=4096)
    assert found.reasons == (
        "memory 7.0 GiB: weights 4.0 GiB + context 1.0 GiB + prompts 1.0 GiB + server 1.0 GiB; "
        "cpus 7 of 8, with as many threads; shm 64 MiB: one process; pids 4096"
    )
    assert found.settled()[0] == ("--threads", "7")
    assert codec.loads(codec.dumps(found)).limits == found.limits


@pytest.mark.parametrize(
    ("case", "gib", "why"),
    [
        (replace(CASE, gpus=1, gpu_share=1.0), 5.0, "memory 5.0 GiB: beside the GPU 4.0 GiB + prompts 1.0 GiB"),
        (
            replace(CASE, gpus=1, gpu_share=0.5),
            9.0,
            "memory 9.0 GiB: weights 4.0 GiB + beside the GPU + prompts 1.0 GiB",
        ),
        (
            replace(CASE, gpus=1, gpu_share=1.0, footprint=replace(MODEL, mapped=False)),
            9.0,
            "memory 9.0 GiB: weights 4.0 GiB + beside the GPU + prompts 1.0 GiB",
        ),
        (
            replace(CASE, gpus=1, gpu_share=1.0, unified=True),
            7.0,
            "memory 7.0 GiB: weights 4.0 GiB + context 1.0 GiB + prompts 1.0 GiB + server 1.0 GiB",
        ),
        (replace(CASE, family=Family.COMPANION, footprint=None), 1.0, "memory 1.0 GiB: a companion"),
        (
            replace(CASE, footprint=None, peak=PEAK),
            9.75,
            "memory 9.8 GiB: the model's size is unknown, 8.0 GiB measured",
        ),
    ],
)
def test_memory_by_kind(case: Case, gib: float, why: str) -> None:
    found = limited(replace(SPEC, resources=Resources(memory_bytes="auto")), case)
    assert (found.limits.memory_bytes, found.reasons) == (gib * GIB, why)


def test_what_the_host_cannot_spare_is_not_given() -> None:
    found = limited(SPEC, replace(CASE, host_bytes=8 * GIB))
    assert found.limits.memory_bytes == 6 * GIB
    assert "6.0 GiB: all that the host can spare, of 7.0 GiB (" in found.reasons


def test_small_sizes_are_told_in_mib() -> None:
    small = replace(MODEL, weights_bytes=98 * MIB, kv_bytes=12 * MIB)
    assert "weights 98 MiB + context 12 MiB + prompts 1.0 GiB" in limited(SPEC, replace(CASE, footprint=small)).reasons


def test_a_memory_that_the_engine_does_not_enforce_is_told_so() -> None:
    assert "server 1.0 GiB, to which a process is not held; cpus" in limited(SPEC, replace(CASE, held=False)).reasons


def test_what_nobody_knows_is_no_limit() -> None:
    found = limited(SPEC, Case(family=Family.LAZY))
    assert (found.limits.memory_bytes, found.limits.cpus, found.undecided) == (None, None, ())
    assert found.reasons.startswith("memory no limit: the model's size is unknown; cpus no limit")
    assert found.settled()[0] == ("--threads", "-1")


def test_what_is_written_or_decided_stays() -> None:
    spec = replace(SPEC, resources=replace(ALL, cpus=2.0)).with_decided(memory_bytes=str(GIB))
    found = limited(spec, CASE)
    assert (found.limits.memory_bytes, found.limits.cpus) == (GIB, 2.0)


def test_gpus_take_few_cpus_and_talk_through_shared_memory() -> None:
    found = limited(SPEC, replace(CASE, gpus=2, gpu_share=1.0, host_cpus=64)).limits
    assert (found.cpus, found.shm_bytes) == (8.0, GIB)
    small = limited(SPEC, replace(CASE, family=Family.COMPANION)).limits
    assert (small.cpus, small.pids) == (1.0, 512)
