"""How the fields of the inventory's classes say what they are for."""

from __future__ import annotations


def doc(text: str, *examples: object, key: str | None = None, written: object = None) -> dict[str, object]:
    """Field metadata: the sentence and examples that the reference page and the JSON Schema show. `key` and `written`
    are name and type (or a table of types) as the inventory has them, where the field's own differ."""
    return {"doc": text, "examples": examples, "key": key, "written": written}
