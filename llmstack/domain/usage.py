"""What instances use right now; unknown is None."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from llmstack.domain.tabular import Tabular
from llmstack.domain.target import Target, TargetKind
from llmstack.errors import LlmstackError


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(Tabular):
    """`cpu_percent` counts 100 for one core and `gpu_percent` for one GPU; memory is the working set; bytes of network
    and disk count from the start of the instance, GPU figures sum over all GPUs."""

    columns = ("cpu_percent", "memory_bytes", "memory_limit_bytes", "gpu_memory_bytes", "gpu_percent")

    cpu_percent: float | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    network_received_bytes: int | None = None
    network_sent_bytes: int | None = None
    disk_read_bytes: int | None = None
    disk_written_bytes: int | None = None
    processes: int | None = None
    gpu_memory_bytes: int | None = None
    gpu_percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsRow:
    """One running instance and the models it serves."""

    service: str
    host: str
    engine: str
    container_name: str
    models: tuple[str, ...] = ()
    usage: Usage = Usage()

    @property
    def target(self) -> Target:
        """`service@host`."""
        return Target(self.service, self.host, TargetKind.SERVICE)

    def as_json(self) -> dict[str, object]:
        """JSON-ready record."""
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "usage"}
        return {"target": str(self.target), **own, **asdict(self.usage)}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsReport:
    """Everything that runs of what was picked; `errors` holds hosts that could not be asked."""

    rows: tuple[StatsRow, ...] = ()
    errors: tuple[LlmstackError, ...] = ()
