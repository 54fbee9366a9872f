"""Between rows and domain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, cast

from llmstack.domain.event import Event, EventType
from llmstack.domain.instance import Instance, State
from llmstack.domain.ladder import FIGURES, Ladder, RungResult, rung_of, why_of
from llmstack.domain.stored import StoredLadder, StoredModel, StoredRun, StoredVersion
from llmstack.domain.target import Target, TargetKind
from llmstack.store import plain

Row = Mapping[str, Any]

_ENDS = {State.STOPPED: True, State.CRASHED: False}
_OF_INSTANCE = ("service", "stack", "engine", "port", "started_at", "restarts", "out_of_memory")
_UNTOLD = (State.ABSENT, State.UNREACHABLE)


def model_of(row: Row) -> StoredModel:
    """A row of `models`."""
    values = {field.name: row[field.name] for field in fields(StoredModel)}
    return StoredModel(**{**values, "state": State(row["state"])})


def row_of_model(model: StoredModel) -> dict[str, object]:
    """What a row of `models` holds beside its times."""
    values = {field.name: getattr(model, field.name) for field in fields(model)}
    return {**values, "state": model.state.value, "status": model.status}


def row_of_instance(instance: Instance, version: str | None, url: str | None) -> dict[str, object]:
    """What an instance tells of each of its models; what it does not tell is left out."""
    known = {name: getattr(instance, name) for name in _OF_INSTANCE}
    known |= {"container_id": instance.id, "ended_at": instance.finished_at, "installed_version": version, "url": url}
    facts = {key: value for key, value in known.items() if value is not None} | row_of_state(instance.state)
    return facts if instance.state in _UNTOLD else facts | {"stopped_on_purpose": _ENDS.get(instance.state)}


def row_of_state(state: State) -> dict[str, object]:
    """`state` and the `status` that follows from it."""
    return {"state": state.value, "status": "active" if state.active else "inactive"}


def run_of(row: Row) -> StoredRun:
    """A row of `runs`."""
    items = tuple(plain.loads(row["items"]) or ())
    return StoredRun(**{**row, "id": str(row["id"]), "items": items})


def items_of(events: Iterable[Event]) -> tuple[Row, ...]:
    """What a run had come to by its events: the outcome of each target, as far as there is one."""
    items: dict[Target, Row] = {}
    for event in events:
        if target := event.target:
            begun = {"target": str(target), "name": target.name, "kind": target.kind.value, "host": target.host}
            items.setdefault(target, {**begun, "status": None})
            items[target] = cast(Row, event.data.get("outcome", items[target]))
    return tuple(items.values())


def event_of(row: Row) -> Event:
    """A row of `events`."""
    target = None if row["target"] is None else _target_of(row)
    return Event(row["ts"], EventType(row["type"]), row["task"], target, row["message"], plain.loads(row["data"]))


def row_of_event(event: Event) -> dict[str, object]:
    """What a row of `events` holds beside its run."""
    return {
        "ts": event.ts,
        "type": event.type.value,
        "task": event.task,
        **(_row_of_target(event.target) if event.target else {}),
        "message": event.message,
        "data": plain.dumps(event.data),
    }


def rows_of_ladder(ladder: Ladder, **common: object) -> list[dict[str, object]]:
    """What the rows of `health` hold, one for each rung; `common` is in all of them."""
    common |= {**_row_of_target(ladder.target), "why": None}
    rows = [{**common, **_row_of_rung(rung)} for rung in ladder.rungs]
    if rows and ladder.why:
        rows[-1]["why"] = plain.dumps(ladder.why)
    return rows


def ladder_of(rows: Sequence[Row]) -> StoredLadder:
    """All rows of one climb, in order."""
    last = rows[-1]
    why = plain.loads(last["why"])
    ladder = Ladder(target=_target_of(last), rungs=tuple(map(rung_of, rows)), why=why_of(why) if why else None)
    return StoredLadder(ladder=ladder, container_name=last["container_name"], at=last["at"])


def version_of(row: Row) -> StoredVersion:
    """A row of `versions`."""
    values = {field.name: row[field.name] for field in fields(StoredVersion)}
    return StoredVersion(**{**values, "target": _target_of(row)})


def row_of_version(version: StoredVersion) -> dict[str, object]:
    """What a row of `versions` holds beside its times."""
    facts = {name: getattr(version, name) for name in ("source", "digest", "version")}
    return {**_row_of_target(version.target), **facts}


def _row_of_target(target: Target) -> dict[str, object]:
    return {"target": target.name, "host": target.host, "kind": target.kind.value}


def _target_of(row: Row) -> Target:
    return Target(row["target"], row["host"], TargetKind(row["kind"]))


def _row_of_rung(result: RungResult) -> dict[str, object]:
    told = {name: getattr(result, name) for name in ("ok", "ms", "detail")}
    return {"rung": result.rung.value, **told, **{name: getattr(result.answer, name, None) for name in FIGURES}}
