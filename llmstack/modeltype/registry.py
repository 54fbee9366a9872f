"""Find the class of a type by its name; a plugin is loaded when its type is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import is_dataclass
from pathlib import Path
from types import ModuleType

from llmstack.errors import PluginError
from llmstack.modeltype.base import ModelType
from llmstack.modeltype.families import Family
from llmstack.pluginfiles import bundled_folder, files_in, name_of, run


class Registry:
    """Types by name, from one folder of plugins and from `more` files: type `open-webui` lives in `open_webui.py`. Of
    two files of one name that of the folder is taken."""

    def __init__(self, folder: Path | None = None, more: Iterable[Path] = ()) -> None:
        self.folder = folder or bundled_folder()
        self._more = tuple(more)
        self._types: dict[str, ModelType] = {}

    def names(self) -> tuple[str, ...]:
        """All type names, told by the files; loads none."""
        return tuple(sorted(self._files()))

    def get(self, name: str) -> ModelType | None:
        """The type, None when there is no plugin for it. Raises PluginError when the plugin is broken."""
        if name not in self._types:
            path = self._files().get(name)
            if path is None:
                return None
            self._types[name] = _load(path, name, listed=path in self._more)
        return self._types[name]

    def _files(self) -> dict[str, Path]:
        files = {name_of(path): path for path in (*self._more, *files_in(self.folder))}
        return {name: path for name, path in files.items() if not _only_tasks(path)}


def _only_tasks(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "llmstack.tasks" in text and "ModelType" not in text


def _load(path: Path, name: str, *, listed: bool) -> ModelType:
    hint = f"repair or remove {path}"
    try:
        return _type_of(run(path, listed=listed), name)
    except PluginError:
        raise
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


def _is_type(value: object, module: str) -> bool:
    return isinstance(value, type) and issubclass(value, ModelType) and value.__module__ == module
