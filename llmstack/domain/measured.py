"""What was measured of instances, as the store keeps it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from llmstack.domain.target import Target
from llmstack.domain.usage import Usage


@dataclass(frozen=True, slots=True)
class Peak:
    """The most memory that a model file (by its fingerprint) was seen to take with an image and a context on a kind of
    GPU (its name, or `cpu`), and where it ran so last; None is unknown."""

    image: str
    model: str
    context: int
    gpu_kind: str
    host: str
    container_name: str
    memory_bytes: int | None = None
    gpu_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSample:
    """What an instance used in a minute that began `at`."""

    at: float
    host: str
    service: str
    container_name: str
    usage: Usage

    @property
    def target(self) -> Target:
        """`service@host`."""
        return Target(self.service, self.host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The samples of one instance that were asked for, oldest first."""

    service: str
    host: str
    samples: tuple[StoredSample, ...]

    def as_json(self) -> dict[str, object]:
        """JSON-ready record."""
        told = [{"at": sample.at, **asdict(sample.usage)} for sample in self.samples]
        return {"target": f"{self.service}@{self.host}", "service": self.service, "host": self.host, "samples": told}
