"""The names of an inventory for completion: read once, and kept until its file changes."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmstack.domain.names import INVENTORY_FILES
from llmstack.errors import LlmstackError

Names = Mapping[str, Sequence[str]]
_FIT = re.compile(r"[\w.@:+/-]+")
"""What may be put into somebody's command line."""


def names_of(path: str | None) -> Names:
    """Names by kind (models, services, hosts, groups, tags); none where no inventory can be read."""
    try:
        file = inventory_file(path)
        return _names(file) if file else {}
    except OSError:
        return {}


def inventory_file(named: str | None) -> Path | None:
    """The inventory that is named, else that of the environment, else the nearest from here upwards."""
    if named := named or os.environ.get("LLMSTACK_INVENTORY"):
        return Path(named).expanduser().absolute()
    here = Path.cwd()
    found = (folder / name for folder in (here, *here.parents) for name in INVENTORY_FILES)
    return next(filter(Path.is_file, found), None)


def _names(file: Path) -> Names:
    from platformdirs import user_cache_path

    facts, digest = file.stat(), hashlib.sha256(str(file).encode()).hexdigest()
    stamp, place = [facts.st_mtime_ns, facts.st_size], user_cache_path("llmstack") / f"names-{digest[:16]}.json"
    kept = _kept(place)
    if kept.get("stamp") != stamp:
        kept = {"stamp": stamp, "names": _read(file) or kept.get("names", {})}
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.write_text(json.dumps(kept), encoding="utf-8")
    names: Names = kept["names"]
    return names


def _kept(place: Path) -> dict[str, Any]:
    try:
        kept = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) and isinstance(kept.get("names"), dict) else {}


def _read(file: Path) -> Names:
    """By the real reader, which takes its time; nothing of an inventory with mistakes."""
    from llmstack.app import App
    from llmstack.domain.event import Nobody
    from llmstack.domain.selection import Settings

    try:
        inventory = App(Settings(inventory=str(file)), Nobody()).inventory
    except LlmstackError:
        return {}
    services = [placement.service for placement in inventory.placements]
    models = [model for placement in inventory.placements for model in placement.models]
    found: dict[str, Iterable[str]] = {
        "models": [name for model in models for name in (model.name, *model.aliases)],
        "services": [service.name for service in services],
        "hosts": inventory.hosts,
        "groups": inventory.groups,
        "tags": [tag for tags in (*(one.tags for one in services), *(one.tags for one in models)) for tag in tags],
    }
    return {kind: sorted({name for name in names if _FIT.fullmatch(name)}) for kind, names in found.items()}


def run_ids() -> list[str]:
    """Those of the last runs; none where the store cannot be read."""
    from llmstack.app import App
    from llmstack.domain.event import Nobody
    from llmstack.domain.selection import Settings

    try:
        return [run.id for run in App(Settings(), Nobody()).history()]
    except LlmstackError:
        return []
