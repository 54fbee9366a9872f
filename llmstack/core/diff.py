"""PURE: what differs between the spec that is wanted and the one an instance carries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from llmstack.domain.instance import Instance, InstanceSpec, Mount
from llmstack.domain.plan import FieldChange
from llmstack.domain.resources import Resources, gib
from llmstack.domain.secret import Sealed, Secret

_IN_FORCE = ("engine", "image", "program", "command", "env", "container_port", "bind", "mounts", "resources", "restart")


def changes(wanted: InstanceSpec, there: InstanceSpec) -> tuple[FieldChange, ...]:
    """Fields that the user asked to be different; empty when nothing in force would change.

    A newer llmstack or plugin may launch the same wish otherwise: that alone is no change (see `defaults_changed`).
    """
    content = (*_weights(wanted, there), *_secrets(wanted.secrets, there.secrets))
    if not content and _fingerprint(wanted) == _fingerprint(there) and not defaults_changed(wanted, there):
        return ()
    return (*_wish(wanted.wish, there.wish), *content)


def all_of(wanted: InstanceSpec) -> tuple[FieldChange, ...]:
    """Every field that the user asked for."""
    return (*_wish(wanted.wish, {}), *_secrets(wanted.secrets, {}))


def defaults_changed(wanted: InstanceSpec, there: InstanceSpec) -> tuple[FieldChange, ...]:
    """What newer defaults would launch differently, of two specs between which nothing was wished to change."""
    pairs = [(name, _plain(getattr(there, name)), _plain(getattr(wanted, name))) for name in _IN_FORCE]
    pairs += [("port", there.host_port, there.host_port if wanted.port == "auto" else wanted.port)]
    return tuple(FieldChange(name, _shown(old), _shown(new)) for name, old, new in pairs if old != new)


def by_hand(there: Instance | None) -> str:
    """In words, what somebody changed of the limits and restart policy that an instance was made with, as far as its
    engine told them."""
    if there is None or there.spec is None or there.limits is None:
        return ""
    made, now = _held(there.spec.limits, there.spec.restart), _held(there.limits, there.restart_policy)
    return ", ".join(f"{name} {old} → {now[name]}" for name, old in made.items() if old != now[name])


def _held(limits: Resources, restart: str | None) -> dict[str, str]:
    """What can be changed while it runs, as a person would write it; Podman counts CPUs no finer."""
    memory, cpus = limits.memory_bytes, limits.cpus
    told = gib(float(memory)) if memory else "", f"{round(float(cpus), 3):g}" if cpus else "", restart
    return {name: value or "none" for name, value in zip(("memory", "cpus", "restart"), told, strict=True)}


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value


def _wish(wanted: Mapping[str, object], there: Mapping[str, object]) -> Iterator[FieldChange]:
    for key in sorted({*wanted, *there}):
        if wanted.get(key) != there.get(key):
            yield FieldChange(key, _text(there.get(key)), _text(wanted.get(key)))


def _weights(wanted: InstanceSpec, there: InstanceSpec) -> Iterator[FieldChange]:
    before, after = _fingerprint(there), _fingerprint(wanted)
    if before != after and wanted.weights and there.weights and wanted.weights.source == there.weights.source:
        yield FieldChange("weights", before, after)


def _fingerprint(spec: InstanceSpec) -> str:
    return spec.weights.fingerprint if spec.weights else ""


def _secrets(wanted: Mapping[str, Secret | Sealed], there: Mapping[str, Secret | Sealed]) -> Iterator[FieldChange]:
    for name in sorted({*wanted, *there}):
        if not _same_secret(wanted.get(name), there.get(name)):
            yield FieldChange(f"env.{name}", "(secret)" if name in there else "", "(secret)" if name in wanted else "")


def _same_secret(wanted: Secret | Sealed | None, there: Secret | Sealed | None) -> bool:
    if isinstance(wanted, Secret) and isinstance(there, Sealed):
        return there.matches(wanted.reveal())
    return wanted is None and there is None


def _shown(value: object) -> str:
    """A field in force as a person would write it."""
    if isinstance(value, Mount):
        return f"{value.source}:{value.target}{':ro' * value.read_only}"
    if isinstance(value, Resources):
        value = {name: found for name, found in asdict(value).items() if found}
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_shown(found)}" for key, found in sorted(value.items()))
    return " ".join(map(_shown, value)) if isinstance(value, tuple) else _text(value)


def _text(value: object) -> str:
    if value is None:
        return ""
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
