"""Finds and reads the inventory's file, and `.env` beside it."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dotenv.parser import parse_stream

from llmstack.domain.names import INVENTORY_FILES
from llmstack.domain.position import Position
from llmstack.errors import ConfigError, NoInventoryError, refused
from llmstack.inventory.nodes import Node, Problems

MAX_BYTES: Final = 10 * 1024 * 1024
MAX_ENV_BYTES: Final = 256 * 1024

_INI: Final = re.compile(r"^(?:\[[\w.-]+(?::\w+)?\][ \t]*(?:[#;].*)?$|(?!-)[\w.-]*[^\s:#][ \t]+\w+=)", re.MULTILINE)


def find(path: str | None, environ: Mapping[str, str], cwd: str) -> tuple[Path, str]:
    """The inventory that is named, or the nearest one from `cwd` upwards; and its path as messages write it.

    Raises NoInventoryError when none is named and none found, ConfigError when it is not clear which one is meant.
    """
    start = Path(cwd).absolute()
    if named := path or environ.get("LLMSTACK_INVENTORY"):
        return start / os.path.expanduser(named), named
    for folder in (start, *start.parents):
        if found := [folder / name for name in INVENTORY_FILES if (folder / name).exists()]:
            return _the_one(found), os.path.relpath(found[0], start)
    hint = "llmstack init writes one; or name one: --inventory FILE"
    raise NoInventoryError(f"no inventory in {start} or above it", hint)


def _the_one(found: list[Path]) -> Path:
    path = found[0]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise ConfigError(f"{path.parent} holds {names}", "name one of them with --inventory, or remove the other")
    refuse_strangers(path, f"look at it, then name it: --inventory {path}")
    return path


def refuse_strangers(path: Path, hint: str = "look at it, and give the inventory a folder of its own") -> None:
    """Raises ConfigError for what somebody else may have left beside an inventory."""
    shared = path.exists() and path.parent.stat().st_mode & 0o002
    if shared and path.stat().st_uid not in (0, os.getuid()):
        raise ConfigError(f"{path} belongs to somebody else, in a folder that everybody can write to", hint)


def read_text(path: Path, shown: str, what: str = "file", most: int = MAX_BYTES) -> str:
    """The text of a file of at most `most` bytes. Raises ConfigError when it cannot be read, InventoryError when it is
    not UTF-8."""
    raw = _bytes(path, f"the {what} {shown}", most)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = Position(shown, raw.count(b"\n", 0, error.start) + 1, 1)
        Problems("", shown).fail(at, "E001", "this line is not UTF-8 text", "save the file as UTF-8")
    return text.replace("\t", " ") if path.suffix == ".json" else text


def refuse_foreign(text: str, shown: str, problems: Problems, fix: str) -> None:
    """Raises InventoryError for a file of Ansible's that is no YAML."""
    program = text.startswith("#!") or shown.endswith(".py")
    ini = None if program else _INI.search(text)
    if program or ini:
        at = Position(shown, text.count("\n", 0, ini.start()) + 1 if ini else 1, 1)
        problems.fail(at, "E001", f"this is {'INI' if ini else 'a program'}, which only Ansible reads", fix)


def _bytes(path: Path, named: str, most: int) -> bytes:
    with refused(ConfigError, f"{named} cannot be read", f"look at its permissions: ls -l {path}"):
        if not path.is_file():
            what = "is no regular file" if path.exists() else "is not there"
            inside = next((path / name for name in INVENTORY_FILES if (path / name).is_file()), None)
            hint = f"did you mean '{inside}'?" if inside else "look at --inventory, LLMSTACK_INVENTORY and -e"
            raise ConfigError(f"{named} {what}", hint)
        with path.open("rb") as file:
            raw = file.read(most + 1)
    if len(raw) > most:
        size = f"{most >> 20} MiB" if most >> 20 else f"{most >> 10} KiB"
        raise ConfigError(f"{named} is larger than {size}", "name an inventory, not a data file")
    return raw


def read_dotenv(path: Path, shown: str, problems: Problems) -> dict[str, Node]:
    """The variables of a `.env`, taken literally; lines that cannot be read are noted."""
    found: dict[str, Node] = {}
    if not path.is_file():
        return found
    refuse_strangers(path)
    for binding in parse_stream(io.StringIO(read_text(path, shown, most=MAX_ENV_BYTES))):
        at = Position(shown, binding.original.line, 1)
        if binding.error:
            problems.add(at, "E042", "cannot read this line", "write NAME=value")
        elif binding.key and binding.value is not None:
            found[binding.key] = Node(at, binding.value, binding.value)
    return found
