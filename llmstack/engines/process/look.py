"""An instance's folder, read: its files and its lock make an Instance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llmstack.domain.instance import Instance, State
from llmstack.engines import labels
from llmstack.engines.process.files import CREATED, EXIT, LABELS, LOCK, RUNNING, STATE, WAITING, is_held, read_json

KIND = "process"
KILLED = "its keeper was killed"


def look(folder: Path, host: str) -> Instance:
    """The instance of `folder` as it is now; never raises for damaged files."""
    held, state, ended = _read(folder)
    written = {str(key): str(value) for key, value in read_json(folder / LABELS).items()}
    says = labels.parse(written)
    alive = held and state.get("phase") in (RUNNING, WAITING)
    last = ended if not alive or state.get("phase") == WAITING or state.get("restarts") else {}
    return Instance(
        id=str(state.get("id", folder.name)),
        container_name=folder.name,
        service=says.service or folder.name,
        host=host,
        engine=KIND,
        state=_state(alive, state, ended),
        stack=says.stack,
        running=alive,
        spec=says.spec,
        schema=says.schema,
        pid=state.get("pid") if alive else None,
        port=says.spec.host_port if says.spec else None,
        created_at=state.get("created_at"),
        started_at=state.get("started_at"),
        finished_at=last.get("finished_at"),
        exit_code=last.get("exit_code"),
        out_of_memory=last.get("out_of_memory"),
        restarts=state.get("restarts", 0),
        restart_policy=says.spec.restart if says.spec else None,
        error=KILLED if not alive and state.get("phase") in (RUNNING, WAITING) else None,
        labels=written,
    )


def _read(folder: Path) -> tuple[bool, dict[str, Any], dict[str, Any]]:
    held = is_held(folder / LOCK)
    state = read_json(folder / STATE)
    if not held and state.get("phase") in (RUNNING, WAITING):
        held = is_held(folder / LOCK)  # it may have been started between the two looks
    return held, state, read_json(folder / EXIT)


def _state(alive: bool, state: dict[str, Any], ended: dict[str, Any]) -> State:
    phase = state.get("phase")
    if alive:
        return State.CRASHED if phase == WAITING else State.STARTING
    if phase == CREATED or (phase not in (RUNNING, WAITING) and ended.get("on_purpose")):
        return State.STOPPED
    return State.CRASHED
