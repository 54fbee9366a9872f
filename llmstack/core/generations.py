"""PURE: which copy of a volume is in force in a stack, which comes next, and which are over.

A volume `data` is replaced by its copies `data.1`, `data.2`, ...: a replace fills the next one and leaves the one in
force untouched, so that going back restores it exactly.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence

from llmstack.core.desired import Wanted
from llmstack.domain.instance import Instance, InstanceSpec
from llmstack.errors import PreflightError

Made = Mapping[str, str]
"""The volumes of a stack on a host, each with the service that it was made for."""
SETTLED_S = 3600.0
"""After this long an instance is no half-done replace, though its old one is still there: it has been used."""


def settled(there: Instance, now: float) -> bool:
    """Whether what it wrote counts, although nobody saw it proved; `now` in seconds since the epoch."""
    return there.created_at is not None and now - there.created_at > SETTLED_S


def stateful(wanted: Wanted) -> bool:
    """Whether its volumes are copied before a replace: as the service says, else as its type does."""
    said = wanted.placement.service.stateful
    return said if said is not None else wanted.type is not None and wanted.type.stateful


def in_force(
    spec: InstanceSpec, made: Made, old: InstanceSpec | None = None, others: Sequence[InstanceSpec] = ()
) -> InstanceSpec:
    """`spec` with each volume that it names as that is now: the copy that its old instance mounts, else the one that
    the `others` of its stack mount, else the one that there is.

    Raises PreflightError when there are two, so that only a person can tell which of them holds the data.
    """
    return _with(spec, _in_force(spec, made, old, others))


def next_after(
    spec: InstanceSpec, names: Iterable[str], old: InstanceSpec, folders: Container[str] | None = None
) -> InstanceSpec:
    """`spec`, whose volumes are those in force, with a fresh copy of each that the old instance mounts too, and that is
    mounted in one of `folders` (None: anywhere)."""
    found, chosen = tuple(names), _in_force(spec, {}, spec, ())
    meant = {mount.source for mount in spec.volumes if folders is None or mount.folder in folders}
    for source in old.own.keys() & meant:
        chosen[source] = 1 + max((chosen[source], *_generations(spec, source, found)))
    return _with(spec, chosen)


def superseded(spec: InstanceSpec, made: Made, old: InstanceSpec | None = None) -> tuple[str, ...]:
    """What an instance of `spec` has left behind: other copies of its volumes that were made for its service, and those
    that the old instance mounts."""
    before = old.own.values() if old else ()
    found = [name for name, service in made.items() if service == spec.service or name in before]
    copies = [_name(source, number) for source in spec.own for number in _generations(spec, source, found)]
    return tuple(name for name in copies if name not in spec.own.values())


def copied(spec: InstanceSpec, old: InstanceSpec) -> bool:
    """Whether a volume of the old instance is another one in `spec`."""
    return any(old.own.get(source, name) != name for source, name in spec.own.items())


def _in_force(
    spec: InstanceSpec, made: Made, old: InstanceSpec | None, others: Sequence[InstanceSpec]
) -> dict[str, int]:
    chosen, own = {}, {name for name, service in made.items() if service == spec.service}
    for source in spec.sources:
        names = _mounted(source, (old,) if old else ())
        if not names and (names := _mounted(source, others)):
            names |= own
        found = _generations(spec, source, names or made)
        if len(found) > 1:
            raise _ambiguous(spec, source, [_name(source, number) for number in found])
        chosen[source] = found[0] if found else 0
    return chosen


def _mounted(source: str, specs: Iterable[InstanceSpec]) -> set[str]:
    """What a volume is to instances that name it."""
    mounts = ((spec, mount) for spec in specs for mount in spec.mounts if mount.volume and mount.source == source)
    return {spec.volume_name(mount) for spec, mount in mounts}


def _ambiguous(spec: InstanceSpec, source: str, names: list[str]) -> PreflightError:
    return PreflightError(
        f"{spec.target} is to mount volume {source}, and there is more than one of it: {', '.join(names)}",
        "remove the one that is not wanted, with what mounts it: docker volume rm NAME (after an interrupted replace "
        f"{names[-1]} may be half a copy)",
    )


def _generations(spec: InstanceSpec, source: str, names: Collection[str]) -> list[int]:
    """The numbers of a volume and its copies among `names`; a volume that is mounted by its own name is no copy."""
    found = (name.rpartition(".") for name in names if name not in spec.sources)
    copies = [int(number) for head, _, number in found if head == source and number.isdecimal()]
    return sorted([*copies, *([0] if source in names else [])])


def _name(source: str, number: int) -> str:
    return f"{source}.{number}" if number else source


def _with(spec: InstanceSpec, chosen: Mapping[str, int]) -> InstanceSpec:
    copies = " ".join(_name(source, number) for source, number in chosen.items() if number)
    return spec.with_decided(volumes=copies) if copies or "volumes" in spec.decided else spec
