"""JSON Schemas of what the tasks answer; `v` is 1 as long as there are only additions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from llmstack.domain.checkup import Finding
from llmstack.domain.gpu import Gpu, Holder
from llmstack.domain.ladder import Rung, Why
from llmstack.domain.leftover import Leftover
from llmstack.domain.outcome import Status
from llmstack.domain.plan import Price
from llmstack.domain.progress import Progress
from llmstack.domain.report import Difference, StatusRow
from llmstack.domain.stock import DiskUse
from llmstack.domain.stored import StoredRun
from llmstack.domain.target import TargetKind
from llmstack.domain.usage import StatsRow, Usage
from llmstack.domain.weights import ModelFile
from llmstack.errors import exit_codes

Schema = dict[str, Any]
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _of(type_: Any) -> Schema:
    """The schema of a plain type, an enum, a tuple of one type, or one of several."""
    if isinstance(type_, UnionType):
        return {"anyOf": [_of(part) for part in get_args(type_)]}
    if get_origin(type_) is tuple:
        return _list(_of(get_args(type_)[0]))
    if isinstance(type_, type) and issubclass(type_, StrEnum):
        return {"enum": [word.value for word in type_]}
    return {"type": _PLAIN[type_]} if type_ in _PLAIN else {}


def _object(given: Schema, *, maybe: Schema | None = None) -> Schema:
    """An object that always has what is `given`; a value is a type or a schema."""
    values = {**given, **(maybe or {})}
    properties = {key: value if isinstance(value, dict) else _of(value) for key, value in values.items()}
    return {"type": "object", "properties": properties, "required": list(given)}


def _fields(cls: type, *without: str) -> Schema:
    """What a dataclass of plain values holds."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls) if field.name not in without}


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item}


_WORDS = _list(_of(str))


def _error() -> Schema:
    words = sorted(set(exit_codes().values()))
    return _object({"class": {"enum": words}, "code": int, "message": str, "hint": str | None})


def _names() -> Schema:
    names = {"target": str, "name": str, "kind": TargetKind, "model": str | None, "service": str | None}
    return {**names, "host": str}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _maybe(given: Schema) -> Schema:
    return _or_null(_object(given))


def _change() -> Schema:
    return _object({"field": str, "before": str, "after": str})


def _action() -> Schema:
    need = _object({"kind": str, "name": str, "size_bytes": int | None})
    lists = {"changes": _list(_change()), "needs": _list(need)}
    return _object({"action": str, **_names(), "reason": str, **lists, "price": _maybe(_fields(Price))})


_MOMENT = {"type": "string", "format": "date-time"}
_PLACE = {"file": str | None, "line": int | None, "column": int | None}
_RUNG = {"rung": Rung, "ok": bool | None, "ms": float, "detail": str}
_SPEED = {"first_token_ms": float | None, "tokens_per_s": float | None}
_FIGURES = {**_SPEED, "check": str, "tokens": int | None, "clock": str}
"""What a rung tells that is a real answer, or a check of one."""


def _outcome() -> Schema:
    return {
        **_names(),
        "status": Status,
        "changed": bool,
        "ms": float,
        "reason": str,
        "action": _or_null(_action()),
        "diff": _list(_change()),
        "rungs": _list(_object(_RUNG, maybe=_FIGURES)),
        "why": _maybe(_fields(Why)),
        "urls": _list({"type": "string"}),
        "error": _or_null(_error()),
    }


def _document(kind: str, item: Schema, **more: Any) -> Schema:
    """`{v, kind, task, rc, items, errors, warnings}`, and what only this kind has, where it came to that."""
    always = {"v": {"const": 1}, "kind": {"const": kind}, "rc": int, "items": _list(item), "errors": _list(_error())}
    return _object({**always, "warnings": _list(_of(str))}, maybe={"task": str | None, **more})


def _event() -> Schema:
    """One line of `-o ndjson`; what it tells depends on its type. An item is one of another document."""
    about, said = _names(), {"message": str}
    recap = {"kind": str, "rc": int, "items": int, "errors": _list(_error()), "hosts": {"type": "object"}}
    return {
        "oneOf": [
            _line("plan", {**said, "actions": _list(_action())}),
            _line("start", {**said, **about}),
            _line("progress", {}, maybe={**said, **about, **_fields(Progress), "text": str}),
            _line("rung", {**said, **about, **_RUNG}, maybe=_FIGURES),
            _line("result", _outcome(), maybe=said),
            _line("change", {**said, **about, **_fields(Difference), "target": str}),
            _line("warning", said, maybe=about),
            _line("item", {}),
            _line("recap", recap, maybe={"ms": float, "changed": int, "inventory": str | None}),
        ]
    }


def _line(type_: str, facts: Schema, *, maybe: Schema | None = None) -> Schema:
    base = {"v": {"const": 1}, "seq": int, "type": {"const": type_}, "ts": _MOMENT}
    return _object({**base, "run": str | None, "task": str | None, **facts}, maybe=maybe)


def _inquiry() -> Schema:
    told = {
        "why": _maybe(_fields(Why)),
        "log": _list(_object({"line": int, "text": str})),
        "climbed_at": _or_null(_MOMENT),
    }
    remedy = _maybe({"key": str, "value": str | int | None, "written": bool, **_PLACE})
    rungs, error = _list(_object(_RUNG, maybe=_FIGURES)), _or_null(_error())
    return {"target": str, **_fields(StatusRow), **told, "remedy": remedy, "rungs": rungs, "error": error}


def _setting() -> Schema:
    """A value in force; it may be anything."""
    via = _list(_object({"name": str, **_PLACE}))
    return {"target": str, "key": str, "value": {}, **_PLACE, "default": str | None, "via": via}


def _run() -> Schema:
    """A run that is remembered; its items are those of a run's document, as they were written then."""
    told = {"started_at": _MOMENT, "ended_at": _or_null(_MOMENT), "counts": {"type": "object"}}
    lists = {"items": _list({"type": "object"}), "events": _or_null(_list({"type": "object"}))}
    return {**_fields(StoredRun, "process"), **told, **lists}


def _gpu() -> Schema:
    own = _fields(Gpu, "process_bytes", "process_percent")
    return {"id": str, **own, "holders": _or_null(_list(_object(_fields(Holder))))}


_LISTED = {"target": str, "host": str}
ITEMS: dict[str, Callable[[], Schema]] = {
    "run": _outcome,
    "status": lambda: {"target": str, **_fields(StatusRow)},
    "stats": lambda: {"target": str, **_fields(StatsRow, "usage"), **_fields(Usage)},
    "gpus": _gpu,
    "sync": lambda: {**_fields(Difference), "target": str},
    "weights": lambda: {**_LISTED, "where": str, **_fields(ModelFile), "used_by": _WORDS},
    "du": lambda: {"target": str, **_fields(DiskUse)},
    "leftovers": lambda: {**_LISTED, "engine": str | None, **_fields(Leftover)},
    "why": _inquiry,
    "doctor": lambda: _fields(Finding, "code"),
    "history": _run,
    "hosts": lambda: {"target": str, "engine": str, "docker_host": str | None, "groups": _WORDS, "services": _WORDS},
    "groups": lambda: {"target": str, "hosts": _WORDS, "children": _WORDS},
    "settings": _setting,
}
"""What an item of each kind of answer holds."""
MORE: dict[str, Schema] = {
    "run": {"run": str | None, "ms": float},
    "status": {"inventory": str | None},
    "sync": {"changed": int},
}
"""What an answer of that kind tells beside its items."""


def schema_of(kind: str) -> Schema:
    """The schema of that kind of answer."""
    found = _event() if kind == "event" else _document(kind, _object(ITEMS[kind]()), **MORE.get(kind, {}))
    return {"$schema": DIALECT, "title": f"llmstack {kind}", **found}
