"""InstanceSpec to canonical JSON and back: the label that an instance carries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from llmstack.domain.instance import InstanceSpec, Mount, Weights
from llmstack.domain.resources import Resources
from llmstack.domain.secret import Sealed, Secret, seal


def dumps(spec: InstanceSpec) -> str:
    """Canonical JSON (sorted keys, no blanks); secrets leave only sealed.

    Raises SecretError when a secret reference cannot be read.
    """
    plain = {field.name: getattr(spec, field.name) for field in fields(spec) if field.name != "secrets"}
    plain["secrets"] = {name: _sealed(secret).text for name, secret in spec.secrets.items()}
    plain["mounts"] = [asdict(mount) for mount in spec.mounts]
    plain["weights"] = asdict(spec.weights) if spec.weights else None
    plain["resources"] = asdict(spec.resources)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), default=dict)


def digest(spec: InstanceSpec) -> str:
    """A short name of what is launched: the same from every controller, whatever was decided for `auto`."""
    weights = replace(spec.weights, path="") if spec.weights else None
    same = replace(spec, secrets={}, decided={}, inventory=None, weights=weights)
    return hashlib.sha256(dumps(same).encode()).hexdigest()[:16]


def loads(text: str) -> InstanceSpec:
    """The spec of a label. Raises ValueError when the text is none; keys of a newer minor version are ignored."""
    try:
        return _spec(json.loads(text))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a spec label: {error}") from error


def _spec(raw: Mapping[str, Any]) -> InstanceSpec:
    known = {field.name for field in fields(InstanceSpec)}
    values = {key: value for key, value in raw.items() if key in known}
    values["program"] = tuple(values.get("program", ()))
    values["command"] = tuple(values.get("command", ()))
    values["depends_on"] = tuple(values.get("depends_on", ()))
    values["mounts"] = tuple(Mount(**mount) for mount in values.get("mounts", ()))
    values["weights"] = Weights(**values["weights"]) if values.get("weights") else None
    resources = dict(values.get("resources") or {})
    values["resources"] = Resources(**{**resources, "gpus": tuple(resources.get("gpus", ()))})
    values["secrets"] = {name: Sealed(text) for name, text in (values.get("secrets") or {}).items()}
    return InstanceSpec(**values)


def _sealed(secret: Secret | Sealed) -> Sealed:
    return secret if isinstance(secret, Sealed) else seal(secret.reveal())
