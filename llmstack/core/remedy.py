"""PURE: the one change in the inventory that would help, and the value to write there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmstack.core.desired import Wanted
from llmstack.domain.inquiry import Remedy
from llmstack.domain.instance import InstanceSpec
from llmstack.domain.position import Positions, locate
from llmstack.domain.setting import Setting

MIB = 1024**2
CONTEXT, LEAST_CONTEXT = ("ctx_size", "context_length", "max_model_len"), 512
"""What types call their option for it."""


def remedy(
    wanted: Wanted,
    key: str,
    written: Sequence[Setting],
    positions: Positions,
    *,
    told: str = "",
    trained: int | None = None,
) -> Remedy | None:
    """Where to change `key` of a service or model, and to what; None where it has no such thing. `told` is what its
    server said of it, `trained` the context that its model was made for."""
    path, key = wanted.placement.path, _called(key, wanted)
    if key == "image" and wanted.engine == "process":
        return None
    if key == "source" and any("/" in arg and arg.rpartition("=")[2] in told for arg in wanted.placement.service.args):
        key = "args"
    value = _VALUES[key](wanted) if key in _VALUES else None
    if trained and isinstance(value, int):
        value = min(value, trained)
    parts = tuple(key.split("."))
    place = next((each.at for each in written if each.key == ".".join((*map(str, path), *parts))), None)
    return Remedy(
        entry=str(path[-1]),
        key=key,
        at=place or locate(positions, path, key=True),
        written=place is not None,
        value=value,
    )


def _called(key: str, wanted: Wanted) -> str:
    """As its type calls an option; one that it does not have is an argument. Where no limit is to be raised, a smaller
    context is what helps."""
    limit = wanted.spec.limits.memory_bytes if wanted.spec else None
    names = [f"options.{name}" for name in CONTEXT if hasattr(wanted.options, name)]
    if key == "options.ctx_size" or (key == "resources.memory" and names and limit is None):
        return names[0] if names else "args"
    group, _, name = key.partition(".")
    return "args" if group == "options" and not hasattr(wanted.options, name) else key


def more_memory(spec: InstanceSpec | None) -> str | None:
    """Twice the limit, and room for the weights beside a server; rounded up to 256 MiB. None where none is set."""
    limit = spec.limits.memory_bytes if spec else None
    if spec is None or not isinstance(limit, int):
        return None
    size_bytes = spec.weights.size_bytes if spec.weights else None
    needed = size_bytes * 5 // 4 + 512 * MIB if size_bytes else 0
    steps = -(-max(2 * limit, needed) // (256 * MIB))
    return f"{steps // 4}GiB" if steps % 4 == 0 else f"{steps * 256}MiB"


def _shm(wanted: Wanted) -> str:
    """1 GiB, or twice what there is."""
    limit = wanted.spec.limits.shm_bytes if wanted.spec else None
    return f"{max(1, 2 * limit // (1024 * MIB))}GiB" if isinstance(limit, int) else "1GiB"


def _context(wanted: Wanted) -> int | None:
    """Half of it."""
    size = next((getattr(wanted.options, name) for name in CONTEXT if hasattr(wanted.options, name)), None)
    return size // 2 if isinstance(size, int) and size >= 2 * LEAST_CONTEXT else None


_VALUES: Mapping[str, Callable[[Wanted], Any]] = {
    "resources.memory": lambda wanted: more_memory(wanted.spec),
    **{f"options.{name}": _context for name in CONTEXT},
    "resources.shm": _shm,
    "port": lambda _: "auto",
}
"""What `--fix` may write, by key."""
