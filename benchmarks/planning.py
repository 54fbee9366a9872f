"""Ten thousand instances through the pure planner: time, and how much memory it takes."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks.measure import ROOT, Benchmark, Figure
from llmstack.core.desired import Wanted, desire
from llmstack.core.observe import sort_out
from llmstack.core.plan import plan_up
from llmstack.core.policy import Policy
from llmstack.core.select import pick
from llmstack.domain.instance import Instance, State
from llmstack.domain.selection import Selection
from llmstack.inventory import load
from llmstack.modeltype.registry import Registry

HOSTS, SERVICES, REPETITIONS = 100, 100, 5
MOST_S, MOST_MB = 1.0, 200
NOTE = (
    "{hosts} hosts with {services} services each. On every host a quarter of the services is to be created, a quarter "
    "replaced, a quarter started, and a quarter kept; besides, what another inventory left is removed. Counted is the "
    "planner alone, from what is wanted and what is there to the plan, in a process of its own; the medians of "
    "{repetitions} runs."
)


def measure() -> tuple[Benchmark]:
    """Each run in a process of its own, since memory is not given back."""
    argv = [sys.executable, "-m", "benchmarks.planning"]
    runs = [
        json.loads(subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
        for _ in range(REPETITIONS)
    ]
    figures = (
        Figure(what="actions in the plan", value=runs[0]["actions"]),
        Figure(what="planning", value=median(run["plan_s"] for run in runs), unit="s", most=MOST_S),
        Figure(what="growth of the peak", value=median(run["grown_mb"] for run in runs), unit="MB", most=MOST_MB),
        Figure(what="reading the inventory", value=median(run["load_s"] for run in runs), unit="s"),
        Figure(what="resolving it by the types", value=median(run["desire_s"] for run in runs), unit="s"),
    )
    note = NOTE.format(hosts=HOSTS, services=SERVICES, repetitions=REPETITIONS)
    return (Benchmark(name="planning", title=f"Planning {HOSTS * SERVICES:,} instances", note=note, figures=figures),)


def _once() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="llmstack-bench-") as folder:
        path = Path(folder) / "inventory.yaml"
        path.write_text(_inventory(), encoding="utf-8")
        begun = time.perf_counter()
        inventory = load(str(path), environ={})
        loaded = time.perf_counter()
        wanted = desire(inventory, Registry())
        desired = time.perf_counter()
    picked = pick(wanted, Selection(), dependencies=True)
    there = [found for number, item in enumerate(wanted) for found in _there(item, number % 4)]
    orphans = tuple(replace(found, service=f"old-{found.service}") for found in there[:: len(there) // HOSTS])
    before = _peak_mb()
    start = time.perf_counter()
    plan = plan_up(picked, sort_out((*there, *orphans), {}), Policy(orphans=orphans))
    end = time.perf_counter()
    return {
        "actions": len(plan.actions),
        "plan_s": end - start,
        "grown_mb": _peak_mb() - before,
        "load_s": loaded - begun,
        "desire_s": desired - loaded,
    }


def _inventory() -> str:
    service = {"type": "container", "image": "busybox:1", "args": ["sleep", "1"], "hosts": "all", "env": {"A": "b"}}
    hosts: dict[str, object] = {f"host{number:03}": {} for number in range(HOSTS)}
    services = {f"service{number:03}": service for number in range(SERVICES)}
    return json.dumps({"llmstack": 1, "all": {"hosts": hosts}, "services": services})


def _there(item: Wanted, quarter: int) -> list[Instance]:
    """Nothing, one that differs, one that rests, or one as wanted."""
    spec = item.needed_spec
    if quarter == 0:
        return []
    if quarter == 1:
        spec = replace(spec, image="busybox:0", wish={**spec.wish, "image": "busybox:0"})
    runs = quarter != 2
    found = Instance(
        id=spec.name,
        container_name=spec.name,
        service=spec.service,
        host=spec.host,
        engine=spec.engine,
        state=State.STARTING if runs else State.STOPPED,
        running=runs,
        stack=spec.stack,
        spec=spec,
    )
    return [found]


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    print(json.dumps(_once()))
