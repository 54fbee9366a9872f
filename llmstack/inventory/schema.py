"""The JSON Schema of an inventory, made of the classes that it is read into; in the dialect that editors know best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from llmstack.domain.names import NAME_PATTERN
from llmstack.domain.secret import Secret
from llmstack.domain.service import ModelSpec, ServiceSpec
from llmstack.inventory.entries import FIXED
from llmstack.inventory.secrets import KINDS
from llmstack.inventory.values import HOST, MODEL_KEYS, SERVICE_KEYS, TOP, One

Schema = dict[str, Any]

DIALECT: Final = "http://json-schema.org/draft-07/schema#"
HOSTS: Final = "Where it runs: a host, a group, or a pattern such as `gpu:!gpu02`; `localhost` if left out."

PLUGINS: Final = "Files with types and tasks of your own, beside this one; each has to be trusted before it is run."

_TEXT: Final[Schema] = {"type": ["string", "number", "boolean", "null"]}
_PLAIN: Final = {
    int: ("integer", r"^[-+0-9]+$|\$\{"),
    float: ("number", r"^[-+0-9.eE]+$|\$\{"),
    bool: ("boolean", r"^([Tt]rue|TRUE|[Ff]alse|FALSE|[Yy]es|[Nn]o|[Oo]n|[Oo]ff)$|\$\{"),
}
"""Types and the text that means one of them."""


def schema_of(options: Mapping[str, type]) -> Schema:
    """The schema; `options` holds the class of each type's own options."""
    service = _described(ServiceSpec) | {"hosts": _any({"type": "array"}, _TEXT) | {"description": HOSTS}}
    model = _described(ModelSpec)
    both = {**service, **model}
    types = {"description": service["type"]["description"], "anyOf": [{"enum": sorted(options)}, {"type": "string"}]}
    overrides = _table(_object({key: value for key, value in both.items() if key not in FIXED}))
    needed = [{"required": ["type"]}, {"required": ["service"]}]
    return {
        "$schema": DIALECT,
        "title": "llmstack inventory",
        "type": "object",
        "required": ["llmstack"],
        "properties": {
            "llmstack": {"const": 1, "description": "Version of this schema."},
            **{key: _by_reader(reader) for key, reader in TOP.items()},
            "plugins": {"type": "array", "items": {"type": "string", "pattern": r"\.py$"}, "description": PLUGINS},
            "all": {"$ref": "#/definitions/group"},
            "defaults": _table(_object({key: service[key] for key in SERVICE_KEYS - {"type"}})),
            "services": _entries(_object({**service, "type": types}, "type") | _by_type(options)),
            "models": _entries(_object({**both, "type": types}) | _by_type(options) | {"anyOf": needed}),
        },
        "patternProperties": {"^x-": True},
        "additionalProperties": {"allOf": [{"$ref": "#/definitions/group"}, {"type": "object", "minProperties": 1}]},
        "definitions": {"secret": _secret(), "overrides": overrides, "vars": _vars(), "group": _group()},
    }


def entry_keys(cls: type) -> dict[str, Any]:
    """The fields of a class by their names in an inventory."""
    keys = SERVICE_KEYS | MODEL_KEYS
    named = ((each.metadata.get("key") or each.name, each) for each in fields(cls))
    return {key: each for key, each in named if key in keys or cls not in (ServiceSpec, ModelSpec)}


def _described(cls: Any) -> dict[str, Schema]:
    """What each field of a class may be, and what it is for."""
    hints, found = get_type_hints(cls), {}
    for key, each in entry_keys(cls).items():
        about = each.metadata
        written = about.get("written") or hints[each.name]
        schema = {"description": about.get("doc", ""), "examples": list(about.get("examples", ()))}
        found[key] = {**_of(written), **{name: value for name, value in schema.items() if value}}
    return found


def _of(hint: Any) -> Schema:
    """What may be written for a value of that type; null deletes, and variables may fill it."""
    if parts := get_args(hint):
        return _of_parts(get_origin(hint), parts)
    if isinstance(hint, dict):
        return _object({key: _of(inner) for key, inner in hint.items()})
    if hint in _PLAIN:
        name, text = _PLAIN[hint]
        return {"type": [name, "string", "null"], "pattern": text}
    if hint is Secret:
        return {"$ref": "#/definitions/secret"}
    return _object(_described(hint)) if is_dataclass(hint) else dict(_TEXT if hint is str else {})


def _of_parts(origin: Any, parts: tuple[Any, ...]) -> Schema:
    """A list, one of some words, a mapping, or one of several types."""
    if origin is tuple:
        return {"type": ["array", "null"], "items": _of(parts[0])}
    if origin is Literal:
        return _any({"enum": [*parts, None]}, {"type": "string", "pattern": r"\$\{"})
    if origin is Mapping:
        return _table(_of(parts[1]))
    return _any(*(_of(part) for part in parts if part is not NoneType))


def _by_type(options: Mapping[str, type]) -> Schema:
    """The options of each type, for entries of that type."""
    return {
        "allOf": [
            {
                "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
                "then": {"properties": {"options": _object(_described(cls))}},
            }
            for name, cls in sorted(options.items())
        ]
    }


def _secret() -> Schema:
    return _object({"from": {"enum": list(KINDS)}, "name": _TEXT, "path": _TEXT, "argv": {"type": "array"}}, "from")


def _group() -> Schema:
    inner: Schema = {"$ref": "#/definitions/group"}
    variables: Schema = {"$ref": "#/definitions/vars"}
    text: Schema = {"type": "string"}
    return _object({"hosts": _any(_table(variables), text), "children": _any(_table(inner), text), "vars": variables})


def _vars() -> Schema:
    known = {name: _by_reader(reader) for name, reader in HOST.items()}
    return {"type": ["object", "null"], "properties": {**known, "overrides": {"$ref": "#/definitions/overrides"}}}


def _by_reader(reader: One) -> Schema:
    return {**_TEXT, "description": reader.should_be, "examples": [reader.example, *reader.words]}


def _object(properties: dict[str, Schema], *required: str) -> Schema:
    found = {"type": ["object", "null"], "properties": dict(sorted(properties.items())), "additionalProperties": False}
    return {**found, "required": list(required)} if required else found


def _table(value: Schema) -> Schema:
    return {"type": ["object", "null"], "additionalProperties": value}


def _entries(value: Schema) -> Schema:
    return {**_table(value), "propertyNames": {"pattern": f"^{NAME_PATTERN.pattern}$"}}


def _any(*schemas: Schema) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}
