"""How long each command takes to start, beside a bare `import invoke`."""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measure import ROOT, Benchmark, in_turn, private_env, timed
from benchmarks.up_to_answered import INVENTORY
from llmstack.cli.collection import VERBS

REPETITIONS = 7
NOTE = (
    "Whole processes, from start to end, with one model in the inventory that is not running. The peer is the front "
    "that the tasks are built on, doing nothing. Every task as the installed command runs it, so that it changes "
    "nothing and ends as soon as it has looked (with whatever exit code that has); three through plain Invoke too."
)
WORDS = {
    **dict.fromkeys(("up", "restart", "update", "pull", "uninstall", "boot.install"), ("--check",)),
    "wait": ("--timeout", "10ms"),
    "rm": ("--check", "--model", "demo"),
    "ask": ("--prompt", "hello"),
    "backup": ("--check", "--service", "demo", "--file", "backup.tar"),
    "restore": ("--check", "--service", "demo", "--file", "backup.tar"),
    "schema": ("--kind", "run"),
}
"""What a task is given; the others need nothing."""
TIMEOUT = 124


def measure() -> tuple[Benchmark]:
    """The commands that only tell, then every task."""
    programs = Path(sys.executable).parent
    invoke, llmstack = str(programs / "invoke"), str(programs / "llmstack")
    commands = {
        'python -c "import invoke"': [sys.executable, "-c", "import invoke"],
        "llmstack --version": [llmstack, "--version"],
        "llmstack --list": [llmstack, "--list"],
        "llmstack --complete 'llmstack up '": [llmstack, "--complete", "--", "llmstack up "],
        "llmstack up --help": [llmstack, "up", "--help"],
        "invoke --list": [invoke, "--list"],
        "invoke up --help": [invoke, "up", "--help"],
        "invoke status": [invoke, "status"],
    }
    for verb in VERBS:
        words = [verb.name, *WORDS.get(verb.name, ())]
        commands[f"llmstack {' '.join(words)}"] = [llmstack, *words]
    with tempfile.TemporaryDirectory(prefix="llmstack-bench-") as folder:
        room = Path(folder)
        (room / "inventory.yaml").write_text(INVENTORY, encoding="utf-8")
        for name in ("tasks.py", "invoke.yaml"):
            (room / name).write_bytes((ROOT / name).read_bytes())
        run = partial(timed, env=private_env(room) | {"XDG_CONFIG_HOME": folder}, cwd=room, codes=(*range(16), TIMEOUT))
        runs = in_turn({name: partial(run, argv) for name, argv in commands.items()}, REPETITIONS)
    return (Benchmark(name="startup", title="Start-up", note=NOTE, seconds=runs),)
