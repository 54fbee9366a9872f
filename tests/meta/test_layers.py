"""Imports point downwards only, and each library has one home."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.meta.source import ROOT, Import, imports, product, short

L0 = {"errors", "domain", "pluginfiles", "protocols"}
L1 = {"inventory", "engines", "clients", "store", "gpu", "ui"}
BELOW_APP = L0 | L1 | {"modeltype", "core"}

MAY_IMPORT: dict[str, set[str]] = {
    "errors": {"domain"},  # for types alone
    "domain": {"errors"},
    "protocols": {"domain", "errors"},
    "pluginfiles": {"errors"},
    **dict.fromkeys(L1, L0),
    "embedded": set(),
    "modeltype": L0 | {"clients"},
    "core": L0 | {"modeltype"},
    "root": BELOW_APP,
    "machines": BELOW_APP | {"root"},
    "looking": BELOW_APP | {"machines"},
    "app": BELOW_APP | {"looking"},
    "api": BELOW_APP | {"app"},
    "reference": BELOW_APP,
    "cli": L0 | {"app", "reference", "ui"},
    "tasks": L0 | {"cli", "ui"},
    "testing": BELOW_APP,
    "__init__": {"api"},
    "__main__": {"cli"},
    "tasks.py": {"cli"},
    "plugins": {"modeltype", "tasks"},
}

LIBRARIES: dict[str, set[str]] = {
    "inventory": {"yaml", "dotenv"},
    "engines": {"docker", "psutil", "platformdirs"},
    "clients": {"huggingface_hub", "requests", "urllib3"},
    "store": {"peewee", "playhouse", "platformdirs"},
    "gpu": {"pynvml"},
    "ui": {"rich"},
    "core": {"jsonschema"},
    "embedded": {"xllamacpp"},
    "modeltype": {"platformdirs"},
    "app": {"platformdirs"},
    "cli": {"invoke", "platformdirs"},
    "tasks.py": {"invoke"},
}


def package_of(path: Path) -> str:
    """`engines` for llmstack/engines/docker.py, `app` for llmstack/app.py."""
    parts = path.relative_to(ROOT).parts
    return parts[0] if parts[0] != "llmstack" else Path(parts[1]).stem


def own(found: Import) -> set[str]:
    """The packages of llmstack that an import names; facts of the package itself (`__version__`) belong to all."""
    parts = found.module.split(".")
    if parts[0] != "llmstack":
        return set()
    if len(parts) > 1:
        return {parts[1]}
    return {name for name in found.names if not name.startswith("__")}


@pytest.mark.parametrize("path", product(), ids=short)
def test_imports_point_downwards_only(path: Path) -> None:
    package = package_of(path)
    allowed = MAY_IMPORT[package] | {package}
    assert {name for found in imports(path) for name in own(found)} - allowed == set()


@pytest.mark.parametrize("path", product(), ids=short)
def test_each_library_has_one_home(path: Path) -> None:
    roots = {found.module.split(".")[0] for found in imports(path) if not found.for_types} - {"llmstack"}
    assert roots - set(sys.stdlib_module_names) - LIBRARIES.get(package_of(path), set()) == set()


def test_no_import_cycle() -> None:
    graph = {name: _neighbours(path) for name, path in _modules().items()}
    done: set[str] = set()
    for name in graph:
        _walk(name, graph, (), done)


def test_the_table_knows_every_package() -> None:
    assert {package_of(path) for path in product()} <= set(MAY_IMPORT)


def _modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in product()
    }


def _neighbours(path: Path) -> set[str]:
    modules = _modules()
    eager = [found for found in imports(path) if not (found.lazy or found.for_types)]
    named = {name for found in eager for name in _named(found, modules)}
    return {name for name in named if name in modules and modules[name] != path}


def _named(found: Import, modules: Iterable[str]) -> set[str]:
    """The modules that an import names: `from package import module` is the module, not the package."""
    inner = {f"{found.module}.{name}" for name in found.names}
    return inner if inner and inner <= set(modules) else inner | {found.module}


def _walk(name: str, graph: dict[str, set[str]], trail: tuple[str, ...], done: set[str]) -> None:
    assert name not in trail, f"import cycle: {' -> '.join((*trail[trail.index(name) :], name))}"
    if name not in done:
        for neighbour in graph[name]:
            _walk(neighbour, graph, (*trail, name), done)
        done.add(name)
