"""Forty containers, cold: `llmstack up --no-wait` and `down` beside Compose's, on one engine."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import peers
from benchmarks.engine import CALM_S, COMMAND, COUNT, STACK, Bench, bench, names
from benchmarks.measure import Benchmark, Figure, private_env, timed

REPETITIONS = 5
MOST = 0.75
NOTE = (
    "{count} containers of one static busybox on {engine}. Each tool is given the same image, command, init process "
    "and restart policy, and neither waits for health: `llmstack up --no-wait` and `up -d` of {compose}. All start "
    "from nothing and end with nothing. Without `init: true`, as Compose files mostly are, a program that does not "
    "handle SIGTERM as process 1 is killed after 10 s; llmstack always gives its containers an init process."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A subject: its commands, and what the names of its containers hold."""

    up: Sequence[str]
    down: Sequence[str]
    stem: str


def measure() -> tuple[Benchmark, ...]:
    """Going up, going down, and both."""
    compose = str(peers.compose())
    with bench() as there, tempfile.TemporaryDirectory(prefix="llmstack-bench-") as folder:
        room = Path(folder)
        env = {**private_env(room), "DOCKER_HOST": there.host.address}
        tools = _tools(compose, there.image, room)
        up, down = _seconds(tools, lambda argv: timed(argv, env=env, cwd=room), there)
        about = NOTE.format(count=COUNT, engine=there.about, compose=peers.said(compose, "version"))
    both = {name: [sum(pair) for pair in zip(up[name], down[name], strict=True)] for name in up}
    told = (("up", up, about), ("down", down, "As above."), ("up and down", both, "Both of a round together."))
    return tuple(
        Benchmark(
            name=f"fleet_{way.replace(' ', '_')}",
            title=f"{COUNT} containers {way}",
            note=note,
            seconds=seconds,
            figures=_target(seconds),
        )
        for way, seconds, note in told
    )


def _target(seconds: Mapping[str, list[float]]) -> tuple[Figure, ...]:
    peer, ours, _ = map(median, seconds.values())
    return (Figure(what="llmstack's time / Compose's", value=ours / peer, most=MOST),)


def _seconds(
    tools: Mapping[str, Tool], run: Callable[[list[str]], float], there: Bench
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Each tool goes up and down once per round; the first round fills caches and is not counted."""
    up: dict[str, list[float]] = {name: [] for name in tools}
    down: dict[str, list[float]] = {name: [] for name in tools}
    for _ in range(REPETITIONS + 1):
        for name, tool in tools.items():
            up[name].append(run([*tool.up]))
            there.expect(tool.stem, COUNT)
            time.sleep(CALM_S)
            down[name].append(run([*tool.down]))
            there.expect(tool.stem, 0)
    return {name: each[1:] for name, each in up.items()}, {name: each[1:] for name, each in down.items()}


def _tools(compose: str, image: str, room: Path) -> dict[str, Tool]:
    llmstack = str(Path(sys.executable).parent / "llmstack")
    (room / "inventory.yaml").write_text(inventory(image), encoding="utf-8")
    tools = {}
    for name, own in (("docker compose", {"init": True}), ("docker compose, without init: true", {})):
        project = f"{STACK}-compose{len(own)}"
        file = room / f"{project}.yaml"
        service = {"image": image, "command": COMMAND, "restart": "unless-stopped", **own}
        file.write_text(json.dumps({"name": project, "services": dict.fromkeys(names(), service)}), encoding="utf-8")
        line = [compose, "-f", str(file)]
        tools[name] = Tool(up=[*line, "up", "-d"], down=[*line, "down"], stem=project)
    ours = Tool(up=[llmstack, "up", "--no-wait"], down=[llmstack, "down"], stem=f"llmstack-{STACK}-")
    first, second = tools.items()
    return dict((first, ("llmstack", ours), second))


def inventory(image: str) -> str:
    """The services, as llmstack is told them."""
    service = {"type": "container", "image": image, "args": COMMAND}
    return json.dumps({"llmstack": 1, "stack": STACK, "services": dict.fromkeys(names(), service)})
