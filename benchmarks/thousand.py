"""A thousand containers, observed over a real socket."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.engine import COMMAND, STACK, Bench, bench
from benchmarks.measure import Benchmark, Figure
from llmstack.domain.instance import InstanceSpec
from llmstack.engines.docker import DockerEngine
from llmstack.engines.labels import SERVICE, SPEC, labels_of
from tests.unit.engines.docker.stub import Stub, serving

COUNT, REPETITIONS = 1000, 15
NOTE = (
    "A simulated engine: a small HTTP server on a Unix socket that answers the list call with {count} rows ({size} "
    "kB), each with the shape of what {engine} said of one of our containers. Observed by the same code that every "
    "command uses; the time holds the simulated engine's own, and is the median of {repetitions}."
)


def measure() -> tuple[Benchmark]:
    """How long it takes, and how many calls."""
    with bench() as real:
        row, about = _recorded(real), real.about
    rows = [_like(row, number) for number in range(COUNT)]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, serving(Path(folder) / "docker.sock") as stub:
        stub.on("containers/json", 200, rows)
        with contextlib.closing(DockerEngine("simulated", stub.address)) as engine:
            seconds = [_observed(engine) for _ in range(REPETITIONS + 1)][1:]
        lists = _lists(stub)
    note = NOTE.format(count=COUNT, size=len(json.dumps(rows)) // 1000, engine=about, repetitions=REPETITIONS)
    figures = (
        Figure(what="observing all", value=median(seconds) * 1e3, unit="ms"),
        Figure(what="list calls each time", value=lists // (REPETITIONS + 1), most=1),
        Figure(what="other calls in all (one ping)", value=len(stub.seen) - lists, most=1),
    )
    return (Benchmark(name="thousand", title=f"Observing {COUNT:,} containers", note=note, figures=figures),)


def _observed(engine: DockerEngine) -> float:
    start = time.perf_counter()
    found = engine.observe(STACK)
    spent = time.perf_counter() - start
    if len({each.container_name for each in found if each.running and each.spec}) != COUNT:
        raise SystemExit(f"{len(found)} were observed, not {COUNT}")
    return spent


def _lists(stub: Stub) -> int:
    return sum("/containers/json" in request for request in stub.seen)


def _spec(image: str | None, service: str) -> InstanceSpec:
    return InstanceSpec(
        stack=STACK,
        service=service,
        host="simulated",
        type="container",
        engine="docker",
        image=image,
        command=tuple(COMMAND),
    )


def _recorded(real: Bench) -> dict[str, Any]:
    """The engine's own row of one container."""
    spec = _spec(real.image, "recorded")
    with contextlib.closing(DockerEngine("simulated", real.host.address)) as engine:
        engine.create(spec)
        engine.start(spec.name)
    (row,) = real.host.api.containers(filters={"name": spec.name})
    return dict(row)


def _like(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The same for another container."""
    spec = _spec(row["Image"], f"service{number:04}")
    labels = {**row["Labels"], **{key: labels_of(spec)[key] for key in (SERVICE, SPEC)}}
    return {**row, "Id": f"{number:064x}", "Names": [f"/{spec.name}"], "Labels": labels}
