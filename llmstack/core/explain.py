"""PURE: the values in force for a placement: those that somebody wrote, and the defaults of everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final

from llmstack.core.desired import Wanted
from llmstack.core.select import Picked
from llmstack.domain.service import ModelSpec, Placement, ServiceSpec
from llmstack.domain.setting import Setting
from llmstack.domain.target import Target

OURS: Final = "llmstack"


def explain(
    picked: Sequence[Picked], written: Callable[[Placement], Sequence[Setting]]
) -> tuple[tuple[Target, tuple[Setting, ...]], ...]:
    """Every value of each target that is picked; `written` tells those that somebody wrote."""
    return tuple((item.wanted.target, explained(item, written(item.wanted.placement))) for item in picked)


def explained(picked: Picked, written: Sequence[Setting]) -> tuple[Setting, ...]:
    """`written` and the defaults, entry by entry, in the order of the reference page; of the models those picked."""
    item, models = picked.wanted, [f"models.{model.name}" for model in picked.models]
    path = ".".join(map(str, item.placement.path))
    entries = list(dict.fromkeys((path, *models)))
    found = {setting.key: setting for setting in written if _entry(setting.key) in entries}
    defaults = [*_leaves(path, ServiceSpec(name="", type=""), OURS), *_of_host_and_type(path, item)]
    defaults += [each for model in models for each in _leaves(model, ModelSpec(name="", service=""), OURS)]
    for setting in defaults:
        if not any(key == setting.key or key.startswith(f"{setting.key}.") for key in found):
            found[setting.key] = setting
    return tuple(sorted(found.values(), key=lambda each: (entries.index(_entry(each.key)), _rank(each.key))))


def _of_host_and_type(path: str, item: Wanted) -> Iterator[Setting]:
    """What is decided for a service that leaves it out."""
    yield Setting(key=f"{path}.engine", value=item.engine, default=f"host {item.target.host}")
    kind = f"type {item.placement.service.type}"
    for name in ("image", "port"):
        value = getattr(item.spec, name, None)
        if value is not None:
            yield Setting(key=f"{path}.{name}", value=value, default=kind)
    if item.options is not None:
        yield from _leaves(f"{path}.options", item.options, kind)


def _leaves(path: str, value: Any, default: str) -> Iterator[Setting]:
    """Every value in a dataclass that is something."""
    if is_dataclass(value):
        for each in fields(value):
            yield from _leaves(f"{path}.{each.name}", getattr(value, each.name), default)
    elif value not in (None, "", ()) and not isinstance(value, Mapping):
        yield Setting(key=path, value=list(value) if isinstance(value, tuple) else value, default=default)


def _entry(key: str) -> str:
    return ".".join(key.split(".")[:2])


def _rank(key: str) -> int:
    order = [each.name for cls in (ServiceSpec, ModelSpec) for each in fields(cls)]
    name = key.split(".")[2]
    return order.index(name) if name in order else -1
