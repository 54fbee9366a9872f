"""What forty containers use: `llmstack stats` beside `docker stats --no-stream`, on a new engine and on an old one."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.engine import COUNT, STACK, Bench, bench, names
from benchmarks.fleet import inventory
from benchmarks.measure import Benchmark, Figure, in_turn, private_env, timed
from llmstack.engines.docker import DockerEngine
from tests.rig.kinds import KINDS

REPETITIONS = 7
MOST = {"docker-28.5": 0.2, "docker-20.10": 1.0}
"""Of the peer's time, for whole commands."""
NOTE = (
    "{count} containers of one static busybox on {engine}; whole commands. `docker stats` waits for two samples of the "
    "engine's own, which come once a second, and shows them at its next tick. llmstack takes two single samples of its "
    "own where the engine gives them at once (Docker 25 and newer); an older engine lets everybody wait for its clock."
)


def measure() -> tuple[Benchmark, ...]:
    """One benchmark per engine."""
    return tuple(map(_of_kind, MOST))


def _of_kind(kind: str) -> Benchmark:
    with bench(KINDS[kind]) as there, tempfile.TemporaryDirectory(prefix="llmstack-bench-") as folder:
        room = Path(folder)
        env = {**private_env(room), "DOCKER_HOST": there.host.address}
        (room / "inventory.yaml").write_text(inventory(there.image), encoding="utf-8")
        llmstack = str(Path(sys.executable).parent / "llmstack")
        timed([llmstack, "up", "--no-wait"], env=env, cwd=room)
        lines = {"docker stats --no-stream": ["docker", "stats", "--no-stream"], "llmstack stats": [llmstack, "stats"]}
        subjects = {name: partial(timed, line, env=env, cwd=room) for name, line in lines.items()}
        seconds = in_turn({**subjects, "the engine's answers alone": partial(_alone, there)}, REPETITIONS)
        about = NOTE.format(count=COUNT, engine=there.about)
    peer, ours, alone = map(median, seconds.values())
    return Benchmark(
        name=f"stats_{kind}",
        title=f"Figures of {COUNT} containers, {kind.replace('-', ' ')}",
        note=about,
        seconds=seconds,
        figures=(
            Figure(what="llmstack's time / that of docker stats", value=ours / peer, most=MOST[kind]),
            Figure(what="without the start of the program", value=alone / peer, most=MOST[kind]),
        ),
    )


def _alone(there: Bench) -> float:
    """A program that runs already, and asks for the first time."""
    with contextlib.closing(DockerEngine("rig", there.host.address)) as engine:
        begun = time.perf_counter()
        found = engine.usages([f"llmstack-{STACK}-{name}" for name in names()])
        spent = time.perf_counter() - begun
    if len(found) != COUNT:
        raise SystemExit(f"{len(found)} containers were measured, not {COUNT}")
    return spent
