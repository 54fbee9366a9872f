"""Between rows and domain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from llmstack.domain.event import Event, EventType
from llmstack.domain.instance import Instance, State
from llmstack.domain.ladder import Answer, Ladder, Rung, RungResult, Why
from llmstack.domain.stored import StoredLadder, StoredModel, StoredRun
from llmstack.domain.target import Target, TargetKind
from llmstack.store import plain

Row = Mapping[str, Any]

_ENDS = {State.STOPPED: True, State.CRASHED: False}
_FIGURES = ("first_token_ms", "tokens", "tokens_per_s", "clock")
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
    known = {
        "service": instance.service,
        "stack": instance.stack,
        "engine": instance.engine,
        "port": instance.port,
        "url": url,
        "installed_version": version,
    }
    facts = {key: value for key, value in known.items() if value is not None} | row_of_state(instance.state)
    return facts if instance.state in _UNTOLD else facts | {"stopped_on_purpose": _ENDS.get(instance.state)}


def row_of_state(state: State) -> dict[str, object]:
    """`state` and the `status` that follows from it."""
    return {"state": state.value, "status": "active" if state.active else "inactive"}


def run_of(row: Row) -> StoredRun:
    """A row of `runs`."""
    items = tuple(plain.loads(row["items"]) or ())
    return StoredRun(**{**row, "id": str(row["id"]), "items": items})


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


def rows_of_ladder(ladder: Ladder, container_name: str, at: float) -> list[dict[str, object]]:
    """What the rows of `health` hold beside the number of their climb, one for each rung."""
    common = {"at": at, **_row_of_target(ladder.target), "container_name": container_name, "why": None}
    rows = [{**common, **_row_of_rung(rung)} for rung in ladder.rungs]
    if rows and ladder.why:
        rows[-1]["why"] = plain.dumps(ladder.why)
    return rows


def ladder_of(rows: Sequence[Row]) -> StoredLadder:
    """All rows of one climb, in order."""
    last = rows[-1]
    why = plain.loads(last["why"])
    ladder = Ladder(target=_target_of(last), rungs=tuple(map(_rung_of, rows)), why=Why(**why) if why else None)
    return StoredLadder(ladder=ladder, container_name=last["container_name"], at=last["at"])


def _row_of_target(target: Target) -> dict[str, object]:
    return {"target": target.name, "host": target.host, "kind": target.kind.value}


def _target_of(row: Row) -> Target:
    return Target(row["target"], row["host"], TargetKind(row["kind"]))


def _row_of_rung(result: RungResult) -> dict[str, object]:
    return {
        "rung": result.rung.value,
        "ok": result.ok,
        "ms": result.ms,
        "detail": result.detail,
        **{name: getattr(result.answer, name, None) for name in _FIGURES},
    }


def _rung_of(row: Row) -> RungResult:
    answer = None if row["clock"] is None else Answer(text="", **{name: row[name] for name in _FIGURES})
    return RungResult(rung=Rung(row["rung"]), ok=row["ok"], ms=row["ms"], detail=row["detail"], answer=answer)
