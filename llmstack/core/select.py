"""PURE: which placements and models a selection means."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from llmstack.core.desired import Wanted
from llmstack.domain.names import nearest
from llmstack.domain.selection import Selection
from llmstack.domain.service import ModelSpec
from llmstack.errors import NoMatchError

Listing = Mapping[str, Sequence[str]]
"""Names by what they are of."""


@dataclass(frozen=True, slots=True)
class Picked:
    """A placement that is meant, with the models of it that are meant: all of them, or those that were named
    (`by_model`)."""

    wanted: Wanted
    models: tuple[ModelSpec, ...] = ()
    by_model: bool = False


def pick(wanted: Sequence[Wanted], selection: Selection, *, dependencies: bool) -> tuple[Picked, ...]:
    """What `selection` (with names of hosts or groups, not patterns) means, dependencies first where `dependencies`
    pulls them in. A name may be `name@host`.

    Raises NoMatchError for a name that is none, or a selection that leaves nothing.
    """
    _check(wanted, selection)
    picked = {item.target: found for item in wanted if (found := _pick_one(item, selection))}
    if not picked and not selection.everything:
        raise NoMatchError("these names, hosts and tags leave nothing", "llmstack status shows what runs where")
    if dependencies:
        for item in _closure([found.wanted for found in picked.values()], wanted):
            if not _excluded(item, selection):
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
    """All of a placement, some of its models, or nothing."""
    placement = item.placement
    if _excluded(item, selection) or not _among(_places(item), selection.hosts):
        return None
    picked = {*selection.models, *selection.services}
    whole = not picked or bool(_at(item, [placement.service.name]) & picked)
    kept = [model for model in placement.models if not _names(model) & set(selection.exclude)]
    named = [model for model in kept if _at(item, _names(model)) & set(selection.models)]
    asked = named or (kept if whole else [])
    if not _among(placement.service.tags, selection.tags):
        whole, asked = False, [model for model in asked if _among(model.tags, selection.tags)]
    by_model = bool(named) or not whole or len(asked) < len(placement.models)
    return Picked(item, tuple(asked), by_model=by_model) if asked or whole else None


def _at(item: Wanted, names: Iterable[str]) -> set[str]:
    """Each name, alone and with its host."""
    return {spelled for name in names for spelled in (name, f"{name}@{item.placement.host.name}")}


def _among(words: Iterable[str], wanted: Collection[str]) -> bool:
    """Whether one of `words` is wanted; nothing wanted means all."""
    return not wanted or not set(wanted).isdisjoint(words)


def _excluded(item: Wanted, selection: Selection) -> bool:
    return bool(selection.exclude) and _among({item.target.name, *_places(item)}, selection.exclude)


def _places(item: Wanted) -> tuple[str, ...]:
    return (item.placement.host.name, *item.placement.host.groups)


def _names(model: ModelSpec) -> set[str]:
    return {model.name, *model.aliases}


def _all_names(item: Wanted) -> set[str]:
    return {item.placement.service.name}.union(*map(_names, item.placement.models))


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
    hosts = [name for item in wanted for name in _places(item)]
    tags = [tag for item in wanted for tag in item.placement.service.tags]
    tags += [tag for item in wanted for model in item.placement.models for tag in model.tags]
    told = any("@" in name for name in (*selection.models, *selection.services))
    pairs = [pair for item in wanted for pair in _at(item, _all_names(item)) if "@" in pair] if told else []
    listing, beside = {"models": models, "services": services}, {"host": hosts, "tags": tags}
    _known("model or service", selection.models, [*models, *services, *pairs], listing, beside)
    _known("service", selection.services, [*services, *pairs], listing, beside | {"model": models})
    all_listed = listing | {"hosts": hosts}
    _known("model, service, host or group", selection.exclude, [*models, *services, *hosts], all_listed, beside)
    _known("tag", selection.tags, tags, {"tags": tags}, beside)


def _known(kind: str, names: Iterable[str], known: Sequence[str], listing: Listing, beside: Listing) -> None:
    """`beside` has the names that other flags take."""
    for name in names:
        if name not in known:
            near = next((f"--{flag} {name}" for flag, words in beside.items() if name in words), nearest(name, known))
            lines = "     ".join(
                f"{word}: {' '.join(dict.fromkeys(words)) or 'none'}" for word, words in listing.items()
            )
            question = f" Did you mean '{near}'?" if near else ""
            raise NoMatchError(f"no {kind} '{name}' in the inventory.{question}", lines, name=name, suggestion=near)
