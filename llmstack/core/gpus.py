"""The GPUs of this machine, what is on them, and whose it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from llmstack.core.context import Context
from llmstack.domain.gpu import Gpu, HeldGpu, Holder, HolderKind
from llmstack.domain.host import Host
from llmstack.domain.instance import Instance, InstanceSpec
from llmstack.domain.usage import Usage
from llmstack.errors import LlmstackError, UnreachableError

SHORT_ID = 12


def held_gpus(context: Context) -> tuple[HeldGpu, ...]:
    """Every GPU with its holders; empty without one. Raises UnreachableError saying why the driver does not tell."""
    found = context.gpus.gpus()
    if found is None:
        reason = context.gpus.reason or "the NVIDIA driver does not say why"
        raise UnreachableError(f"the GPUs of this machine cannot be asked: {reason}", "see `llmstack doctor`")
    whose = holders(found, context)
    return tuple(HeldGpu(gpu, _on(gpu, whose)) for gpu in found)


def _on(gpu: Gpu, whose: Mapping[int, Holder]) -> tuple[Holder, ...] | None:
    if gpu.process_bytes is None:
        return None
    loads = gpu.process_percent or {}
    sizes = sorted(gpu.process_bytes.items(), key=lambda item: -(item[1] or 0))
    return tuple(replace(whose[pid], memory_bytes=size, percent=loads.get(pid)) for pid, size in sizes)


def holders(gpus: Iterable[Gpu], context: Context) -> dict[int, Holder]:
    """Whose each process is that holds memory of a GPU, by its pid."""
    owners = {pid: context.gpus.owner(pid) for gpu in gpus for pid in gpu.process_bytes or {}}
    containers = {one: _container(one, context) for one in {owner.container_id for owner in owners.values()} if one}
    found = {}
    ours = _processes(context) if any(owner.container_id is None for owner in owners.values()) else {}
    for pid, owner in owners.items():
        there = containers.get(owner.container_id) if owner.container_id else ours.get(pid)
        if there and there.stack:
            kind, name = HolderKind.INSTANCE, str(there.target)
        elif owner.container_id:
            kind, name = HolderKind.CONTAINER, there.container_name if there else owner.container_id[:SHORT_ID]
        else:
            kind, name = HolderKind.PROCESS, owner.program or "unknown"
        found[pid] = Holder(pid=pid, kind=kind, name=name, container_name=there.container_name if there else None)
    return found


def with_gpu(
    usage: Usage, container_name: str, gpus: Sequence[Gpu], whose: Mapping[int, Holder], spec: InstanceSpec | None
) -> Usage:
    """PURE: what an instance uses, with its part of all GPUs; unknown where one on which it may be does not tell."""
    mine = {pid for pid, holder in whose.items() if holder.container_name == container_name}
    sizes = [size for gpu in gpus for pid, size in (gpu.process_bytes or {}).items() if pid in mine]
    loads = [load for gpu in gpus for pid, load in (gpu.process_percent or {}).items() if pid in mine]
    ids = spec.limits.gpus if spec and (spec.engine != "process" or spec.limits.gpus) else ("all",)
    named = [gpu for gpu in gpus if gpu.uuid in ids]
    its = named if len(named) == len(ids) and (ids or not mine) else gpus
    sized = gpus and all(gpu.process_bytes is not None for gpu in its) and None not in sizes
    loaded = gpus and all(gpu.process_percent is not None for gpu in its)
    return replace(
        usage,
        gpu_memory_bytes=sum(size or 0 for size in sizes) if sized else None,
        gpu_percent=float(sum(loads)) if loaded else None,
    )


def _local(context: Context) -> list[Host]:
    return [host for host in context.hosts.values() if host.local] or [Host(name="localhost")]


def _container(container_id: str, context: Context) -> Instance | None:
    """The container of this machine that has this id, ours or not."""
    for host in _local(context):
        with suppress(LlmstackError):
            if there := context.engine_of(host, "docker").inspect(container_id):
                return there
    return None


def _processes(context: Context) -> dict[int, Instance]:
    """Every process of the process engine's instances, by its pid."""
    found: dict[int, Instance] = {}
    for host in _local(context):
        with suppress(LlmstackError):
            engine = context.engine_of(host, "process")
            for there in engine.observe(None):
                found |= dict.fromkeys(engine.pids(there.container_name) or (), there)
    return found
