"""Finds and reads the inventory's file, and `.env` beside it."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dotenv.parser import parse_stream

from llmstack.domain.position import Position
from llmstack.errors import ConfigError, NoInventoryError
from llmstack.inventory.nodes import Problems

NAMES: Final = ("inventory.yaml", "inventory.yml", "inventory.json")
MAX_BYTES: Final = 10 * 1024 * 1024


def find(path: str | None, environ: Mapping[str, str], cwd: str) -> tuple[Path, str]:
    """The inventory that is named, or the nearest one from `cwd` upwards; and its path as messages write it.

    Raises NoInventoryError when none is named and none found, ConfigError when it is not clear which one is meant.
    """
    start = Path(cwd).absolute()
    if named := path or environ.get("LLMSTACK_INVENTORY"):
        return start / os.path.expanduser(named), named
    for folder in (start, *start.parents):
        if found := [folder / name for name in NAMES if (folder / name).exists()]:
            return _the_one(found), os.path.relpath(found[0], start)
    hint = "write an inventory.yaml (six lines do), or name one: --inventory FILE"
    raise NoInventoryError(f"no inventory in {start} or above it", hint)


def _the_one(found: list[Path]) -> Path:
    path = found[0]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise ConfigError(f"{path.parent} holds {names}", "name one of them with --inventory, or remove the other")
    if path.parent.stat().st_mode & 0o002 and path.stat().st_uid not in (0, os.getuid()):
        message = f"{path} belongs to somebody else, in a folder that everybody can write to"
        raise ConfigError(message, f"look at it, then name it: --inventory {path}")
    return path


def read_text(path: Path, shown: str) -> str:
    """The text of a file. Raises ConfigError when it cannot be read, InventoryError when it is not UTF-8."""
    raw = _bytes(path, shown)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = Position(shown, raw.count(b"\n", 0, error.start) + 1, 1)
        Problems("", shown).fail(at, "E001", "this line is not UTF-8 text", "save the file as UTF-8")
    return text.replace("\t", " ") if path.suffix == ".json" else text


def _bytes(path: Path, shown: str) -> bytes:
    try:
        if not path.is_file():
            what = "is no regular file" if path.exists() else "is not there"
            raise ConfigError(f"the inventory {shown} {what}", "look at --inventory and LLMSTACK_INVENTORY")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"the inventory {shown} cannot be read: {error.strerror}"
        raise ConfigError(message, f"look at its permissions: ls -l {shown}") from error
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"the inventory {shown} is larger than 10 MiB", "name an inventory, not a data file")
    return raw


def read_dotenv(folder: str, problems: Problems) -> dict[str, str]:
    """The variables of `.env` in `folder`, taken literally; lines that cannot be read are noted."""
    path = Path(folder, ".env")
    bindings = list(parse_stream(io.StringIO(read_text(path, str(path))))) if path.is_file() else []
    for binding in bindings:
        if binding.error:
            problems.add(Position(str(path), binding.original.line, 1), "E042", "cannot read this line", "NAME=value")
    return {binding.key: binding.value for binding in bindings if binding.key and binding.value is not None}
