"""How the fields of the inventory's classes say what they are for."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def doc(text: str, *examples: object, default: Any = None, key: str | None = None, written: object = None) -> Any:
    """A field of a dataclass, with the sentence and examples that the reference page and the JSON Schema show. `key`
    and `written` are name and type (or a table of types) as the inventory has them, where the field's own differ.
    `default` is the value without an entry, a class where it is made anew each time, `MISSING` where there has to be
    an entry."""
    about = {"doc": text, "examples": examples, "key": key, "written": written}
    if isinstance(default, type):
        return field(default_factory=default, metadata=about)
    return field(default=default, metadata=about)
