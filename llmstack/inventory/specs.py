"""One entry on one host: from nodes to a spec, with every mistake at its place and in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from llmstack.domain.names import nearest
from llmstack.domain.position import Position
from llmstack.domain.secret import Secret
from llmstack.domain.service import ModelSpec, ServiceSpec
from llmstack.inventory.nodes import Listing, Node, Table, as_text, plain
from llmstack.inventory.problems import Problems
from llmstack.inventory.secrets import is_reference, secret_of
from llmstack.inventory.shape import table_of
from llmstack.inventory.values import bind_mistake, mount, resources_of, restart_mistake, url_mistake

SERVICE_KEYS: Final = frozenset({field.name for field in fields(ServiceSpec)} - {"name"} | {"hosts"})
MODEL_KEYS: Final = frozenset({field.name for field in fields(ModelSpec)} - {"name"})
NOT_WITH_URL: Final = frozenset({"image", "port", "engine", "mounts", "args", "resources", "restart", "bind"})

Spec = TypeVar("Spec", ServiceSpec, ModelSpec)

_ADAPTERS: Final[dict[type, TypeAdapter[Any]]] = {cls: TypeAdapter(cls) for cls in (ServiceSpec, ModelSpec)}

_EXPECTED: Final = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a number",
    "bool": "true or false",
    "string": "text",
    "tuple": "a list",
    "dict": "a mapping",
    "mapping": "a mapping",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry is read: its words for messages, the folder of relative paths, and whose machine it is."""

    where: str
    folder: str
    environ: Mapping[str, str]
    local: bool
    problems: Problems

    def wrong(self, at: Position, key: str, should_be: str, suggestion: str | None = None) -> None:
        """Note that the value of `key` should be something else."""
        self.problems.add(at, "E013", f"{self.where}.{key} should be {should_be}", suggestion)


def service_spec(name: str, table: Table, place: Place) -> ServiceSpec:
    """The service that a resolved `table` describes; what is wrong is noted, and has its default."""
    values = _values(table, SERVICE_KEYS - {"hosts"}, place)
    if not isinstance(values.get("type"), str):
        values["type"] = ""
    if "resources" in values:
        values["resources"] = resources_of(table.get("resources"), f"{place.where}.resources", place.problems)
    if "env" in values:
        values["env"] = _env(table.get("env"), place)
    return _checked(_validated(ServiceSpec, {**values, "name": name}, table, place), table, place)


def model_spec(name: str, service: str, table: Table, place: Place) -> ModelSpec:
    """The model that a resolved `table` describes; what is wrong is noted, and has its default."""
    values = _values(table, MODEL_KEYS, place)
    return _validated(ModelSpec, {**values, "name": name, "service": service}, table, place)


def _values(table: Table, keys: frozenset[str], place: Place) -> dict[str, Any]:
    values = {key: as_text(entry.node) for key, entry in table.entries.items() if key in keys}
    if "options" in values:
        values["options"] = _options(table.get("options"), place)
    return values


def _options(node: Node | None, place: Place) -> dict[str, object]:
    table = table_of(node, f"{place.where}.options", place.problems)
    return {key: _secret(entry.node, place) or plain(entry.node) for key, entry in table.entries.items()}


def _env(node: Node | None, place: Place) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, entry in table_of(node, f"{place.where}.env", place.problems).entries.items():
        if not key or "=" in key:
            place.problems.add(entry.key_at, "E014", f"'{key}' is no name for an environment variable")
        elif is_reference(entry.node):
            found[key] = _secret(entry.node, place) or ""
        elif isinstance(entry.node, Table | Listing):
            place.wrong(entry.node.at, f"env.{key}", "text, or a secret", "{from: env, name: NAME}")
        else:
            found[key] = entry.node.text
    return found


def _secret(node: Node, place: Place) -> Secret | None:
    if isinstance(node, Table) and is_reference(node):
        return secret_of(node, place.folder, place.environ, place.problems)
    return None


def _validated(cls: type[Spec], values: Mapping[str, Any], table: Table, place: Place) -> Spec:
    try:
        return cast(Spec, _ADAPTERS[cls].validate_python(values))
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
    expected: dict[tuple[str | int, ...], list[str]] = {}
    for mistake in mistakes:
        path, _ = _reach(table, mistake["loc"])
        expected.setdefault(path, []).extend(_words(mistake))
    for path, words in expected.items():
        node = _reach(table, path)[1]
        place.wrong(node.at, ".".join(map(str, path)), " or ".join(words), nearest(str(as_text(node)), words))
    wrong = {mistake["loc"][0] for mistake in mistakes}
    return cast(Spec, _ADAPTERS[cls].validate_python({key: values[key] for key in values.keys() - wrong}))


def _words(mistake: Mapping[str, Any]) -> list[str]:
    kind = mistake["type"].split("_")[0]
    if kind == "literal":
        return [word.strip("' ") for word in mistake["ctx"]["expected"].replace(" or ", ",").split(",")]
    return [_EXPECTED.get(kind, mistake["msg"])]


def _reach(table: Table, path: tuple[str | int, ...]) -> tuple[tuple[str | int, ...], Node]:
    """As far as `path` leads in what was written; validators add parts of their own to its end."""
    node: Node = table
    for index, part in enumerate(path):
        if isinstance(node, Table) and part in node.entries:
            node = node.entries[str(part)].node
        elif isinstance(node, Listing) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        else:
            return path[:index], node
    return path, node


def _checked(spec: ServiceSpec, table: Table, place: Place) -> ServiceSpec:
    """Check what types alone cannot tell; mounts come back with full paths."""
    port_ok = not isinstance(spec.port, int) or 1 <= spec.port <= 65535
    checks: dict[str, str | None] = {
        "port": None if port_ok else "between 1 and 65535, or auto",
        "bind": bind_mistake(spec.bind),
        "restart": restart_mistake(spec.restart),
        "url": url_mistake(spec.url) if spec.url is not None else None,
        "image": "the name of an image" if spec.image is not None and not spec.image.strip() else None,
        "ready_timeout_s": "above 0" if spec.ready_timeout_s is not None and spec.ready_timeout_s <= 0 else None,
    }
    for key, should_be in checks.items():
        if should_be:
            place.wrong(_reach(table, (key,))[1].at, key, should_be)
    return replace(spec, mounts=tuple(_each_mount(spec.mounts, table, place)))


def _each_mount(mounts: tuple[str, ...], table: Table, place: Place) -> list[str]:
    found = []
    for index, text in enumerate(mounts):
        try:
            found.append(mount(text, place.folder, local=place.local))
        except ValueError as error:
            place.wrong(_reach(table, ("mounts", index))[1].at, f"mounts.{index}", str(error))
    return found
