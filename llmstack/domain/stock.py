"""What models take on the disks of hosts, and who uses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from llmstack.domain.tabular import Tabular
from llmstack.domain.target import Target
from llmstack.domain.weights import ModelFile
from llmstack.errors import LlmstackError


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Tabular):
    """A model file in the weights `volume` of a host's `engine`, or in the `folder` of this machine; `used_by` are
    services of any stack that are there, and those of the inventory."""

    columns = ("target", "where", "file", "used_by")

    host: str
    engine: str
    file: ModelFile
    used_by: tuple[str, ...] = ()

    @property
    def target(self) -> Target:
        """Where it lies: two files may have one name."""
        return Target(f"{self.where}/{self.file.path}", self.host)

    @property
    def where(self) -> str:
        """What it lies in."""
        return "volume" if self.engine == "docker" else "folder"

    def as_json(self) -> dict[str, object]:
        """JSON-ready record."""
        place = {"target": str(self.target), "host": self.host, "where": self.where}
        return {**place, **asdict(self.file), "used_by": list(self.used_by)}


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUse(Tabular):
    """A model on a host: `where` is its service, or what its file lies in; what nobody can tell is None."""

    columns = ("model", "host", "where", "digest", "size_bytes", "used_by")

    model: str
    host: str
    where: str
    digest: str | None = None
    size_bytes: int | None = None
    used_by: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """JSON-ready record."""
        return {"target": f"{self.model}@{self.host}", **asdict(self), "used_by": list(self.used_by)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """Everything that is kept; `lost` holds why an engine (host, kind) could not be asked."""

    items: tuple[Kept, ...] = ()
    lost: Mapping[tuple[str, str], LlmstackError] = field(default_factory=dict)

    @property
    def unused(self) -> Stock:
        """What nobody uses."""
        return Stock(items=tuple(each for each in self.items if not each.used_by), lost=self.lost)
