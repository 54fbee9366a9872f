"""The product's own source, read as syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module: `lazy` when it happens in a function, `for_types` when it never does."""

    module: str
    names: tuple[str, ...]
    lazy: bool
    for_types: bool


@cache
def product() -> tuple[Path, ...]:
    """Every Python file that a user runs."""
    folders = (ROOT / "llmstack", ROOT / "plugins")
    return (*(ROOT.glob("tasks.py")), *(path for folder in folders for path in sorted(folder.rglob("*.py"))))


def short(path: Path) -> str:
    """The path as a reader of the repository knows it."""
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def imports(path: Path) -> tuple[Import, ...]:
    """All imports of a file, wherever they stand."""
    return tuple(_imports(tree(path), lazy=False, for_types=False))


def _imports(node: ast.AST, *, lazy: bool, for_types: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, (), lazy, for_types) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"relative import in line {child.lineno}"
            yield Import(child.module or "", tuple(alias.name for alias in child.names), lazy, for_types)
        else:
            checked = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
            yield from _imports(child, lazy=lazy or isinstance(child, Function), for_types=for_types or checked)


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function of a file with its number of lines, docstring aside."""
    for node in ast.walk(tree(path)):
        if isinstance(node, Function):
            doc = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
            doc_lines = (doc.end_lineno or 0) - doc.lineno + 1 if doc else 0
            yield node.name, (node.end_lineno or 0) - node.lineno + 1 - doc_lines


def code_lines(path: Path) -> int:
    """Lines that do something: no blank ones, comments and docstrings."""
    documented = [
        node.body[0]
        for node in ast.walk(tree(path))
        if isinstance(node, Function | ast.ClassDef | ast.Module) and ast.get_docstring(node, clean=False) is not None
    ]
    prose = {line for doc in documented for line in range(doc.lineno, (doc.end_lineno or 0) + 1)}
    lines = enumerate((line.strip() for line in path.read_text(encoding="utf-8").splitlines()), start=1)
    return sum(1 for number, line in lines if number not in prose and line and not line.startswith("#"))
