"""Find the class of a type by its name; a plugin is loaded when its type is asked for."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import is_dataclass
from pathlib import Path
from types import ModuleType

import llmstack
from llmstack.errors import PluginError
from llmstack.modeltype.base import ModelType
from llmstack.modeltype.families import Family

_PACKAGE = Path(llmstack.__file__).parent


def bundled_folder() -> Path:
    """`plugins/` of a checkout, or the copy inside an installed wheel."""
    installed = _PACKAGE / "_plugins"
    return installed if installed.is_dir() else _PACKAGE.parent / "plugins"


class Registry:
    """Types by name, from one folder of plugins: type `open-webui` lives in `open_webui.py`."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or bundled_folder()
        self._types: dict[str, ModelType] = {}

    def names(self) -> tuple[str, ...]:
        """All type names, told by the files; loads none."""
        return tuple(sorted(path.stem.replace("_", "-") for path in self.folder.glob("[!_]*.py")))

    def get(self, name: str) -> ModelType | None:
        """The type, None when there is no plugin for it. Raises PluginError when the plugin is broken."""
        if name not in self._types:
            path = self.folder / f"{name.replace('-', '_')}.py"
            if name not in self.names():
                return None
            self._types[name] = _load(path, name)
        return self._types[name]


def _load(path: Path, name: str) -> ModelType:
    hint = f"repair or remove {path}"
    try:
        return _type_of(_run(path), name)
    except (Exception, SystemExit) as error:
        said = str(error) if isinstance(error, _UnfitError) else f"{type(error).__name__}: {error}"
        raise PluginError(f"plugin {path.name} cannot be loaded: {said}", hint) from error


class _UnfitError(Exception):
    """What a plugin lacks."""


def _type_of(module: ModuleType, name: str) -> ModelType:
    types: list[type[ModelType]] = [value for value in vars(module).values() if _is_type(value, module.__name__)]
    found = [value for value in dict.fromkeys(types) if getattr(value, "name", None) == name]
    if len(found) != 1:
        raise _UnfitError(f"it should define one ModelType named '{name}', it defines {len(found)}")
    if not isinstance(getattr(found[0], "family", None), Family):
        raise _UnfitError(f"{found[0].__name__}.family should be a Family")
    if not is_dataclass(found[0].Options):
        raise _UnfitError(f"{found[0].__name__}.Options should be a dataclass")
    return found[0]()


def _run(path: Path) -> ModuleType:
    """Load by path under a private name, so that a plugin can shadow nothing."""
    name = f"llmstack_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _is_type(value: object, module: str) -> bool:
    return isinstance(value, type) and issubclass(value, ModelType) and value.__module__ == module
