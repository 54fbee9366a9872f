"""Values to JSON text that may be kept: plain facts only, never a secret."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from llmstack.store.records import clean

_LEFT_OUT = object()


def dumps(value: object) -> str:
    """JSON of the plain part of `value`: text, numbers, booleans, lists, mappings, and what domain values say of
    themselves by `as_json`. All else, a Secret first of all, is left out."""
    plain = _plain(value)
    return json.dumps(None if plain is _LEFT_OUT else plain)


def loads(text: str | None) -> Any:
    """What `dumps` kept; None for None."""
    return None if text is None else json.loads(text)


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        pairs = ((str(key), _plain(item)) for key, item in value.items())
        return {key: item for key, item in pairs if item is not _LEFT_OUT}
    if isinstance(value, list | tuple | set | frozenset):
        return [item for item in map(_plain, value) if item is not _LEFT_OUT]
    as_json = getattr(value, "as_json", None)
    return _plain(as_json()) if callable(as_json) else _LEFT_OUT
