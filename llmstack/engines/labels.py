"""The labels that an instance carries on every engine: who it belongs to, and the spec it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import llmstack
from llmstack.domain import codec
from llmstack.domain.instance import SPEC_SCHEMA, InstanceSpec

PREFIX = "io.llmstack."
STACK = PREFIX + "stack"
SERVICE = PREFIX + "service"
HOST = PREFIX + "host"
TYPE = PREFIX + "type"
SCHEMA = PREFIX + "schema"
SPEC = PREFIX + "spec"
VERSION = PREFIX + "version"
ROLE = PREFIX + "role"

SERVE, LOCK, PUT = "serve", "lock", "put"
"""Roles: an instance that serves, and the placeholders that lock a stack and lead into a volume on an engine without
files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What an instance's labels say. All None when they are not ours.

    `spec` is None too when a newer llmstack wrote it (`schema` tells) or when somebody damaged it.
    """

    stack: str | None = None
    service: str | None = None
    host: str | None = None
    schema: int | None = None
    spec: InstanceSpec | None = None


def labels_of(spec: InstanceSpec) -> dict[str, str]:
    """The labels to put on an instance of `spec`. Raises SecretError when a secret reference cannot be read."""
    return {
        STACK: spec.stack,
        SERVICE: spec.service,
        HOST: spec.host,
        TYPE: spec.type,
        SCHEMA: str(SPEC_SCHEMA),
        SPEC: codec.dumps(spec),
        VERSION: llmstack.__version__,
        ROLE: SERVE,
    }


def parse(labels: Mapping[str, str]) -> Labels:
    """What `labels` say of an instance; never raises."""
    schema = _number(labels.get(SCHEMA))
    return Labels(
        stack=labels.get(STACK),
        service=labels.get(SERVICE),
        host=labels.get(HOST),
        schema=schema,
        spec=_spec(labels.get(SPEC)) if schema is not None and schema <= SPEC_SCHEMA else None,
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _spec(text: str | None) -> InstanceSpec | None:
    try:
        return codec.loads(text) if text else None
    except ValueError:
        return None
