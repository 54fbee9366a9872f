"""What people wait for many times a day, on a stack of twenty running containers."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.engine import STACK, Bench, bench
from benchmarks.measure import Benchmark, Figure, private_env, timed
from tests.rig.proxy import Proxy, Side

COUNT, REPETITIONS = 20, 5
MOST_MS = 2000
FIRST_PORT = 21000
NOTE = (
    "{count} containers on {engine}, each an HTTP server that publishes a port; whole commands, `get_active_models` "
    "a whole Python program. `up` brings one of them from nothing to a proved answer, `down` stops and removes it. "
    "The engine's share is the part of the time in which at least one call to it was under way, measured in a further "
    "run through a relay at its socket."
)
ACTIVE = "from llmstack import ModelManager\nwith ModelManager() as manager: assert manager.get_active_models()"


class Clocked(Proxy):
    """Knows when calls were under way."""

    def __init__(self, target: Path) -> None:
        self.spans: list[tuple[float, float]] = []
        super().__init__(target)

    def _relay(self, head: bytes, asker: Side, engine: Side) -> bool:
        begun = time.perf_counter()
        try:
            return super()._relay(head, asker, engine)
        finally:
            self.spans.append((begun, time.perf_counter()))

    @property
    def busy_s(self) -> float:
        """Seconds in which at least one call was under way."""
        total, until = 0.0, 0.0
        for begun, ended in sorted(self.spans):
            total += max(0.0, ended - max(begun, until))
            until = max(until, ended)
        return total


def measure() -> tuple[Benchmark]:
    """Each operation's median, and the engine's share."""
    with bench() as there, there.host.inside(), tempfile.TemporaryDirectory(prefix="llmstack-bench-") as folder:
        room = Path(folder)
        env = {**private_env(room), "DOCKER_HOST": there.host.address}
        (room / "inventory.yaml").write_text(_inventory(there), encoding="utf-8")
        operations = _operations()
        timed(operations["up of all"], env=env, cwd=room)
        run = partial(_round, {name: argv for name, argv in operations.items() if name != "up of all"}, room)
        run(env)
        rounds = [run(env) for _ in range(REPETITIONS)]
        shares = _shares(run, env, there.host.socket)
        about = NOTE.format(count=COUNT, engine=there.about)
    seconds = {name: [each[name] for each in rounds] for name in rounds[0]}
    figures = [_figures(name, runs, shares[name]) for name, runs in seconds.items()]
    return (Benchmark(name="operations", title="Critical operations", note=about, figures=tuple(sum(figures, ()))),)


def _figures(name: str, runs: Sequence[float], share: float) -> tuple[Figure, ...]:
    return (
        Figure(what=name, value=median(runs) * 1e3, unit="ms", most=MOST_MS),
        Figure(what=f"{name}: the engine's share", value=share * 100, unit="%"),
    )


def _round(operations: Mapping[str, list[str]], room: Path, env: Mapping[str, str]) -> dict[str, float]:
    return {name: timed(argv, env=env, cwd=room) for name, argv in operations.items()}


def _shares(run: partial[dict[str, float]], env: Mapping[str, str], socket: Path) -> dict[str, float]:
    """Operation -> the part of its time, 0 to 1, that the engine takes."""
    operations, room = run.args
    found = {}
    for name, argv in operations.items():
        with contextlib.closing(Clocked(socket)) as relay:
            spent = timed(argv, env={**env, "DOCKER_HOST": relay.address}, cwd=room)
            found[name] = relay.busy_s / spent
    return found


def _operations() -> dict[str, list[str]]:
    """In an order in which each finds what it needs."""
    llmstack = str(Path(sys.executable).parent / "llmstack")
    one = ["--service", "c00"]
    return {
        "up of all": [llmstack, "up"],
        "status": [llmstack, "status"],
        "sync": [llmstack, "sync"],
        "get_active_models": [sys.executable, "-c", ACTIVE],
        "down of one": [llmstack, "down", *one],
        "up of one": [llmstack, "up", *one],
    }


def _inventory(there: Bench) -> str:
    service = {
        "type": "container",
        "image": there.image,
        "args": ["httpd", "-f", "-p", "80"],
        "options": {"container_port": 80},
    }
    services = {f"c{number:02}": {**service, "port": FIRST_PORT + number} for number in range(COUNT)}
    return json.dumps({"llmstack": 1, "stack": STACK, "services": services})
