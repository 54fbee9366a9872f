"""Stop an instance, and be sure that nothing of it stays: not on a GPU; that its port is free the engine sees to, and
its name in the stack's network leaves that with its end."""

from __future__ import annotations

from contextlib import suppress

from llmstack.core.context import Context
from llmstack.domain.instance import Instance
from llmstack.errors import LlmstackError, NoMatchError
from llmstack.protocols import Engine

STOP_GRACE_S = 10.0
GPU_FREE_S, LOOK_AGAIN_S = 10.0, 0.1


def stop_for_good(context: Context, engine: Engine, there: Instance, grace_s: float = STOP_GRACE_S) -> None:
    """Stop it; returns when its port is free, and the memory of every GPU that its processes held.

    Raises LlmstackError naming what stays.
    """
    on_gpu = _on_gpu(context, engine, there)
    engine.stop(there.container_name, grace_s)
    deadline = context.clock.monotonic() + GPU_FREE_S
    while stays := on_gpu and on_gpu & gpu_pids(context):
        if context.clock.monotonic() > deadline:
            who = ", ".join(f"{context.gpus.owner(pid).program or 'process'} {pid}" for pid in sorted(stays))
            message = f"{there.container_name} was stopped, but {who} of it still holds memory of a GPU"
            raise LlmstackError(message, "look at them with ps; a driver that hangs needs the machine restarted")
        context.clock.sleep(LOOK_AGAIN_S)


def end_for_good(context: Context, engine: Engine, there: Instance) -> None:
    """Stop and remove it, in one go where no GPU is to be watched in between; as `stop_for_good`, but somebody else may
    have removed it meanwhile."""
    with suppress(NoMatchError):
        if _on_gpu(context, engine, there):
            stop_for_good(context, engine, there)
            engine.remove(there.container_name)
        else:
            engine.stop_and_remove(there, STOP_GRACE_S)


def gpu_pids(context: Context) -> set[int]:
    """Every process of this machine that holds memory of a GPU, as far as the driver tells."""
    return {pid for gpu in context.gpus.gpus() or () for pid in gpu.process_bytes or {}}


def _on_gpu(context: Context, engine: Engine, there: Instance) -> set[int]:
    """Those of its processes, whether it asked for GPUs or not: where NVIDIA's runtime is the default, all get them."""
    host = context.hosts.get(there.host)
    found = gpu_pids(context) if host is None or host.local else set()
    return found & set(engine.pids(there.container_name) or ()) if found else set()
