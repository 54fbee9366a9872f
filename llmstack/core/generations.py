"""PURE: which copy of a service's volumes is in force, which comes next, and which are over.

A volume `data` is replaced by its copies `data.1`, `data.2`, ...: a replace fills the next one and leaves the one in
force untouched, so that going back restores it exactly.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from llmstack.core.desired import Wanted
from llmstack.domain.instance import Instance, InstanceSpec
from llmstack.errors import PreflightError

SETTLED_S = 3600.0
"""After this long an instance is no half-done replace, though its old one is still there: it has been used."""


def settled(there: Instance, now: float) -> bool:
    """Whether what it wrote counts, although nobody saw it proved; `now` in seconds since the epoch."""
    return there.created_at is not None and now - there.created_at > SETTLED_S


def stateful(wanted: Wanted) -> bool:
    """Whether its volumes are copied before a replace: as the service says, else as its type does."""
    said = wanted.placement.service.stateful
    return said if said is not None else wanted.type is not None and wanted.type.stateful


def in_force(spec: InstanceSpec, names: Iterable[str], old: InstanceSpec | None = None) -> InstanceSpec:
    """`spec` with the volumes that the old instance mounts, else with those there are of `names`.

    Raises PreflightError when there are two of one volume, and no instance tells which of them holds the data.
    """
    return _with(spec, _in_force(spec, tuple(names), old))


def next_after(
    spec: InstanceSpec, names: Iterable[str], old: InstanceSpec, folders: Container[str] | None = None
) -> InstanceSpec:
    """`spec` with a fresh copy of each volume that the old instance mounts, and that is mounted in one of `folders`
    (None: anywhere). Raises PreflightError as `in_force`."""
    found = tuple(names)
    chosen = _in_force(spec, found, old)
    meant = {mount.source for mount in spec.volumes if folders is None or mount.folder in folders}
    for source in {mount.source for mount in old.volumes} & meant:
        chosen[source] = 1 + max((chosen[source], *_generations(spec, source, found)))
    return _with(spec, chosen)


def superseded(spec: InstanceSpec, names: Iterable[str]) -> tuple[str, ...]:
    """Those of `names` that an instance of `spec` has left behind: the other copies of its volumes."""
    found, mounted = tuple(names), {spec.volume_name(mount) for mount in spec.volumes}
    copies = [(mount.source, number) for mount in spec.volumes for number in _generations(spec, mount.source, found)]
    return tuple(name for name in (_name(*copy) for copy in copies) if name not in mounted)


def copied(spec: InstanceSpec, old: InstanceSpec) -> bool:
    """Whether a volume of the old instance is another one in `spec`."""
    before = {mount.source: old.volume_name(mount) for mount in old.volumes}
    return any(before.get(mount.source, name := spec.volume_name(mount)) != name for mount in spec.volumes)


def _in_force(spec: InstanceSpec, names: tuple[str, ...], old: InstanceSpec | None) -> dict[str, int]:
    mounted = {mount.source: old.volume_name(mount) for mount in old.volumes} if old else {}
    chosen = {}
    for source in [mount.source for mount in spec.volumes]:
        found = _generations(spec, source, [mounted[source]] if source in mounted else names)
        if len(found) > 1:
            raise _ambiguous(spec, [_name(source, number) for number in found])
        chosen[source] = found[0] if found else 0
    return chosen


def _ambiguous(spec: InstanceSpec, names: list[str]) -> PreflightError:
    return PreflightError(
        f"{spec.target} has more than one volume of data, left by an interrupted replace: {', '.join(names)}",
        f"remove what is not wanted, the last of them may be half a copy: docker volume rm {names[-1]}",
    )


def _generations(spec: InstanceSpec, source: str, names: Iterable[str]) -> list[int]:
    """The numbers of a volume and its copies among `names`; a volume that is mounted by its own name is no copy."""
    others = {mount.source for mount in spec.volumes} - {source}
    found = (name.rpartition(".") for name in names if name not in others and name != source)
    copies = [int(number) for head, _, number in found if head == source and number.isdecimal()]
    return sorted([*copies, *([0] if source in names else [])])


def _name(source: str, number: int) -> str:
    return f"{source}.{number}" if number else source


def _with(spec: InstanceSpec, chosen: Mapping[str, int]) -> InstanceSpec:
    copies = " ".join(_name(source, number) for source, number in chosen.items() if number)
    return spec.with_decided(volumes=copies) if copies or "volumes" in spec.decided else spec
