"""An `up` with nothing to do, beside Ansible's docker_container with nothing to do."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from urllib.parse import quote

from benchmarks import peers
from benchmarks.engine import COMMAND, COUNT, STACK, bench, names
from benchmarks.fleet import inventory
from benchmarks.measure import Benchmark, Figure, in_turn, private_env, timed
from llmstack.engines.labels import STACK as STACK_LABEL
from tests.rig.proxy import Call, Proxy

REPETITIONS, PROBES = 5, 15
LEAST_TIMES, MOST_OWN_MS = 50, 60
NOTE = (
    "The same {count} containers on {engine}, all running as wanted: `llmstack up`, and {ansible} with one task of "
    "`community.docker.docker_container` that loops over them, facts not gathered. Our own share is the time of the "
    "whole command beyond that of a bare Python which imports the same modules of other projects, and beyond the "
    "engine's own answers to the same two questions, asked on a bare socket ({probes} repetitions, in turn)."
)
IMPORTED = """
import json, sys
from llmstack.cli.program import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
found = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
print(json.dumps([name for name, file in found.items() if "site-packages" in file]))
"""


def measure() -> tuple[Benchmark]:
    """Times, calls, and our own share."""
    ansible, llmstack = str(peers.ansible()), str(Path(sys.executable).parent / "llmstack")
    with bench() as there, tempfile.TemporaryDirectory(prefix="llmstack-bench-") as folder:
        room = Path(folder)
        env = {**private_env(room), "DOCKER_HOST": there.host.address}
        (room / "inventory.yaml").write_text(inventory(there.image), encoding="utf-8")
        (room / "playbook.yaml").write_text(_playbook(there.image), encoding="utf-8")
        up = [llmstack, "up"]
        subjects = {
            "ansible": partial(_ansible, ansible, env, room),
            "llmstack up": partial(timed, up, env=env, cwd=room),
        }
        seconds = in_turn(subjects, REPETITIONS)
        calls = _calls(up, there.host.socket, env, room)
        own = _own(up, env, room, there.host.socket)
        about = NOTE.format(count=COUNT, engine=there.about, ansible=peers.said(ansible, "--version"), probes=PROBES)
    return (
        Benchmark(
            name="unchanged",
            title="Nothing to do",
            note=about,
            seconds=seconds,
            figures=(*_figures(seconds, calls), *own),
        ),
    )


def _figures(seconds: Mapping[str, list[float]], calls: list[Call]) -> tuple[Figure, ...]:
    peer, ours = map(median, seconds.values())
    return (
        Figure(what="times as fast as ansible", value=peer / ours, least=LEAST_TIMES),
        Figure(what="calls to the engine", value=len(calls)),
        Figure(what="of these, calls that write", value=sum(call.writes for call in calls), most=0),
    )


def _playbook(image: str) -> str:
    """What the inventory wants, in Ansible's words."""
    container = {
        "name": f"{STACK}-ansible-{{{{ item }}}}",
        "image": image,
        "command": COMMAND,
        "init": True,
        "restart_policy": "unless-stopped",
        "networks": [{"name": f"{STACK}-ansible"}],
    }
    tasks = [
        {"community.docker.docker_network": {"name": f"{STACK}-ansible"}},
        {"community.docker.docker_container": container, "loop": names()},
    ]
    return json.dumps([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}])


def _ansible(program: str, env: Mapping[str, str], room: Path) -> float:
    """A run of the playbook; only the very first changes something."""
    python = str(Path(program).parent / "python")
    argv = [program, "-i", "localhost,", "-e", f"ansible_python_interpreter={python}", "playbook.yaml"]
    return timed(argv, env={**env, "ANSIBLE_HOME": str(room / "ansible"), "LC_ALL": "C.UTF-8"}, cwd=room)


def _calls(up: list[str], engine: Path, env: Mapping[str, str], room: Path) -> list[Call]:
    """What the engine is asked by one more run."""
    with contextlib.closing(Proxy(engine)) as proxy:
        timed(up, env={**env, "DOCKER_HOST": proxy.address}, cwd=room)
        return list(proxy.calls)


def _own(up: list[str], env: Mapping[str, str], room: Path, engine: Path) -> tuple[Figure, ...]:
    modules = _foreign_modules(up, env, room)
    probe = [sys.executable, "-c", f"from importlib import import_module\nfor name in {modules}: import_module(name)"]
    subjects: dict[str, Callable[[], float]] = {
        "whole": partial(timed, up, env=env, cwd=room),
        "imports": partial(timed, probe, env=env, cwd=room),
        "answers": partial(_answered, engine),
    }
    whole, imports, answers = (median(runs) * 1e3 for runs in in_turn(subjects, PROBES).values())
    return (
        Figure(what="imports of other projects", value=imports, unit="ms"),
        Figure(what="the engine's answers", value=answers, unit="ms"),
        Figure(what="our own share of the command", value=whole - imports - answers, unit="ms", most=MOST_OWN_MS),
    )


def _answered(engine: Path) -> float:
    """Seconds that the engine takes to say its version and what containers there are of the stack."""
    wanted = quote(json.dumps({"label": [f"{STACK_LABEL}={STACK}"]}))
    begun = time.perf_counter()
    with contextlib.closing(http.client.HTTPConnection("localhost")) as connection:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(engine))
        for path in ("/version", f"/containers/json?all=1&filters={wanted}"):
            connection.request("GET", path)
            connection.getresponse().read()
    return time.perf_counter() - begun


def _foreign_modules(up: list[str], env: Mapping[str, str], room: Path) -> list[str]:
    """The modules of other projects that the command imports, in its order."""
    run = subprocess.run(
        [sys.executable, "-c", IMPORTED, *up[1:]], cwd=room, env=env, capture_output=True, text=True, check=True
    )
    found: list[str] = json.loads(run.stdout.splitlines()[-1])
    return [name for name in found if not name.startswith(("llmstack", "_"))]
