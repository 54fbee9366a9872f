"""One value in force, and who set it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmstack.domain.position import Position, Via, place


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """`key` is written with dots, as `-e` takes it. `at` is where the value stands; None for a default, and `default`
    says whose. `via` names the variables that filled it."""

    key: str
    value: Any
    at: Position | None = None
    via: tuple[Via, ...] = ()
    default: str | None = None

    def as_json(self) -> dict[str, object]:
        """Flat record: key, value, file, line, column, default, via."""
        via = [{"name": name, **place(at)} for name, at in self.via]
        return {"key": self.key, "value": self.value, **place(self.at), "default": self.default, "via": via}
