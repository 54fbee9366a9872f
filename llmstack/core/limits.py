"""PURE: the limits that an inventory leaves open, from the model's size and the host's room, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmstack.domain.footprint import Footprint
from llmstack.domain.instance import WHY, InstanceSpec
from llmstack.domain.measured import Peak
from llmstack.domain.resources import GIB, gib
from llmstack.modeltype import Family

MIB = 1 << 20
STEP_BYTES = 256 * MIB
BESIDE_BYTES = GIB
"""What a server takes beside its model."""
SMALL_BYTES, SMALL_PIDS, PIDS = GIB, 512, 4096
ON_GPU_BYTES, ON_GPU_CPUS = 4 * GIB, 8
SHM_BYTES, SHARED_SHM_BYTES = 64 * MIB, GIB
GROWTH = 1.2
"""Room above what was measured."""

Told = tuple[int | float | None, str]
"""A limit, None for no limit, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What limits depend on; None is unknown. `gpu_share` is how much of the model lies on GPUs, `gpus` on how many;
    `unified` tells whether these share the machine's memory, `held` whether the engine can hold it to its memory."""

    family: Family
    footprint: Footprint | None = None
    peak: Peak | None = None
    host_bytes: int | None = None
    host_cpus: int | None = None
    gpus: int = 0
    gpu_share: float = 0.0
    unified: bool = False
    held: bool = True


def limited(spec: InstanceSpec, case: Case) -> InstanceSpec:
    """`spec` with every limit decided that is still open."""
    rules = {"memory_bytes": _memory, "cpus": _cpus, "shm_bytes": _shm, "pids": _pids}
    for name in filter(rules.__contains__, spec.undecided):
        value, why = rules[name](case)
        text = "" if value is None else f"{value:g}" if name == "cpus" else str(int(value))
        spec = spec.with_decided(**decision(name, text, why))
    return spec


def decision(name: str, value: str, why: str) -> Mapping[str, str]:
    """As a spec carries it."""
    return {name: value, WHY + name: f"{name.removesuffix('_bytes')} {why}"}


def _memory(case: Case) -> Told:
    need, why = _needed(case)
    peak = case.peak.memory_bytes if case.peak else None
    if peak is not None:
        why += f", {gib(peak)} measured"
        need = max(need or 0, peak * GROWTH)
    if need is None:
        return None, f"no limit: {why}"
    limit = -(-int(need) // STEP_BYTES) * STEP_BYTES
    room = None if case.host_bytes is None else case.host_bytes - max(2 * GIB, case.host_bytes // 10)
    why += "" if case.held else ", to which a process is not held"
    if room is not None and STEP_BYTES <= room < limit:
        return room // MIB * MIB, f"{gib(room)}: all that the host can spare, of {gib(limit)} ({why})"
    return limit, f"{gib(limit)}: {why}"


def _needed(case: Case) -> tuple[float | None, str]:
    model = case.footprint
    if case.family is Family.COMPANION:
        return SMALL_BYTES, "a companion"
    if model is None:
        return None, "the model's size is unknown"
    prompts = f" + prompts {gib(model.prompts_bytes)}" if model.prompts_bytes else ""
    if case.gpus and not case.unified:
        need = max(ON_GPU_BYTES, model.weights_bytes // 4) + model.prompts_bytes
        if model.mapped and case.gpu_share >= 1:
            return need, f"beside the GPU {gib(need - model.prompts_bytes)}{prompts}"
        return need + model.weights_bytes, f"weights {gib(model.weights_bytes)} + beside the GPU{prompts}"
    need = model.weights_bytes + model.kv_bytes + model.prompts_bytes + BESIDE_BYTES
    context = f"context {gib(model.kv_bytes)}"
    rough = " (guessed from the size of the file)" if model.rough else ""
    return need, f"weights {gib(model.weights_bytes)} + {context}{prompts} + server {gib(BESIDE_BYTES)}{rough}"


def _cpus(case: Case) -> Told:
    if case.host_cpus is None:
        return None, "no limit: how many the host has is unknown"
    all_but_one = case.host_cpus - 1 if case.host_cpus > 2 else case.host_cpus
    if case.family is Family.COMPANION:
        return 1, "1: a companion"
    if case.gpus:
        return min(ON_GPU_CPUS, all_but_one), f"{min(ON_GPU_CPUS, all_but_one)}: the GPU does the work"
    return all_but_one, f"{all_but_one} of {case.host_cpus}, with as many threads"


def _shm(case: Case) -> Told:
    if case.gpus > 1:
        return SHARED_SHM_BYTES, f"{gib(SHARED_SHM_BYTES)}: {case.gpus} GPUs talk through it"
    return SHM_BYTES, "64 MiB: one process"


def _pids(case: Case) -> Told:
    return (SMALL_PIDS, f"{SMALL_PIDS}: a companion") if case.family is Family.COMPANION else (PIDS, f"{PIDS}")
