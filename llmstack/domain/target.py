"""What a verb works on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TargetKind(StrEnum):
    """Whether a target is a service, or a model inside a shared service."""

    SERVICE = "service"
    MODEL = "model"


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """A service or model on a host, written `name@host`."""

    name: str
    host: str
    kind: TargetKind = TargetKind.SERVICE

    def __str__(self) -> str:
        return f"{self.name}@{self.host}"

    def as_json(self) -> dict[str, object]:
        """JSON-ready record; `model` or `service` is None where it is the other."""
        model = self.name if self.kind is TargetKind.MODEL else None
        service = None if model else self.name
        names = {"name": self.name, "kind": self.kind.value, "model": model, "service": service}
        return {"target": str(self), **names, "host": self.host}
