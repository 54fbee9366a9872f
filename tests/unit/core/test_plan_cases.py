"""Desired and observed in, actions out: one situation per file in `tests/cases/plan`; its name is the sentence.

| key | meaning |
| --- | --- |
| verb | `up` (the default), `down`, `pull`, `restart`, `update` or `rm` |
| inventory | the inventory, as it would be written |
| files | file name -> content, beside the inventory |
| there | instances, see below |
| served, errors, broken, needs, silent, copies, volumes | what else was found out, by target; errors by `host/engine` |
| no_place | data of the error for a name or port that is taken, by target |
| pins, newest | names of the image that an instance was made from, and of the one there is of it now |
| settled | which targets have been used for so long that their data count |
| select | `models`, `services`, `hosts` that were picked |
| policy | `re_decide`; `orphans: true` takes along what is there and not in the inventory |
| actions | the plan, in order: `do`, `target`, and what else matters |

An instance is what an earlier run made of `service` on `host`, now running. `made_by` holds the changes that make the
inventory of that run (null takes a key away), `files` its files, `port` what was decided for auto, `changed` what else
differs in its label's spec, `state` and `fields` what differs in the instance. One that is `foreign`
was made by somebody else: it has no label, `service` is only the name it is found under.
"""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmstack.core.desired import Wanted, desire
from llmstack.core.observe import Facts, Observed, sort_out
from llmstack.core.plan import plan_down, plan_pull, plan_restart, plan_rm, plan_up, plan_update
from llmstack.core.policy import Policy
from llmstack.core.select import pick
from llmstack.domain.instance import Instance, InstanceSpec, Need, State
from llmstack.domain.plan import Action
from llmstack.domain.selection import Selection
from llmstack.domain.server import Life, Liveness, ServedModel
from llmstack.domain.target import Target
from llmstack.errors import PreflightError, UnreachableError
from llmstack.inventory import load
from llmstack.modeltype.registry import Registry
from llmstack.testing import FakeEngine

CASES = sorted((Path(__file__).parents[2] / "cases" / "plan").glob("*.yaml"))
PLANNERS = {
    "up": plan_up,
    "down": plan_down,
    "pull": plan_pull,
    "restart": plan_restart,
    "update": plan_update,
    "rm": plan_rm,
}
ENVIRON = {"LLAMA_API_KEY": "first", "OTHER_KEY": "second"}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_plan(path: Path, tmp_path: Path) -> None:
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    write(case.get("files", {}), tmp_path)
    wanted = resolve(case["inventory"], tmp_path)
    observed = look(case, tmp_path)
    selection = Selection(**{key: tuple(names) for key, names in case.get("select", {}).items()})
    verb = case.get("verb", "up")
    known = {item.target for item in wanted}
    policy = dict(case.get("policy", {}))
    policy["re_decide"] = frozenset(known if policy.get("re_decide") else ())
    if policy.pop("orphans", False):
        policy["orphans"] = tuple(row for row in observed.rows() if row.target not in known)
    plan = PLANNERS[verb](pick(wanted, selection, dependencies=verb in ("up", "update")), observed, Policy(**policy))
    said = [told(action, asked) for action, asked in zip(plan.actions, case["actions"], strict=False)]
    assert said == case["actions"]
    assert len(plan.actions) == len(case["actions"])


def resolve(inventory: dict[str, Any], folder: Path) -> tuple[Wanted, ...]:
    (folder / "inventory.yaml").write_text(json.dumps(inventory), encoding="utf-8")
    return desire(load(str(folder / "inventory.yaml"), environ=ENVIRON), Registry())


def write(files: dict[str, str], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")


def merged(old: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        if value is None:
            old.pop(key, None)
        elif isinstance(value, dict):
            old[key] = merged(dict(old.get(key, {})), value)
        else:
            old[key] = value
    return old


def look(case: dict[str, Any], folder: Path) -> Observed:
    rows = [instance(row, case["inventory"], folder) for row in case.get("there", [])]
    errors = {tuple(place.split("/")): UnreachableError(text) for place, text in case.get("errors", {}).items()}
    facts = {
        "served": lambda found: found and tuple(ServedModel(**model) for model in found),
        "broken": PreflightError,
        "no_place": lambda data: PreflightError("no place", **data),
        "needs": lambda found: tuple(Need(**need) for need in found),
        "copies": tuple,
        "volumes": str,
        "pins": tuple,
        "newest": str,
        "silent": lambda silent: Liveness(Life.SILENT, "connection refused") if silent else Liveness(Life.READY),
        "settled": bool,
    }
    fields = {"no_place": "broken", "silent": "life"}
    told: dict[Target, Facts] = {}
    for key, read in facts.items():
        for name, value in case.get(key, {}).items():
            found = {fields.get(key, key): read(value)}
            told[target(name)] = replace(told.get(target(name), Facts()), **found)  # type: ignore[arg-type]
    return replace(sort_out(rows, errors), facts=told)  # type: ignore[arg-type]


def instance(row: dict[str, Any], inventory: dict[str, Any], folder: Path) -> Instance:
    """As an earlier run made it, by the inventory of its time."""
    if row.get("foreign"):
        state = State(row.get("state", "starting"))
        return Instance(
            id="f", container_name=row["foreign"], service=row["service"], host=row.get("host", "localhost"),
            engine="docker", state=state, running=state is State.STARTING, **row.get("fields", {}),
        )  # fmt: skip
    made_by = merged(copy.deepcopy(inventory), row.get("made_by", {}))
    now = {name: (folder / name).read_text(encoding="utf-8") for name in row.get("files", {})}
    write(row.get("files", {}), folder)
    by_target = {str(one.target): one for one in resolve(made_by, folder)}
    wanted = by_target[f"{row['service']}@{row.get('host', 'localhost')}"]
    write(now, folder)
    assert wanted.spec is not None
    spec: InstanceSpec = replace(wanted.spec, **row.get("changed", {}))
    if spec.port == "auto":
        spec = spec.with_decided(port=row.get("port", "8080"))
    engine = FakeEngine(wanted.target.host, kind=wanted.engine)
    engine.create(spec)
    engine.start(spec.name)
    made = engine.instances[spec.name]
    state = State(row.get("state", "starting"))
    fields = {"state": state, "running": state is State.STARTING, **row.get("fields", {})}
    return replace(made, **fields)


def target(text: str) -> Target:
    name, _, host = text.partition("@")
    return Target(name, host)


def told(action: Action, asked: dict[str, Any]) -> dict[str, Any]:
    """As much of an action as the case asks for."""
    facts: dict[str, Any] = {
        "do": action.kind.value,
        "target": str(action.target),
        "reason": action.reason,
        "fields": [f"{change.field}: {change.before} -> {change.after}" for change in action.changes],
        "exit": action.error.exit_code if action.error else 0,
        "port": action.spec.host_port if action.spec else None,
        "needs": [need.name for need in action.needs],
        "name": action.observed.container_name if action.observed else None,
    }
    return {key: facts[key] for key in asked}
