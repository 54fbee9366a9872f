"""An `up` with nothing to do, beside Ansible's docker_container with nothing to do."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks import peers
from benchmarks.engine import COMMAND, COUNT, STACK, bench, names
from benchmarks.fleet import inventory
from benchmarks.measure import Benchmark, Figure, in_turn, private_env, timed
from tests.rig.proxy import Call, Proxy

REPETITIONS, PROBES = 5, 15
LEAST_TIMES, MOST_OWN_MS = 50, 60
NOTE = (
    "The same {count} containers on {engine}, all running as wanted: `llmstack up`, and {ansible} with one task of "
    "`community.docker.docker_container` that loops over them, facts not gathered. Our own share is the time of the "
    "whole command beyond that of a bare Python which imports the same modules of other projects ({probes} "
    "repetitions, in turn)."
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
        own = _own_ms(up, env, room)
        about = NOTE.format(count=COUNT, engine=there.about, ansible=peers.said(ansible, "--version"), probes=PROBES)
    return (
        Benchmark(
            name="unchanged",
            title="Nothing to do",
            note=about,
            seconds=seconds,
            figures=(*_figures(seconds, calls), own),
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


def _calls(up: list[str], socket: Path, env: Mapping[str, str], room: Path) -> list[Call]:
    """What the engine is asked by one more run."""
    with contextlib.closing(Proxy(socket)) as proxy:
        timed(up, env={**env, "DOCKER_HOST": proxy.address}, cwd=room)
        return list(proxy.calls)


def _own_ms(up: list[str], env: Mapping[str, str], room: Path) -> Figure:
    modules = _foreign_modules(up, env, room)
    probe = [sys.executable, "-c", f"from importlib import import_module\nfor name in {modules}: import_module(name)"]
    subjects: dict[str, Callable[[], float]] = {
        "whole": partial(timed, up, env=env, cwd=room),
        "imports": partial(timed, probe, env=env, cwd=room),
    }
    whole, imports = map(median, in_turn(subjects, PROBES).values())
    print(f"whole command {whole * 1e3:.0f} ms, imports alone {imports * 1e3:.0f} ms", flush=True)
    return Figure(what="our own share of the command", value=(whole - imports) * 1e3, unit="ms", most=MOST_OWN_MS)


def _foreign_modules(up: list[str], env: Mapping[str, str], room: Path) -> list[str]:
    """The modules of other projects that the command imports, in its order."""
    run = subprocess.run(
        [sys.executable, "-c", IMPORTED, *up[1:]], cwd=room, env=env, capture_output=True, text=True, check=True
    )
    found: list[str] = json.loads(run.stdout.splitlines()[-1])
    return [name for name in found if not name.startswith(("llmstack", "_"))]
