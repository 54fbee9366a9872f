"""What an inventory may say, with what each type adds."""

from __future__ import annotations

from typing import Any

from llmstack.inventory.schema import schema_of
from llmstack.modeltype.registry import Registry


def inventory_schema() -> dict[str, Any]:
    """The JSON Schema of an inventory, with the options of every type that there is. Raises PluginError."""
    return schema_of(type_options())


def type_options() -> dict[str, type]:
    """The class of the options of each type. Raises PluginError."""
    registry = Registry()
    types = {name: kind for name in registry.names() if (kind := registry.get(name))}
    return {name: kind.Options for name, kind in types.items()}
