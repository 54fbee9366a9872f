"""How the fields of the inventory's classes say what they are for."""

from __future__ import annotations

from typing import Any

STRICT: Any = {"extra": "forbid", "allow_inf_nan": False}
"""How the inventory's validator treats these classes; the classes themselves need no library."""


def doc(text: str, *examples: object, key: str | None = None, written: object = None) -> dict[str, object]:
    """Field metadata: the sentence and examples that the reference page and the JSON Schema show. `key` and `written`
    are name and type (or a table of types) as the inventory has them, where the field's own differ."""
    return {"doc": text, "examples": examples, "key": key, "written": written}
