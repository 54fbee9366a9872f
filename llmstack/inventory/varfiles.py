"""`group_vars/` and `host_vars/` beside the inventory, found as Ansible finds them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from llmstack.domain.names import nearest
from llmstack.domain.position import Position
from llmstack.errors import ConfigError, refused
from llmstack.inventory.compose import REFER, compose
from llmstack.inventory.files import read_text, refuse_foreign, refuse_strangers
from llmstack.inventory.nodes import Node, Problems, listed

SUFFIXES: Final = ("", ".yml", ".yaml", ".json")
MAX_FILES, MAX_DEPTH = 20_000, 8
_LINES: Final = "write NAME: value in each line"
FIXES: Final = "llmstack-fixes.yaml"
"""What `why --fix` writes; it is laid over the other files of a host."""
VAULT: Final = "$ANSIBLE_VAULT"

Table = Mapping[str, Node]


def read_table(path: Path, shown: str, problems: Problems) -> Table:
    """The variables of a file, which is called `shown`; an empty one has none. Raises ConfigError."""
    text = problems.sources[shown] = read_text(path, shown)
    at = Position(shown, 1, 1)
    if text.startswith(VAULT):
        problems.add(at, "E002", "Ansible's vault cannot be read here", REFER)
        return {}
    refuse_foreign(text, shown, problems, _LINES)
    node = compose(text, shown, problems)
    if node.value is not None and not isinstance(node.value, dict):
        problems.add(node.at, "E010", "variables are a mapping (name: value)", _LINES)
    return node.table


class VarFiles:
    """The folders beside one inventory. `shown` is that inventory's path as messages write it."""

    def __init__(self, folder: Path, shown: str, problems: Problems) -> None:
        self._folder, self._beside, self._problems = folder, os.path.dirname(shown), problems
        self._names: dict[str, frozenset[str]] = {}
        self._left = MAX_FILES

    def tables(self, kind: str, name: str) -> Iterator[Table]:
        """The variables of a group (`group_vars`) or a host (`host_vars`), file by file; later ones win."""
        for path in sorted(self._paths(kind, name), key=lambda path: path.name == FIXES):
            self._spend(path)
            yield read_table(path, self._shown(path), self._problems)

    def unused(self, **known: Collection[str]) -> Iterator[str]:
        """What is wrong with the files of names that no group (`group_vars`) or host (`host_vars`) has."""
        for kind, names in known.items():
            for file in sorted(self._names.get(kind, ())):
                stem, suffix = os.path.splitext(file)
                name = stem if suffix in SUFFIXES else file
                near = nearest(name, names)
                if name not in names and file not in names and (near or suffix in SUFFIXES):
                    advice = f"did you mean '{near}'?" if near else f"known: {listed(names)}"
                    yield f"{self._shown(self._folder / kind / file)} is read for nothing called '{name}'; {advice}"

    def _paths(self, kind: str, name: str) -> Iterator[Path]:
        if kind not in self._names:
            refuse_strangers(self._folder / kind)
            self._names[kind] = frozenset(self._listed(self._folder / kind))
        found = [file for suffix in SUFFIXES if (file := f"{name}{suffix}") in self._names[kind]]
        if len(found) > 1:
            at = Position(self._shown(self._folder / kind / found[1]), 1, 1)
            message = f"{kind} holds {' and '.join(found)} for '{name}'; only the first would be read"
            self._problems.add(at, "E043", message, "put them into one file, or into a folder of that name")
        for each in found[:1]:
            path = self._folder / kind / each
            yield from self._below(path) if path.is_dir() else [path]

    def _below(self, folder: Path, depth: int = 0) -> Iterator[Path]:
        """The files of a folder in the order of their names, those of its folders among them."""
        for name in self._listed(folder):
            path, suffix = folder / name, Path(name).suffix
            if path.is_dir() and not suffix and depth < MAX_DEPTH:
                yield from self._below(path, depth + 1)
            elif path.is_file() and suffix in SUFFIXES:
                yield path

    def _listed(self, folder: Path) -> list[str]:
        """What a folder holds, without hidden files and backups; nothing where there is none."""
        self._spend(folder)
        what, hint = f"the folder {self._shown(folder)} cannot be read", f"look at its permissions: ls -ld {folder}"
        with refused(ConfigError, what, hint):
            names = os.listdir(folder) if folder.is_dir() else []
        return sorted(name for name in names if not (name.startswith(".") or name.endswith("~")))

    def _spend(self, path: Path) -> None:
        self._left -= 1
        if self._left < 0:
            at = Position(self._shown(path), 1, 1)
            self._problems.fail(at, "E004", f"more than {MAX_FILES} files and folders with variables")

    def _shown(self, path: Path) -> str:
        return os.path.join(self._beside, path.relative_to(self._folder))
