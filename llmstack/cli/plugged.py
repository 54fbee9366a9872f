"""Tasks of plugins: found by reading their files; one is run when a word of the line is about its tasks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.cli.known import inventory_file
from llmstack.cli.session import Session
from llmstack.cli.task import Verb, verb
from llmstack.errors import LlmstackError, PluginError
from llmstack.pluginfiles import beside_tasks, bundled_folder, checked, files_in, name_of, read, run, task_name

if TYPE_CHECKING:
    import ast

API = "llmstack.tasks"
_LIST = re.compile(r"""^["' ]*plugins["']?\s*:\s*(\[[^]]*]|(?:\n\s*-[^\n]*)+)""", re.MULTILINE)


def plugged(words: Sequence[str], taken: Collection[str], tell: Session) -> tuple[Verb, ...]:
    """The tasks of all plugins for a line of `words`; `taken` are the names of ours. What is wrong with a file costs
    its own tasks alone, and is told."""
    found: list[Verb] = []
    own, listed = (*files_in(bundled_folder()), *beside_tasks), _listed(words)
    for path in (*own, *listed):
        family = name_of(path)
        meant = any(word.partition(".")[0] == family for text in words for word in text.split())
        try:
            tasks = tuple(_tasks(path, meant=meant, listed=path in listed))
            if tasks and family in {name.partition(".")[0] for name in taken}:
                raise PluginError(f"the tasks of {path} would be called like ours", "give the file another name")
            found += tasks
        except LlmstackError as error:
            tell.warn(f"{listed.get(path, '')}{error.message}; its tasks are left out: {error.hint}")
    return tuple(found)


def _tasks(path: Path, *, meant: bool, listed: bool) -> Iterator[Verb]:
    """All tasks of a file. Raises PluginError when it is `listed` or has tasks, and is no Python."""
    if API.encode() not in (checked if listed else read)(path):
        return
    import ast

    for node in ast.parse(checked(path), path).body:
        if isinstance(node, ast.FunctionDef) and any(map(_is_task, node.decorator_list)):
            yield _load(path, node, listed=listed) if meant else _stand_in(path, node)


def _is_task(decorator: ast.expr) -> bool:
    import ast

    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Name) and called.id == "task"


def _load(path: Path, node: ast.FunctionDef, *, listed: bool) -> Verb:
    """The task itself; where its file cannot be run, one that says so."""
    try:
        found = getattr(run(path, listed=listed), node.name)
        assert isinstance(found, Verb), f"{node.name} is no task"
    except PluginError as error:
        return _stand_in(path, node, error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plugin does, it harms itself alone
        message = f"plugin {path.name} cannot be loaded: {type(error).__name__}: {error}"
        return _stand_in(path, node, PluginError(message, f"repair or remove {path}"))
    return found


def _stand_in(path: Path, node: ast.FunctionDef, error: PluginError | None = None) -> Verb:
    """A task that is only to be listed, or cannot be run."""

    def run(_: Session) -> int:
        raise error or PluginError(f"{path.name} was not loaded", "name its task in the line")

    import ast

    run.__doc__, run.__name__ = ast.get_docstring(node) or "", node.name
    made = verb(name=task_name(path.stem, node.name))(run)
    made.error = error
    return made


def _listed(words: Sequence[str]) -> Mapping[Path, str]:
    """The plugins that the inventory of the line lists, and where."""
    named = re.search(r"(?:^| )(?:-i|--inventory)[ =]?(\S+)", " ".join(words))
    file = inventory_file(named[1] if named else None)
    try:
        text = file.read_text(encoding="utf-8") if file and file.is_file() else ""
    except (OSError, ValueError):
        text = ""
    found = {}
    for names in _LIST.finditer(text):
        for name in re.finditer(r"[\w./~-]+\.py", names[1]):
            line = text.count("\n", 0, names.start(1) + name.start()) + 1
            found[Path(file or "").parent / name[0]] = f"{file and file.name}:{line}: "
    return {path: place for path, place in found.items() if path not in beside_tasks and path.is_file()}
