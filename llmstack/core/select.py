"""PURE: which placements and models a selection means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from llmstack.core.desired import Wanted
from llmstack.domain.names import nearest
from llmstack.domain.selection import Selection
from llmstack.domain.service import ModelSpec
from llmstack.errors import NoMatchError


@dataclass(frozen=True, slots=True)
class Picked:
    """A placement that is meant, with the models of it that are meant: all of them, or those that were named
    (`by_model`)."""

    wanted: Wanted
    models: tuple[ModelSpec, ...] = ()
    by_model: bool = False


def pick(wanted: Sequence[Wanted], selection: Selection, *, dependencies: bool) -> tuple[Picked, ...]:
    """What `selection` means, dependencies first where `dependencies` pulls them in.

    Raises NoMatchError for a name that is none, or a selection that leaves nothing.
    """
    _check(wanted, selection)
    picked = {item.target: found for item in wanted if (found := _pick_one(item, selection))}
    if not picked and not selection.everything:
        raise NoMatchError("nothing is both of that name and on that host", "llmstack status shows what runs where")
    if dependencies:
        for item in _closure([found.wanted for found in picked.values()], wanted):
            picked.setdefault(item.target, Picked(item))
    return tuple(picked[item.target] for item in in_order(wanted) if item.target in picked)


def in_order(wanted: Sequence[Wanted]) -> tuple[Wanted, ...]:
    """What others depend on first; otherwise as in the inventory."""
    done: dict[str, None] = {}
    by_name: dict[str, list[Wanted]] = {}
    for item in wanted:
        by_name.setdefault(item.target.name, []).append(item)

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in done or name in path or name not in by_name:
            return
        for needed in by_name[name][0].placement.service.depends_on:
            visit(needed, (*path, name))
        done[name] = None

    for name in by_name:
        visit(name, ())
    return tuple(item for name in done for item in by_name[name])


def _pick_one(item: Wanted, selection: Selection) -> Picked | None:
    placement = item.placement
    if selection.hosts and not ({placement.host.name, *placement.host.groups} & set(selection.hosts)):
        return None
    models = tuple(model for model in placement.models if {model.name, *model.aliases} & set(selection.models))
    if models:
        return Picked(item, models, by_model=True)
    named = placement.service.name in (*selection.models, *selection.services)
    return Picked(item, placement.models) if named or not (selection.models or selection.services) else None


def _closure(start: Iterable[Wanted], wanted: Sequence[Wanted]) -> list[Wanted]:
    names = [name for item in start for name in item.placement.service.depends_on]
    found: dict[object, Wanted] = {}
    while names:
        name = names.pop()
        for item in wanted:
            if item.target.name == name and item.target not in found:
                found[item.target] = item
                names += item.placement.service.depends_on
    return list(found.values())


def _check(wanted: Sequence[Wanted], selection: Selection) -> None:
    models = [name for item in wanted for model in item.placement.models for name in (model.name, *model.aliases)]
    services = [item.placement.service.name for item in wanted]
    hosts = [name for item in wanted for name in (item.placement.host.name, *item.placement.host.groups)]
    listing = {"models": models, "services": services}
    _known("model or service", selection.models, [*models, *services], listing)
    _known("service", selection.services, services, listing)
    _known("host or group", selection.hosts, hosts, {"hosts": hosts})


def _known(kind: str, names: Iterable[str], known: Sequence[str], listing: Mapping[str, Sequence[str]]) -> None:
    for name in names:
        if name not in known:
            near = nearest(name, known)
            lines = "     ".join(
                f"{word}: {' '.join(dict.fromkeys(words)) or 'none'}" for word, words in listing.items()
            )
            question = f" Did you mean '{near}'?" if near else ""
            raise NoMatchError(f"no {kind} '{name}' in the inventory.{question}", lines, name=name, suggestion=near)
