"""Files with plugins: where they are, which of them may be run, and how they are run."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import sys
from pathlib import Path
from types import ModuleType

from llmstack.errors import PluginError, refused

_PACKAGE = Path(__file__).parent
MODULE = "llmstack_plugin_"
"""How the name of a plugin's module begins, so that it can shadow nothing."""

beside_tasks: list[Path] = []
"""The plugins beside the tasks.py that Invoke has loaded: whoever runs that runs these."""


def bundled_folder() -> Path:
    """`plugins/` of a checkout, or the copy inside an installed wheel."""
    installed = _PACKAGE / "_plugins"
    return installed if installed.is_dir() else _PACKAGE.parent / "plugins"


def files_in(folder: Path) -> tuple[Path, ...]:
    """The plugins of a folder."""
    return tuple(sorted(folder.glob("[!_]*.py")))


def name_of(path: Path) -> str:
    """`open-webui` for open_webui.py."""
    return path.stem.replace("_", "-")


def task_name(stem: str, function: str) -> str:
    """What the task of a function in the file `stem`.py is called."""
    family, own = stem.replace("_", "-"), function.replace("_", "-")
    return family if family == own else f"{family}.{own}"


def run(path: Path, *, listed: bool = False) -> ModuleType:
    """Load by path under a private name; one that is only `listed` by an inventory has to be trusted.

    Raises PluginError for a file that may not be run, and whatever the file raises.
    """
    source = read(path)
    if listed and path not in beside_tasks and _digest(source) not in _known():
        hint = f"look at it, then: llmstack plugins.trust --file {path}"
        raise PluginError(f"{path} is listed by the inventory, but you have not trusted it as it is", hint)
    name = f"{MODULE}{path.stem}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        exec(compile(source, path, "exec", dont_inherit=True), vars(module))  # noqa: S102 - that is what a plugin is
    except BaseException:
        del sys.modules[name]
        raise
    return module


def read(path: Path) -> bytes:
    """What is in a plugin. Raises PluginError when it cannot be read, or others can write it."""
    with refused(PluginError, f"plugin {path} cannot be read", "look at `plugins:`"):
        if path.parent != bundled_folder() and any(map(_others_write, (path, path.parent))):
            raise PluginError(f"others can write {path}, so it is not run", f"chmod go-w {path} {path.parent}")
        return path.read_bytes()


def checked(path: Path) -> bytes:
    """As `read`. Raises PluginError also for what is no Python."""
    source = read(path)
    try:
        compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise PluginError(f"plugin {path.name} is no Python: {error}", f"correct {path}") from error
    return source


def trust(path: Path) -> str:
    """Note that what the file now holds may be run; returns its digest. Raises PluginError."""
    if path.suffix != ".py":
        raise PluginError(f"{path} is no plugin", "a plugin is a Python file, such as speed.py")
    digest, place = _digest(checked(path)), _trusted()
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "a", encoding="utf-8") as file:
        file.write(f"{digest}  {path.name}\n")
    return digest


def _digest(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()


def _known() -> set[str]:
    """The digests that were trusted."""
    place = _trusted()
    lines = place.read_text(encoding="utf-8").splitlines() if place.is_file() else []
    return {line.partition(" ")[0] for line in lines}


def _trusted() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "llmstack" / "trusted-plugins"


def _others_write(path: Path) -> bool:
    """Whether somebody else may change it; the group that has the owner's name is taken for the owner's alone."""
    facts = path.stat()
    if facts.st_mode & 0o020:
        try:
            private = grp.getgrgid(facts.st_gid).gr_name == pwd.getpwuid(facts.st_uid).pw_name
        except KeyError:
            private = False
        if not private:
            return True
    return bool(facts.st_mode & 0o002)
