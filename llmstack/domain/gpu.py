"""Facts about GPUs; unknown is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Gpu:
    """One device and the memory each process (by host pid) holds on it.

    `process_bytes` is None when its processes cannot be told, and empty when there is none; `process_percent` is the
    load of those that compute. A `unified` one has no memory of its own but the machine's, of one cut up by `mig` the
    driver tells no load as a whole. `trouble` says in words why nothing else is known of it.
    """

    index: int
    uuid: str | None
    name: str | None
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None
    process_bytes: Mapping[int, int | None] | None = field(default_factory=dict)
    process_percent: Mapping[int, int] | None = None
    utilization_percent: int | None = None
    temperature_c: int | None = None
    power_watts: float | None = None
    power_limit_watts: float | None = None
    unified: bool = False
    mig: bool = False
    trouble: str | None = None

    def __str__(self) -> str:
        return " ".join((f"GPU {self.index}", *filter(None, (self.name, self.trouble))))


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a process of this machine is: the id of its container, where it runs in one, and its program."""

    container_id: str | None = None
    program: str | None = None


class HolderKind(StrEnum):
    """Who holds memory of a GPU: an instance of ours, a container of somebody else, a process of the machine."""

    INSTANCE = "instance"
    CONTAINER = "container"
    PROCESS = "process"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process on a GPU, and whose it is: `name` is `service@host` of an instance, the name of a container, or a
    program; `container_name` is that of the first two."""

    pid: int
    kind: HolderKind
    name: str
    container_name: str | None = None
    memory_bytes: int | None = None
    percent: int | None = None


@dataclass(frozen=True, slots=True)
class HeldGpu:
    """A GPU and what is on it, the largest first; None when that cannot be told."""

    gpu: Gpu
    holders: tuple[Holder, ...] | None = None

    def as_json(self) -> dict[str, object]:
        """JSON-ready record; `id` is its UUID, as far as that is known."""
        own = {name: value for name, value in asdict(self.gpu).items() if not name.startswith("process_")}
        told = None if self.holders is None else [asdict(holder) for holder in self.holders]
        return {"id": self.gpu.uuid or f"gpu{self.gpu.index}", **own, "holders": told}
