"""Overrides that llmstack writes itself, in a file of its own among the variables of a host."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any, Final

import yaml

from llmstack.domain.inquiry import Remedy
from llmstack.errors import ConfigError
from llmstack.inventory.files import read_text
from llmstack.inventory.tree import OVERRIDES
from llmstack.inventory.varfiles import FIXES, SUFFIXES

FOLDER: Final = "host_vars"
HEAD: Final = "# Written by `why --fix`. To undo a fix, delete it here, or this file.\n"


def fix(inventory: Path, host: str, remedies: Sequence[Remedy]) -> tuple[Path, str, str]:
    """The file that holds the fixes for a host, what it holds (empty where it is not there), and what it is to hold.

    Raises ConfigError where the variables of the host stand in a single file, which is for its owner to change.
    """
    folder = inventory.parent / FOLDER
    single = next((path for end in SUFFIXES if (path := folder / f"{host}{end}").is_file()), None)
    wanted = reduce(_laid, map(_wish, remedies))
    if single:
        raise ConfigError(f"the variables of {host} are in {single}, which `why` leaves alone", f"add: {_text(wanted)}")
    path = folder / host / FIXES
    old = read_text(path, str(path)) if path.exists() else ""
    try:
        there = yaml.safe_load(old) or {}
    except yaml.YAMLError:
        there = None
    if not isinstance(there, dict):
        raise ConfigError(f"{path} is not as `why --fix` wrote it", "mend it, or move it away")
    return path, old, f"{HEAD}{yaml.safe_dump(_laid(there, wanted), sort_keys=False)}"


def _wish(remedy: Remedy) -> Any:
    keys = (OVERRIDES, remedy.entry, *remedy.key.split("."))
    return reduce(lambda inner, name: {name: inner}, reversed(keys), remedy.value)


def _laid(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {**below, **{name: _laid(below.get(name), value) for name, value in above.items()}}


def _text(value: Any) -> str:
    """On one line, as it can stand in a file of variables."""
    return yaml.safe_dump(value, default_flow_style=True, width=1000).strip()[1:-1]
