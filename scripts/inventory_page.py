"""Writes the tables of docs/inventory.md anew: `python scripts/inventory_page.py`. They stand between
`<!-- NAME -->` and `<!-- end -->`; the text around them is written by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from llmstack.domain.check import Check
from llmstack.domain.resources import Resources
from llmstack.domain.service import ModelSpec, ServiceSpec, Update
from llmstack.inventory.schema import HOSTS, entry_keys
from llmstack.inventory.values import HOST
from llmstack.reference import type_options

PAGE = Path(__file__).parent.parent / "docs" / "inventory.md"


def rows_of(cls: type, prefix: str = "") -> Iterator[tuple[str, ...]]:
    """Key, meaning, default and example of each field."""
    for key, each in entry_keys(cls).items():
        examples = each.metadata.get("examples") or ("",)
        yield f"`{prefix}{key}`", each.metadata.get("doc", ""), _default(each), _written(examples[0])


def _default(each: Field[Any]) -> str:
    value = each.default if each.default is not MISSING else None
    return "" if value in (None, (), "") else _written(value)


def _written(value: object) -> str:
    """As it stands in YAML."""
    if isinstance(value, str):
        return f"`{value}`" if value else ""
    text = re.sub(r'"([A-Za-z][\w-]*)"', r"\1", json.dumps(value))
    return f"`{text}`"


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """A table of Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def tables() -> Mapping[str, str]:
    """All tables by their names."""
    head = ("key", "meaning", "default", "example")
    hosts = ("`hosts`", HOSTS, "", "`gpu`")
    options = [row for name, cls in type_options().items() for row in rows_of(cls, f"{name}: ") if fields(cls)]
    return {
        "service": table(head, iter([hosts, *rows_of(ServiceSpec)])),
        "model": table(head, rows_of(ModelSpec)),
        "resources": table(head, rows_of(Resources)),
        "check": table(head, rows_of(Check)),
        "update": table(head, rows_of(Update)),
        "options": table(("type: option", *head[1:]), iter(options)),
        "host": table(("variable", "meaning"), ((f"`{name}`", reader.should_be) for name, reader in HOST.items())),
    }


def filled(page: str) -> str:
    """The page with its tables as they should be."""
    made = tables()
    return re.sub(
        r"<!-- (\w+) -->\n.*?<!-- end -->",
        lambda found: f"<!-- {found[1]} -->\n{made[found[1]]}\n<!-- end -->",
        page,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
