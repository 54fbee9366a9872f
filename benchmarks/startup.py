"""How long a command takes to start, beside a bare `import invoke`."""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measure import Benchmark, in_turn, private_env, timed

REPETITIONS = 15
NOTE = "Whole processes, from start to end. The peer is the front that llmstack is built on, doing nothing."


def measure() -> Benchmark:
    """Every cheap command, and `status` of a stack that is not running."""
    programs = Path(sys.executable).parent
    invoke, llmstack = str(programs / "invoke"), str(programs / "llmstack")
    commands = {
        'python -c "import invoke"': [sys.executable, "-c", "import invoke"],
        "llmstack --version": [llmstack, "--version"],
        "llmstack --complete": [llmstack, "--complete", "--", "llmstack up --model "],
        "llmstack --list": [llmstack, "--list"],
        "invoke --list": [invoke, "--list"],
        "llmstack status --model demo": [llmstack, "status", "--model", "demo"],
        "invoke status --model demo": [invoke, "status", "--model", "demo"],
    }
    with tempfile.TemporaryDirectory(prefix="llmstack-bench-") as room:
        env = private_env(Path(room))
        runs = in_turn({name: partial(timed, argv, env=env) for name, argv in commands.items()}, REPETITIONS)
    return Benchmark(title="Start-up", note=NOTE, seconds=runs)


if __name__ == "__main__":
    measure().save("startup")
